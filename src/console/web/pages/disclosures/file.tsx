/** One file: which of its lines left, of which version, to whom, and by which requests. */
import type { JSX } from "react";
import { useTranslation } from "react-i18next";
import { Link, useSearchParams } from "react-router";
import type { FileDetail, FileExchange, FileVersion } from "../../../api/disclosures.ts";
import { entriesAt, Num, When } from "../../parts/figures.tsx";
import { Page, Panel } from "../../parts/page.tsx";
import { RangePicker } from "../../parts/range-picker.tsx";
import { Answered, Note } from "../../parts/state.tsx";
import { type Column, Table } from "../../parts/table.tsx";
import { Text } from "../../parts/text.tsx";
import { Chip } from "../../parts/verdict.tsx";
import { useRange } from "../../station/range.ts";
import { useRead } from "../../station/read.ts";
import { percentText } from "./share.tsx";

type Ranges = readonly (readonly [number, number])[];

export function FileView({
  workspace,
  path,
}: {
  readonly workspace: string;
  readonly path: string;
}): JSX.Element {
  const { t } = useTranslation(["disclosures", "frame"]);
  const { from, to } = useRange();
  const [search] = useSearchParams();
  const detail = useRead<FileDetail>("disclosures/file", { workspace, path, from, to });
  const back = new URLSearchParams(search);
  back.delete("file");
  return (
    <Page
      title={t("fileTitle")}
      lede={
        <code>
          <Text>{`${workspace}/${path}`}</Text>
        </code>
      }
      back={{ to: `?${back}`, label: t("backTo") }}
      controls={<RangePicker />}
    >
      <Answered to={detail}>
        {({ versions, exchanges, exchangesShown }) => (
          <>
            {versions.length > 1 && <Note>{t("manyVersions", { count: versions.length })}</Note>}
            {versions.map((version) => (
              <Version key={version.sha256} version={version} />
            ))}
            <Panel title={t("requests")} note={t("requestsNote", { count: exchangesShown })} bare>
              <Requests rows={exchanges} />
            </Panel>
          </>
        )}
      </Answered>
    </Page>
  );
}

function Version({ version }: { readonly version: FileVersion }): JSX.Element {
  const { t, i18n } = useTranslation(["disclosures", "frame"]);
  const { sha256, of, lines, ranges, first, last, recipients } = version;
  return (
    <Panel
      title={
        <>
          {t("version")} <code>{sha256.slice(0, 12)}</code>
        </>
      }
      note={
        <>
          <When at={first} /> – <When at={last} />
        </>
      }
      controls={
        <Chip
          tone={lines === of ? "bad" : "warn"}
        >{`${percentText(lines / of, i18n.language)} · ${lines}/${of}`}</Chip>
      }
    >
      <Strip name={t("everybody")} of={of} lines={lines} ranges={ranges} />
      {recipients.map((recipient) => (
        <Strip
          key={recipient.destination}
          name={recipient.destination}
          of={of}
          lines={recipient.lines}
          ranges={recipient.ranges}
        />
      ))}
    </Panel>
  );
}

/** The file from its first line to its last; what left stands out, and is told in figures beneath. */
function Strip({
  name,
  of,
  lines,
  ranges,
}: {
  readonly name: string;
  readonly of: number;
  readonly lines: number;
  readonly ranges: Ranges;
}): JSX.Element {
  const { t } = useTranslation(["disclosures", "frame"]);
  const told = rangesText(ranges);
  return (
    <div className="strip">
      <span className="strip-name">
        <Text>{name}</Text>
      </span>
      <svg
        viewBox={`0 0 ${of} 1`}
        preserveAspectRatio="none"
        role="img"
        aria-label={t("stripLabel", { name, lines, of })}
      >
        <rect className="strip-ground" x={0} y={0} width={of} height={1} />
        {ranges.map(([first, last]) => (
          <rect key={first} className="strip-left" x={first - 1} y={0} width={last - first + 1} height={1} />
        ))}
      </svg>
      <span className="strip-lines mono">
        <Text shown={160}>{told}</Text>
      </span>
    </div>
  );
}

const rangesText = (ranges: Ranges): string =>
  ranges.map(([first, last]) => (first === last ? String(first) : `${first}–${last}`)).join(", ");

function Requests({ rows }: { readonly rows: readonly FileExchange[] }): JSX.Element {
  const { t } = useTranslation(["disclosures", "frame"]);
  const columns: readonly Column<FileExchange>[] = [
    {
      id: "at",
      title: t("when"),
      isHead: true,
      cell: ({ at }) => <When at={at} form="exact" />,
      value: ({ at }) => at,
    },
    {
      id: "session",
      title: t("session"),
      cell: ({ session }) => (
        <Link to={`/sessions/${session}`}>
          <code>{session}</code>
        </Link>
      ),
      value: ({ session }) => session,
    },
    {
      id: "destination",
      title: t("recipient"),
      cell: ({ destination, stoodIn }) => (
        <>
          <Text>{destination}</Text>
          {stoodIn !== null && (
            <span className="second">
              <Chip tone="warn">{t("stoodIn", { origin: stoodIn })}</Chip>
            </span>
          )}
        </>
      ),
      value: ({ destination }) => destination,
    },
    {
      id: "lines",
      title: t("lines"),
      cell: ({ lines }) => <Num>{lines}</Num>,
      value: ({ lines }) => lines,
      numeric: true,
    },
    {
      id: "ranges",
      title: t("whichLines"),
      cell: ({ ranges }) => <Text shown={80}>{rangesText(ranges)}</Text>,
      value: ({ ranges }) => rangesText(ranges),
    },
    {
      id: "version",
      title: t("version"),
      cell: ({ sha256 }) => <code>{sha256.slice(0, 12)}</code>,
      value: ({ sha256 }) => sha256,
    },
    {
      id: "entry",
      title: t("entry"),
      cell: ({ entry }) => (
        <Link className="figures" to={entriesAt(`index=${entry}`)}>
          {entry}
        </Link>
      ),
      value: ({ entry }) => entry,
      numeric: true,
    },
  ];
  return (
    <Table caption={t("requests")} columns={columns} rows={rows} rowKey={({ entry }) => String(entry)} />
  );
}
