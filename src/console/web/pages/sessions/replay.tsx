/** The replay of one session: whether it is whole, what it declares, and its time line. */
import type { JSX } from "react";
import { useTranslation } from "react-i18next";
import { useParams } from "react-router";
import type { Completeness, SessionDetail } from "../../../api/sessions.ts";
import { Copy } from "../../parts/copy-button.tsx";
import { Facts, Figure, Figures } from "../../parts/facts.tsx";
import { Bytes, Duration, Num, When } from "../../parts/figures.tsx";
import { Page, Panel } from "../../parts/page.tsx";
import { Answered, Note } from "../../parts/state.tsx";
import { Text } from "../../parts/text.tsx";
import { Chip } from "../../parts/verdict.tsx";
import { useRead } from "../../station/read.ts";
import { DeclarationPanel } from "./declaration.tsx";
import { Findings, Verdicts } from "./list.tsx";
import { TimeLine } from "./time-line.tsx";

export function Replay(): JSX.Element {
  const { t } = useTranslation(["sessions", "frame"]);
  const { id = "" } = useParams();
  const detail = useRead<SessionDetail>(`sessions/${encodeURIComponent(id)}`);
  return (
    <Page
      title={t("replay.title", { id: id.slice(0, 40) })}
      back={{ to: "/sessions", label: t("frame:page.sessions") }}
      lede={
        detail.data === undefined ? undefined : (
          <span className="row-of">
            <Text>
              {`${detail.data.data.session.agent} ${detail.data.data.session.version ?? ""}`.trim()}
            </Text>
            ·<Text>{detail.data.data.session.workspace}</Text>·
            <When at={detail.data.data.session.startedAt} form="exact" />
          </span>
        )
      }
    >
      <Answered to={detail}>
        {(data) => (
          <>
            <Summary detail={data} />
            <Whole of={data.completeness} />
            <TimeLine id={id} hasEvidence={data.hasEvidence} />
            <DeclarationPanel detail={data} />
          </>
        )}
      </Answered>
    </Page>
  );
}

function Summary({ detail }: { readonly detail: SessionDetail }): JSX.Element {
  const { t } = useTranslation("sessions");
  const { session } = detail;
  const denied = session.verdicts.find(({ name }) => name === "deny")?.count ?? 0;
  return (
    <>
      <Figures>
        <Figure label={t("column.requests")} note={<Verdicts of={session.verdicts} />}>
          <Num filter={session.filter}>{session.requests}</Num>
        </Figure>
        <Figure label={t("column.bytes")} note={t("answers", { count: session.outputTokens })}>
          <Bytes>{session.requestBytes}</Bytes>
        </Figure>
        <Figure label={t("denied")} {...(denied > 0 ? { tone: "deny" as const } : {})}>
          <Num>{denied}</Num>
        </Figure>
        <Figure label={t("column.findings")} note={<Findings of={session.findings} />}>
          <Num>{session.findings.reduce((sum, { count }) => sum + count, 0)}</Num>
        </Figure>
        <Figure label={t("column.files")} note={t("programs", { count: session.programs })}>
          <Num>{session.files}</Num>
        </Figure>
        <Figure label={t("column.duration")}>
          {session.endedAt === null ? (
            t("state.running")
          ) : (
            <Duration ms={session.endedAt - session.startedAt} />
          )}
        </Figure>
      </Figures>
      <Panel>
        <div className="split">
          <Facts
            rows={[
              {
                name: t("choice.principal"),
                value: (
                  <span className="mono">
                    <Text>{session.principal}</Text>
                  </span>
                ),
              },
              { name: t("choice.profile"), value: <Text>{session.profile}</Text> },
              {
                name: t("fact.sandbox"),
                value:
                  session.sandbox === "none" ? (
                    <Chip tone="bad">{t("fact.noSandbox")}</Chip>
                  ) : (
                    <Text>{session.sandbox}</Text>
                  ),
              },
            ]}
          />
          <Facts
            rows={[
              {
                name: t("fact.standing"),
                value:
                  session.standing === null ? (
                    t("fact.unknown")
                  ) : (
                    <Chip tone={session.standing === "approved" ? "good" : "warn"}>{session.standing}</Chip>
                  ),
              },
              session.build === null
                ? null
                : {
                    name: t("fact.build"),
                    value: (
                      <span className="with-copy">
                        <span className="mono">
                          <Text shown={40}>{session.build}</Text>
                        </span>
                        <Copy text={session.build} />
                      </span>
                    ),
                  },
              session.gaps.length === 0
                ? null
                : {
                    name: t("fact.gaps"),
                    value: (
                      <span className="row-of">
                        {session.gaps.map((gap) => (
                          <Chip key={gap} tone="bad">
                            {gap}
                          </Chip>
                        ))}
                      </span>
                    ),
                  },
              {
                name: t("fact.end"),
                value: (
                  <Text>
                    {session.ended === null
                      ? "–"
                      : `${session.ended}${session.exitCode === null ? "" : `, ${session.exitCode}`}`}
                  </Text>
                ),
              },
            ]}
          />
        </div>
      </Panel>
    </>
  );
}

/** Whether the time line shows all there was to show. */
function Whole({ of }: { readonly of: Completeness }): JSX.Element {
  const { t } = useTranslation("sessions");
  if (of.isWhole)
    return (
      <Note tone="good">{t("whole.yes", { count: of.entries, shown: of.shown, signed: of.signed })}</Note>
    );
  const gaps = [
    of.shown !== of.entries && t("whole.shown", { shown: of.shown, entries: of.entries }),
    of.signed < of.entries && t("whole.signed", { count: of.entries - of.signed }),
    of.withoutOutcome.length > 0 && t("whole.outcome", { count: of.withoutOutcome.length }),
    of.missingExchanges.length > 0 &&
      t("whole.exchanges", { numbers: of.missingExchanges.slice(0, 20).join(", ") }),
    of.missingCommands.length > 0 &&
      t("whole.commands", { numbers: of.missingCommands.slice(0, 20).join(", ") }),
    of.recorder !== "recorded" && t(`whole.recorder.${of.recorder}`),
    !of.hasEnd && t("whole.end"),
  ].filter((gap) => gap !== false);
  return (
    <Note tone="warn">
      <strong>{t("whole.no")}</strong>
      <ul className="plain-list">
        {gaps.map((gap) => (
          <li key={gap}>{gap}</li>
        ))}
      </ul>
    </Note>
  );
}
