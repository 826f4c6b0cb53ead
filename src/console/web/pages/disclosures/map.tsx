/** The map of a directory: each box a directory or file, as large as its lines, as hot as the share of it that left. */
import { type JSX, useMemo } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import type { DisclosedPlace } from "../../../api/disclosures.ts";
import { piecesOf, pointName } from "../../parts/points.ts";
import { heatOf, percentText } from "./share.tsx";
import { squarify } from "./treemap.ts";

const WIDTH = 960;
const HEIGHT = 360;
/** Smaller boxes have no room for words; their name is their label all the same. */
const ROOM = { width: 76, height: 34 };
const LETTER = 6.6;

export function DirectoryMap({
  places,
  linkTo,
}: {
  readonly places: readonly DisclosedPlace[];
  readonly linkTo: (place: DisclosedPlace) => string | null;
}): JSX.Element {
  const { t, i18n } = useTranslation(["disclosures", "frame"]);
  const boxes = useMemo(
    () =>
      squarify(
        places.map(({ of }) => of),
        { x: 0, y: 0, width: WIDTH, height: HEIGHT },
      ),
    [places],
  );
  return (
    <figure className="map">
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="group" aria-label={t("map")}>
        {places.map((place, at) => {
          const box = boxes[at];
          if (box === undefined || box.width < 1 || box.height < 1) return null;
          const share = place.of === 0 ? 0 : place.lines / place.of;
          const name = plain(place.path.slice(place.path.lastIndexOf("/") + 1));
          const label = t("placeLabel", {
            name,
            share: percentText(share, i18n.language),
            lines: place.lines,
            of: place.of,
          });
          const hasRoom = box.width >= ROOM.width && box.height >= ROOM.height;
          const drawn = (
            <>
              <rect
                x={box.x + 1}
                y={box.y + 1}
                width={Math.max(0, box.width - 2)}
                height={Math.max(0, box.height - 2)}
                rx={3}
                data-heat={heatOf(share)}
              />
              {hasRoom && (
                <text x={box.x + 9} y={box.y + 20} data-heat={heatOf(share)}>
                  {fitting(place.kind === "directory" ? `${name}/` : name, box.width - 16)}
                  <tspan x={box.x + 9} dy={box.height >= 48 ? 16 : 0} className="map-share">
                    {box.height >= 48 ? percentText(share, i18n.language) : ""}
                  </tspan>
                </text>
              )}
            </>
          );
          const to = linkTo(place);
          return to === null ? (
            <g key={place.path}>
              <title>{label}</title>
              {drawn}
            </g>
          ) : (
            <Link key={place.path} to={to} aria-label={label}>
              <title>{label}</title>
              {drawn}
            </Link>
          );
        })}
      </svg>
      <figcaption>
        <span className="faint">{t("heat")}</span>
        {([0, 1, 2, 3, 4] as const).map((heat) => (
          <span key={heat} className="map-key">
            <span className="map-swatch" data-heat={heat} aria-hidden="true" />
            {t(`heat${heat}`)}
          </span>
        ))}
      </figcaption>
    </figure>
  );
}

/** A label is text without marks of its own: what hides or reorders is named. */
const plain = (text: string): string =>
  piecesOf(text)
    .map((piece) => (piece.kind === "plain" ? piece.text : pointName(piece.code)))
    .join("");

function fitting(text: string, width: number): string {
  const room = Math.max(1, Math.floor(width / LETTER));
  const letters = [...text];
  return letters.length <= room ? text : `${letters.slice(0, room - 1).join("")}…`;
}
