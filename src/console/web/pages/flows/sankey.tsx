/**
 * The diagram: what went from where to whom, each ribbon in the colour of its verdict. What was denied is drawn hollow on its
 * way to the destination, since nothing of it went. Arrow keys move between nodes, Enter narrows to one.
 */
import { type JSX, type KeyboardEvent, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { FlowLink, FlowNode, Flows } from "../../../api/flows.ts";
import { bytesText, numberText } from "../../parts/figures.tsx";
import { plainText } from "../../parts/points.ts";
import { useWidth } from "../../parts/room.ts";
import { isVerdict, type VerdictName } from "../../parts/verdict.tsx";
import { useFlowNames } from "./names.ts";
import { COLUMNS, type Layout, layOut, type Measure, type Place } from "./sankey-layout.ts";

/** Narrower than this, the diagram runs from the top down. */
const UPRIGHT_BELOW = 620;

const shorten = (text: string, room: number): string =>
  text.length <= room ? text : `${text.slice(0, Math.max(1, room - 1))}…`;

export interface SankeyProps {
  readonly flows: Flows;
  readonly measure: Measure;
  readonly onChoose: (nodes: readonly FlowNode[]) => void;
}

export function Sankey({ flows, measure, onChoose }: SankeyProps): JSX.Element {
  const { t } = useTranslation("flows");
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  const isUpright = width < UPRIGHT_BELOW;
  const [lit, setLit] = useState<FlowNode | FlowLink | null>(null);
  const layout = useMemo(() => {
    const most = Math.max(
      1,
      ...COLUMNS.map((column) => flows.nodes.filter((node) => node.column === column).length),
    );
    const height = isUpright ? 640 : Math.min(680, Math.max(300, most * 40));
    return layOut(
      flows.nodes,
      flows.links,
      measure,
      { width: Math.max(width - (isUpright ? 0 : 4), 200), height },
      isUpright,
    );
  }, [flows, measure, width, isUpright]);
  return (
    <div className="sankey" ref={box}>
      {width > 0 && (
        <Drawing
          layout={layout}
          measure={measure}
          isUpright={isUpright}
          lit={lit}
          onLit={setLit}
          onChoose={onChoose}
        />
      )}
      <p className="sankey-told" aria-live="polite">
        {lit === null ? (
          <span className="faint">{t("diagram.how")}</span>
        ) : (
          <Told of={lit} nodes={flows.nodes} />
        )}
      </p>
    </div>
  );
}

const isLink = (of: FlowNode | FlowLink): of is FlowLink => "source" in of;

function Told({
  of,
  nodes,
}: {
  readonly of: FlowNode | FlowLink;
  readonly nodes: readonly FlowNode[];
}): JSX.Element {
  const { t, i18n } = useTranslation("flows");
  const { nodeName } = useFlowNames();
  const named = (id: string): string => {
    const node = nodes.find((one) => one.id === id);
    return node === undefined ? "" : nodeName(node);
  };
  const what = isLink(of) ? `${named(of.source)} → ${named(of.target)}` : nodeName(of);
  return (
    <>
      <strong>{plainText(what)}</strong>
      {isLink(of) && of.verdict !== undefined && <span>{t(`frame:verdict.${verdictOf(of.verdict)}`)}</span>}
      <span className="figures">
        {t("requests", { count: of.requests, shown: numberText(of.requests, i18n.language) })}
      </span>
      <span className="figures">{bytesText(of.bytes, i18n.language)}</span>
    </>
  );
}

const verdictOf = (text: string): VerdictName => (isVerdict(text) ? text : "allow");

interface DrawingProps {
  readonly layout: Layout;
  readonly measure: Measure;
  readonly isUpright: boolean;
  readonly lit: FlowNode | FlowLink | null;
  readonly onLit: (of: FlowNode | FlowLink | null) => void;
  readonly onChoose: (nodes: readonly FlowNode[]) => void;
}

/** Whether a ribbon is part of what is looked at. */
function isOf(link: FlowLink, lit: FlowNode | FlowLink | null): boolean {
  if (lit === null) return true;
  return isLink(lit) ? link === lit : link.source === lit.id || link.target === lit.id;
}

function Drawing({ layout, isUpright, lit, onLit, onChoose }: DrawingProps): JSX.Element {
  const { t } = useTranslation("flows");
  const [focused, setFocused] = useState<string | null>(null);
  const svg = useRef<SVGSVGElement>(null);
  const nodes = layout.places.map(({ node }) => node);
  const first = layout.places.find((place) => place.node.column === "workspace")?.node.id ?? null;
  const current = nodes.some(({ id }) => id === focused) ? focused : first;
  const head = isUpright ? 0 : 22;
  const onKey = (event: KeyboardEvent, at: Place): void => {
    const next = neighbour(layout.places, at, event.key, isUpright);
    if (next !== null) {
      event.preventDefault();
      setFocused(next.node.id);
      svg.current?.querySelector<SVGGElement>(`[data-node="${CSS.escape(next.node.id)}"]`)?.focus();
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      onChoose([at.node]);
    }
  };
  return (
    <svg
      ref={svg}
      viewBox={`0 ${-head} ${layout.width} ${layout.height + head + 4}`}
      width={layout.width}
      height={layout.height + head + 4}
      role="group"
      aria-label={t("diagram.label")}
      onPointerLeave={() => onLit(null)}
    >
      {!isUpright && <Heads layout={layout} />}
      <g className="ribbons">
        {layout.ribbons.map(({ link, path, width }) => {
          const isHollow = link.verdict === "deny" && link.source.startsWith("verdict:");
          const isShadow = link.verdict === "deny" && link.source.startsWith("destination:");
          return (
            // The same can be done at the nodes, which keys reach, and in the table.
            // biome-ignore lint/a11y/noStaticElementInteractions: hidden from assistive technology, as above
            <path
              key={`${link.source} ${link.target} ${link.verdict ?? ""}`}
              d={path}
              className="ribbon"
              data-verdict={link.verdict}
              data-hollow={isHollow || isShadow || undefined}
              data-dim={!isOf(link, lit) || undefined}
              strokeWidth={width}
              onPointerEnter={() => onLit(link)}
              onClick={() => onChoose(nodes.filter(({ id }) => id === link.source || id === link.target))}
            />
          );
        })}
      </g>
      {layout.places.map((place) => (
        <Node
          key={place.node.id}
          place={place}
          isUpright={isUpright}
          isCurrent={place.node.id === current}
          onLit={onLit}
          onChoose={onChoose}
          onKey={onKey}
          onFocus={() => setFocused(place.node.id)}
        />
      ))}
      <Labels layout={layout} isUpright={isUpright} />
    </svg>
  );
}

/** The names that can be seen. They are in the nodes' own names too, so nobody hears them twice. */
function Labels({
  layout,
  isUpright,
}: {
  readonly layout: Layout;
  readonly isUpright: boolean;
}): JSX.Element {
  const { nodeName } = useFlowNames();
  return (
    // biome-ignore lint/a11y/noAriaHiddenOnFocusable: nothing in it takes the focus
    <g className="node-labels" aria-hidden="true">
      {layout.places.map((place) => {
        const name = plainText(nodeName(place.node));
        return isUpright ? (
          <UprightLabel key={place.node.id} place={place} name={name} />
        ) : (
          <SideLabel key={place.node.id} place={place} layout={layout} name={name} />
        );
      })}
    </g>
  );
}

function Heads({ layout }: { readonly layout: Layout }): JSX.Element {
  const { t } = useTranslation("flows");
  return (
    <g className="sankey-heads">
      {COLUMNS.map((column, at) => (
        <text key={column} x={layout.columns[at] ?? 0} y={-8}>
          {t(`column.${column}`)}
        </text>
      ))}
    </g>
  );
}

/** The node that an arrow key leads to; null for other keys. */
function neighbour(places: readonly Place[], at: Place, key: string, isUpright: boolean): Place | null {
  const steps: Readonly<Record<string, readonly [number, number]>> = isUpright
    ? { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }
    : { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const step = steps[key];
  if (step === undefined) return null;
  const middle = (place: Place): number =>
    isUpright ? place.x + place.width / 2 : place.y + place.height / 2;
  const [columns, within] = step;
  const column = COLUMNS[COLUMNS.indexOf(at.node.column) + columns];
  const others = places.filter((place) => place.node.column === column).sort((a, b) => middle(a) - middle(b));
  if (columns === 0) return others[others.indexOf(at) + within] ?? at;
  const near = (place: Place): number => Math.abs(middle(place) - middle(at));
  return others.reduce((best, place) => (near(place) < near(best) ? place : best), others[0] ?? at);
}

interface NodeProps {
  readonly place: Place;
  readonly isUpright: boolean;
  readonly isCurrent: boolean;
  readonly onLit: (of: FlowNode | null) => void;
  readonly onChoose: (nodes: readonly FlowNode[]) => void;
  readonly onKey: (event: KeyboardEvent, at: Place) => void;
  readonly onFocus: () => void;
}

function Node({ place, isUpright, isCurrent, onLit, onChoose, onKey, onFocus }: NodeProps): JSX.Element {
  const { t, i18n } = useTranslation("flows");
  const { nodeName } = useFlowNames();
  const { node, x, y, width, height } = place;
  const name = plainText(nodeName(node));
  // The name beside the bar belongs to it for a pointer, and is drawn apart: see Labels.
  const reach = isUpright ? 8 : Math.min(110, 16 + LETTER * name.length);
  const label = `${t(`column.${node.column}`)}: ${name}, ${t("requests", { count: node.requests, shown: numberText(node.requests, i18n.language) })}, ${bytesText(node.bytes, i18n.language)}`;
  return (
    // An SVG group cannot be a button element.
    <g
      className="node"
      data-node={node.id}
      data-column={node.column}
      data-verdict={node.column === "verdict" ? node.name : undefined}
      data-rest={node.name === null || undefined}
      role="button"
      tabIndex={isCurrent ? 0 : -1}
      aria-label={label}
      onPointerEnter={() => onLit(node)}
      onFocus={() => {
        onFocus();
        onLit(node);
      }}
      onBlur={() => onLit(null)}
      onClick={() => onChoose([node])}
      onKeyDown={(event) => onKey(event, place)}
    >
      <rect className="node-hit" x={x - 4} y={y - 4} width={width + reach} height={height + 8} />
      <rect className="node-bar" x={x} y={y} width={width} height={height} rx={1.5} />
    </g>
  );
}

const LETTER = 6.7;

function SideLabel({
  place,
  layout,
  name,
}: {
  readonly place: Place;
  readonly layout: Layout;
  readonly name: string;
}): JSX.Element {
  const { i18n } = useTranslation();
  const { node, x, y, width, height } = place;
  const pitch = (layout.columns[1] ?? 0) - (layout.columns[0] ?? 0);
  const room = Math.floor((node.column === "jurisdiction" ? 98 : pitch - 30) / LETTER);
  const at = x + width + 7;
  const isTall = height >= 30;
  const middle = y + height / 2;
  return (
    <>
      <text
        className="node-name"
        data-rest={place.node.name === null || undefined}
        x={at}
        y={isTall ? middle - 2 : middle + 4}
      >
        {shorten(name, room)}
      </text>
      {isTall && (
        <text className="node-count" x={at} y={middle + 13}>
          {numberText(node.requests, i18n.language)} · {bytesText(node.bytes, i18n.language)}
        </text>
      )}
    </>
  );
}

function UprightLabel({ place, name }: { readonly place: Place; readonly name: string }): JSX.Element | null {
  const { x, y, width, height } = place;
  const room = Math.floor(width / LETTER);
  if (room < 4) return null;
  return (
    <text
      className="node-name"
      data-rest={place.node.name === null || undefined}
      x={x + 1}
      y={y + height + 13}
    >
      {shorten(name, room)}
    </text>
  );
}
