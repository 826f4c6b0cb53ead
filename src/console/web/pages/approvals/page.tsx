/** What waits for a person, one action to answer it, what was answered, and the exceptions in force. */
import type { JSX } from "react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Rows } from "../../../api/answer.ts";
import type { ApprovalsNow, ExceptionView, HistoryRow } from "../../../api/approvals.ts";
import { Num, When } from "../../parts/figures.tsx";
import { Page, Panel } from "../../parts/page.tsx";
import { RangePicker } from "../../parts/range-picker.tsx";
import { Answered, Empty, FaultPanel, Note } from "../../parts/state.tsx";
import { type Column, Table } from "../../parts/table.tsx";
import { Text } from "../../parts/text.tsx";
import { Chip } from "../../parts/verdict.tsx";
import { useRange } from "../../station/range.ts";
import { useRead } from "../../station/read.ts";
import { useMay, useSend } from "../../station/reader.tsx";
import "./approvals.css";
import { Inbox } from "./inbox.tsx";

export function Approvals(): JSX.Element {
  const { t } = useTranslation(["approvals", "frame"]);
  const now = useRead<ApprovalsNow>("approvals");
  return (
    <Page title={t("frame:page.approvals")} lede={t("lede")} controls={<RangePicker />}>
      <Answered to={now}>
        {({ questions, exceptions, isStationThere, now: serverNow }) => (
          <>
            {exceptions.some(({ kind }) => kind === "break-glass") && <BreakGlass rows={exceptions} />}
            {!isStationThere && <Note tone="warn">{t("noStation")}</Note>}
            <Panel
              title={questions.length === 0 ? t("inboxTitle") : t("inbox", { count: questions.length })}
              note={t("inboxNote")}
            >
              {questions.length === 0 ? (
                <Empty title={t("nothing")}>{t("nothingWhy")}</Empty>
              ) : (
                <Inbox questions={questions} serverNow={serverNow} />
              )}
            </Panel>
            <Panel title={t("exceptions")} note={t("exceptionsNote")} bare>
              <Exceptions rows={exceptions} />
            </Panel>
          </>
        )}
      </Answered>
      <History />
    </Page>
  );
}

/** Somebody alone has lifted a rule: everybody who opens the page sees it first. */
function BreakGlass({ rows }: { readonly rows: readonly ExceptionView[] }): JSX.Element {
  const { t } = useTranslation(["approvals", "frame"]);
  return (
    <div className="break-glass" role="alert">
      {rows
        .filter(({ kind }) => kind === "break-glass")
        .map(({ id, rule, approver, reason, where, expiresAt }) => (
          <p key={id}>
            <strong>{t("breakGlass")}</strong>{" "}
            <code>
              <Text>{rule}</Text>
            </code>{" "}
            <Text>{where}</Text> · {t("by")} <Text>{approver}</Text>: <Text>{reason}</Text> · {t("until")}{" "}
            <When at={expiresAt} form="exact" />
          </p>
        ))}
    </div>
  );
}

function Exceptions({ rows }: { readonly rows: readonly ExceptionView[] }): JSX.Element {
  const { t } = useTranslation(["approvals", "frame"]);
  const mayEnd = useMay("approve");
  const send = useSend();
  const [error, setError] = useState<unknown>(null);
  const columns: readonly Column<ExceptionView>[] = [
    {
      id: "rule",
      title: t("rule"),
      isHead: true,
      cell: ({ rule }) => <Text>{rule}</Text>,
      value: ({ rule }) => rule,
    },
    {
      id: "kind",
      title: t("kind"),
      cell: ({ kind }) => <Chip tone={kind === "break-glass" ? "bad" : "plain"}>{t(`kinds.${kind}`)}</Chip>,
      value: ({ kind }) => kind,
    },
    {
      id: "where",
      title: t("where"),
      cell: ({ where }) => <Text>{where}</Text>,
      value: ({ where }) => where,
    },
    {
      id: "approver",
      title: t("approver"),
      cell: ({ approver }) => <Text>{approver}</Text>,
      value: ({ approver }) => approver,
    },
    {
      id: "reason",
      title: t("reason"),
      grows: true,
      cell: ({ reason }) => <Text>{reason}</Text>,
      value: ({ reason }) => reason,
    },
    {
      id: "expires",
      title: t("until"),
      cell: ({ expiresAt }) => <When at={expiresAt} form="exact" />,
      value: ({ expiresAt }) => expiresAt,
    },
    ...(mayEnd
      ? [
          {
            id: "end",
            title: t("end"),
            cell: ({ id, rule }: ExceptionView) => (
              <button
                type="button"
                className="plain"
                aria-label={t("endOf", { rule })}
                onClick={() => {
                  setError(null);
                  send("POST", "approvals/end", { id }).catch(setError);
                }}
              >
                {t("end")}
              </button>
            ),
          },
        ]
      : []),
  ];
  return (
    <>
      {error !== null && <FaultPanel error={error} />}
      <Table
        caption={t("exceptions")}
        columns={columns}
        rows={rows}
        rowKey={({ id, rule }) => `${id} ${rule}`}
        empty={<Empty title={t("noExceptions")} />}
      />
    </>
  );
}

function becauseText(
  reason: string | null,
  words: Readonly<Record<"deadline" | "ended" | "settled", string>>,
): string {
  if (reason === "deadline") return words.deadline;
  return reason === "session-ended" ? words.ended : words.settled;
}

const TONES: Readonly<Record<HistoryRow["what"], "plain" | "good" | "warn" | "bad" | "accent">> = {
  asked: "accent",
  allowed: "good",
  denied: "bad",
  expired: "warn",
  granted: "good",
  "break-glass": "bad",
  ended: "plain",
};
const SHOWN = 100;

function History(): JSX.Element {
  const { t } = useTranslation(["approvals", "frame"]);
  const { from, to } = useRange();
  const [limit, setLimit] = useState(SHOWN);
  const history = useRead<Rows<HistoryRow>>("approvals/history", { from, to, limit });
  const columns: readonly Column<HistoryRow>[] = [
    {
      id: "at",
      title: t("when"),
      isHead: true,
      cell: ({ at }) => <When at={at} form="exact" />,
      value: ({ at }) => at,
    },
    {
      id: "what",
      title: t("what"),
      cell: ({ what }) => <Chip tone={TONES[what]}>{t(`whats.${what}`)}</Chip>,
      value: ({ what }) => what,
    },
    {
      id: "rules",
      title: t("rule"),
      cell: ({ rules }) => <Text>{rules.join(", ")}</Text>,
      value: ({ rules }) => rules.join(" "),
    },
    {
      id: "classes",
      title: t("classes"),
      cell: ({ classes }) => (
        <span className="row-of">
          {classes.map((name) => (
            <Chip key={name}>{name}</Chip>
          ))}
        </span>
      ),
      value: ({ classes }) => classes.join(" "),
    },
    {
      id: "sentTo",
      title: t("to"),
      cell: ({ sentTo }) => (sentTo === null ? "" : <Text>{sentTo}</Text>),
      value: ({ sentTo }) => sentTo,
    },
    {
      id: "by",
      title: t("byWhom"),
      cell: ({ by, requester }) => <Text>{by ?? requester ?? ""}</Text>,
      value: ({ by, requester }) => by ?? requester,
    },
    {
      id: "reason",
      title: t("reason"),
      grows: true,
      cell: ({ reason, scope, what }) => (
        <>
          {scope !== null && <Chip>{t(`scopes.${scope}`)}</Chip>}{" "}
          {what === "expired" ? (
            becauseText(reason, {
              deadline: t("because.deadline"),
              ended: t("because.ended"),
              settled: t("because.settled"),
            })
          ) : (
            <Text>{reason ?? ""}</Text>
          )}
        </>
      ),
      value: ({ reason }) => reason,
    },
    {
      id: "entry",
      title: t("entry"),
      cell: ({ entry }) => <Num filter={`index=${entry}`}>{entry}</Num>,
      value: ({ entry }) => entry,
      numeric: true,
    },
  ];
  return (
    <Panel title={t("history")} bare>
      <Answered to={history}>
        {({ rows, next }) => (
          <Table
            caption={t("history")}
            columns={columns}
            rows={rows}
            rowKey={({ entry }) => String(entry)}
            isPartial
            pageSize={SHOWN}
            source={{ path: "approvals/history", query: { from, to } }}
            onMore={next === null || limit >= 500 ? undefined : () => setLimit(500)}
            empty={<Empty title={t("noHistory")} />}
          />
        )}
      </Answered>
    </Panel>
  );
}
