/** A vetting report: what differed between environments, code point by code point, and what else the build did. */
import type { JSX } from "react";
import { useTranslation } from "react-i18next";
import type { FindingView, ReportDetail } from "../../../api/agents.ts";
import { Command } from "../../parts/copy-button.tsx";
import { Diff } from "../../parts/diff.tsx";
import { Facts, Figure, Figures } from "../../parts/facts.tsx";
import { Num, When } from "../../parts/figures.tsx";
import { Page, Panel } from "../../parts/page.tsx";
import { Answered, Empty, Note } from "../../parts/state.tsx";
import { type Column, Table } from "../../parts/table.tsx";
import { Text } from "../../parts/text.tsx";
import { Chip } from "../../parts/verdict.tsx";
import { useRead } from "../../station/read.ts";

export function ReportView({ sha256 }: { readonly sha256: string }): JSX.Element {
  const { t } = useTranslation(["agents", "frame"]);
  const report = useRead<ReportDetail>("agents/report", { sha256 }, { still: true });
  return (
    <Page
      title={t("reportTitle")}
      lede={t("reportLede")}
      back={{ to: "/agents", label: t("frame:page.agents") }}
    >
      <Answered to={report}>{(detail) => <Detail detail={detail} />}</Answered>
    </Page>
  );
}

function Detail({ detail }: { readonly detail: ReportDetail }): JSX.Element {
  const { t } = useTranslation(["agents", "frame"]);
  const { row, findings } = detail;
  const grave = findings.filter(({ isHidden, kind }) => isHidden || kind === "canary");
  const others = findings.filter((finding) => !grave.includes(finding));
  return (
    <>
      <Panel>
        <Facts
          rows={[
            { name: t("agent"), value: <Text>{`${row.agent} ${row.build}`}</Text> },
            { name: t("executable"), value: <code className="wrap">{detail.executable}</code> },
            { name: t("when"), value: <When at={row.at} /> },
          ]}
        />
      </Panel>
      <Figures>
        <Figure
          label={t("hidden")}
          {...(row.hidden > 0 ? { tone: "deny" as const } : { tone: "allow" as const })}
        >
          <Num>{row.hidden}</Num>
        </Figure>
        <Figure
          label={t("canaries")}
          {...(row.canaries > 0 ? { tone: "deny" as const } : { tone: "allow" as const })}
        >
          <Num>{row.canaries}</Num>
        </Figure>
        <Figure label={t("visible")}>
          <Num>{row.visible}</Num>
        </Figure>
        <Figure label={t("explained")}>
          <Num>{row.explained}</Num>
        </Figure>
        <Figure label={t("runs")} note={t("took", { count: detail.tookSeconds })}>
          <Num>{row.runs}</Num>
        </Figure>
      </Figures>
      <Panel title={t("graveTitle")} note={t("graveNote")}>
        {grave.length === 0 ? (
          <Note tone="good">{t("noneHidden")}</Note>
        ) : (
          <div className="findings">
            {grave.map((finding, at) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: findings have no other name, and never move
              <Finding key={at} finding={finding} />
            ))}
          </div>
        )}
      </Panel>
      {others.length > 0 && (
        <Panel title={t("visible")}>
          <div className="findings">
            {others.map((finding, at) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: as above
              <Finding key={at} finding={finding} />
            ))}
          </div>
        </Panel>
      )}
      <Panel title={t("hosts")} bare>
        <Hosts rows={detail.hosts} />
      </Panel>
      <Panel title={t("rest")}>
        <Facts
          rows={[
            list(t("names"), detail.names),
            list(t("written"), detail.written),
            list(t("persistence"), detail.persistence),
            list(t("leftRunning"), detail.left),
            list(t("installScripts"), detail.installScripts),
            list(
              t("switches"),
              detail.switches.map(
                ({ setting, stops, starts }) =>
                  `${setting}: ${t("stops")} ${stops.join(", ") || t("nothing")}${starts.length === 0 ? "" : ` · ${t("starts")} ${starts.join(", ")}`}`,
              ),
            ),
            list(
              t("explained"),
              detail.explained.map(
                ({ factor, levels, explanation }) => `${factor} (${levels.join(", ")}): ${explanation}`,
              ),
            ),
            list(
              t("varied"),
              detail.varied.map(
                ({ factor, baseline, levels }) => `${factor}: ${baseline} ↔ ${levels.join(", ")}`,
              ),
            ),
            list(t("notVaried"), detail.notVaried),
            list(t("notObserved"), detail.notObserved),
          ]}
        />
      </Panel>
    </>
  );
}

const list = (
  name: string,
  items: readonly string[],
): { readonly name: string; readonly value: JSX.Element } | null =>
  items.length === 0
    ? null
    : {
        name,
        value: (
          <ul className="plain-list">
            {items.map((item) => (
              <li key={item}>
                <Text>{item}</Text>
              </li>
            ))}
          </ul>
        ),
      };

function Finding({ finding }: { readonly finding: FindingView }): JSX.Element {
  const { t } = useTranslation(["agents", "frame"]);
  const { kind, isHidden, factor, baseline, levels, meaning, where, places, bytes, codePoints, context } =
    finding;
  const isGrave = isHidden || kind === "canary";
  return (
    <article className="finding" data-grave={isGrave || undefined}>
      <header className="row-of">
        <Chip tone={isGrave ? "bad" : "plain"}>{kind}</Chip>
        <strong>
          <Text>{factor}</Text>
        </strong>
        <span>
          <Text>{baseline}</Text> ↔ <Text>{levels.join(", ")}</Text>
        </span>
      </header>
      <p>
        <Text>{meaning}</Text>
      </p>
      {codePoints.a.length + codePoints.b.length > 0 && (
        <p className="code-points">
          <CodePoints of={codePoints.a} none={t("nothing")} />
          <span className="unseen">{t("became")}</span>
          <span aria-hidden="true">→</span>
          <CodePoints of={codePoints.b} none={t("nothing")} />
          <span className="faint mono">
            {bytes.a ?? ""} → {bytes.b ?? ""}
          </span>
        </p>
      )}
      {(context.a ?? context.b) !== null && (
        <Diff before={context.a ?? ""} after={context.b ?? ""} label={t("diffOf", { factor })} />
      )}
      <Facts
        rows={[
          { name: t("whereFound"), value: <Text>{places > 1 ? `${where} (+${places - 1})` : where}</Text> },
          {
            name: t("repeated"),
            value: t("repeatedOf", { repeats: finding.repeats, controls: finding.controls }),
          },
          { name: t("smallest"), value: <Text>{finding.smallest}</Text> },
          finding.changes.length === 0
            ? null
            : {
                name: t("changes"),
                value: (
                  <ul className="plain-list">
                    {finding.changes.slice(0, 20).map((change, at) => (
                      // biome-ignore lint/suspicious/noArrayIndexKey: changes have no other name, and never move
                      <li key={at}>
                        <Text>{`${change.where}: ${change.a ?? "–"} → ${change.b ?? "–"}`}</Text>
                      </li>
                    ))}
                  </ul>
                ),
              },
        ]}
      />
      <Command>{finding.reproduce}</Command>
    </article>
  );
}

function CodePoints({ of, none }: { readonly of: readonly string[]; readonly none: string }): JSX.Element {
  if (of.length === 0) return <span className="faint">{none}</span>;
  return (
    <span className="row-of">
      {of.map((point, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the same point may come twice
        <span key={at} className="point">
          {point}
        </span>
      ))}
    </span>
  );
}

function Hosts({ rows }: { readonly rows: ReportDetail["hosts"] }): JSX.Element {
  const { t } = useTranslation(["agents", "frame"]);
  const columns: readonly Column<ReportDetail["hosts"][number]>[] = [
    {
      id: "host",
      title: t("host"),
      isHead: true,
      cell: ({ host }) => <Text>{host}</Text>,
      value: ({ host }) => host,
    },
    {
      id: "requests",
      title: t("requests"),
      cell: ({ requests }) => <Num>{requests}</Num>,
      value: ({ requests }) => requests,
      numeric: true,
    },
    {
      id: "refused",
      title: t("tlsRefused"),
      cell: ({ refused }) => (refused ? t("yes") : "–"),
      value: ({ refused }) => (refused ? 1 : 0),
    },
  ];
  return (
    <Table
      caption={t("hosts")}
      columns={columns}
      rows={rows}
      rowKey={({ host }) => host}
      empty={<Empty title={t("nothing")} />}
    />
  );
}
