/** The entries themselves, by a filter, with the command that shows the same in a terminal. */
import { type JSX, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useSearchParams } from "react-router";
import type { Rows } from "../../../api/answer.ts";
import type { Entry, FilterField } from "../../../api/ledger.ts";
import { Icon } from "../../frame/icons.tsx";
import { Command } from "../../parts/copy-button.tsx";
import { When } from "../../parts/figures.tsx";
import { Panel } from "../../parts/page.tsx";
import { Answered, Empty } from "../../parts/state.tsx";
import { Table } from "../../parts/table.tsx";
import { Text } from "../../parts/text.tsx";
import { Chip, Verdict } from "../../parts/verdict.tsx";
import { useRead } from "../../station/read.ts";

const AT_ONCE = 100;
const MOST = 500;

/** As a shell takes it, whatever is in it. */
export const shellQuoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

export function Entries(): JSX.Element {
  const { t } = useTranslation("ledger");
  const [search, setSearch] = useSearchParams();
  const filter = search.get("filter") ?? "";
  const [limit, setLimit] = useState(AT_ONCE);
  const entries = useRead<Rows<Entry>>("ledger/entries", { filter, limit });
  const [chosen, setChosen] = useState<Entry | null>(null);
  const choose = (text: string): void => {
    setChosen(null);
    setSearch(text === "" ? {} : { filter: text });
  };
  return (
    <>
      <FilterBar filter={filter} onFilter={choose} />
      <Command>{filter === "" ? "sallyport query ''" : `sallyport query ${shellQuoted(filter)}`}</Command>
      {chosen !== null && <EntryPanel entry={chosen} onClose={() => setChosen(null)} />}
      <Panel bare>
        <Answered
          to={entries}
          isEmpty={({ rows }) => rows.length === 0}
          empty={<Empty title={t("entries.none")} />}
        >
          {({ rows, next, total }) => (
            <Table
              caption={t("tabs.entries")}
              rows={rows}
              rowKey={(row) => String(row.index)}
              isPartial
              source={{ path: "ledger/entries", query: { filter } }}
              onMore={next !== null && limit < MOST ? () => setLimit(MOST) : undefined}
              foot={total === null ? undefined : t("entries.total", { count: total })}
              columns={[
                {
                  id: "index",
                  title: t("entries.index"),
                  isHead: true,
                  value: (row) => row.index,
                  cell: (row) => (
                    <button
                      type="button"
                      className="more figures"
                      onClick={() => setChosen(row)}
                      aria-label={t("entries.open", { index: row.index })}
                    >
                      {row.index}
                    </button>
                  ),
                },
                {
                  id: "at",
                  title: t("entries.at"),
                  value: (row) => new Date(row.at).toISOString(),
                  cell: (row) => <When at={row.at} form="exact" />,
                },
                {
                  id: "kind",
                  title: t("kinds.kind"),
                  value: (row) => row.kind,
                  cell: (row) => (
                    <span className="mono">
                      <Text>{row.kind}</Text>
                    </span>
                  ),
                },
                {
                  id: "session",
                  title: t("entries.session"),
                  value: (row) => row.session,
                  cell: (row) =>
                    row.session === null ? "–" : <SessionLink session={row.session} index={row.index} />,
                },
                {
                  id: "what",
                  title: t("entries.what"),
                  grows: true,
                  value: (row) => JSON.stringify(row.event),
                  cell: (row) => <Gist event={row.event} />,
                },
                {
                  id: "signed",
                  title: t("entries.signed"),
                  value: (row) => row.signed,
                  cell: (row) =>
                    row.signed ? (
                      <Chip tone="good">{t("entries.yes")}</Chip>
                    ) : (
                      <Chip tone="warn">{t("entries.no")}</Chip>
                    ),
                },
              ]}
            />
          )}
        </Answered>
      </Panel>
    </>
  );
}

function SessionLink({ session, index }: { readonly session: string; readonly index: number }): JSX.Element {
  return (
    <Link className="mono" to={`/sessions/${encodeURIComponent(session)}?at=${index}`}>
      <Text isCut>{session}</Text>
    </Link>
  );
}

const GIST = [
  "host",
  "path",
  "agent",
  "workspace",
  "rule",
  "reason",
  "model",
  "status",
  "fault",
  "program",
  "principal",
];

/** The few fields that tell entries of a kind apart. */
function Gist({ event }: { readonly event: Entry["event"] }): JSX.Element {
  const told = GIST.flatMap((name) => {
    const value = event[name];
    return typeof value === "string" || typeof value === "number" ? [String(value)] : [];
  });
  const { verdict } = event;
  return (
    <span className="row-of">
      {typeof verdict === "string" && <Verdict of={verdict} />}
      <Text shown={120}>{told.join(" · ")}</Text>
    </span>
  );
}

function EntryPanel({
  entry,
  onClose,
}: {
  readonly entry: Entry;
  readonly onClose: () => void;
}): JSX.Element {
  const { t } = useTranslation(["ledger", "frame"]);
  return (
    <Panel
      title={t("entries.one", { index: entry.index })}
      note={<span className="mono fine">{t("entries.leaf", { hash: entry.leafHash })}</span>}
      controls={
        <button type="button" className="quiet" aria-label={t("frame:close")} onClick={onClose}>
          <Icon name="close" />
        </button>
      }
    >
      <div className="stack">
        <Text block>{JSON.stringify(entry.event, null, 2)}</Text>
        <Command>{`sallyport ledger receipt ${entry.index}`}</Command>
      </div>
    </Panel>
  );
}

function FilterBar({
  filter,
  onFilter,
}: {
  readonly filter: string;
  readonly onFilter: (text: string) => void;
}): JSX.Element {
  const { t } = useTranslation("ledger");
  const [text, setText] = useState(filter);
  useEffect(() => setText(filter), [filter]);
  const fields = useRead<readonly FilterField[]>("ledger/fields", {}, { still: true });
  return (
    <form
      className="filter-bar"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        onFilter(text.trim());
      }}
    >
      <label htmlFor="ledger-filter">{t("filter.title")}</label>
      <div className="filter-line">
        <input
          id="ledger-filter"
          type="search"
          className="mono"
          value={text}
          onChange={(event) => setText(event.target.value)}
          placeholder="kind=exchange.judged verdict=deny at>=2026-11-01"
          spellCheck={false}
          autoComplete="off"
        />
        <button type="submit" className="strong">
          {t("filter.show")}
        </button>
      </div>
      <details>
        <summary>{t("filter.help")}</summary>
        <dl className="filter-help">
          {(fields.data?.data ?? []).map((field) => (
            <div key={field.name}>
              <dt className="mono">
                {field.name} <span className="faint">{field.operators.join(" ")}</span>
              </dt>
              <dd className="row-of">
                {field.values.slice(0, 12).map((value) => (
                  <button
                    type="button"
                    key={value}
                    className="chip chip-button"
                    onClick={() =>
                      onFilter(
                        `${text.trim()} ${field.name}=${/[\s,"]/.test(value) ? `"${value}"` : value}`.trim(),
                      )
                    }
                  >
                    <Text isCut shown={60}>
                      {value}
                    </Text>
                  </button>
                ))}
                {field.values.length === 0 && <span className="faint">{t(`filter.kind.${field.kind}`)}</span>}
              </dd>
            </div>
          ))}
        </dl>
      </details>
    </form>
  );
}
