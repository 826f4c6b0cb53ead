/**
 * The questions, and the one that is looked at. Keys: `j` and `k` go through them, `d` denies at once, as nothing leaves by
 * it; `a` opens the answer, which Enter gives: a key pressed by mistake must not let anything out.
 */
import { type JSX, useCallback, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { AnswerRequest, QuestionView } from "../../../api/approvals.ts";
import { recall } from "../../frame/preferences.ts";
import { durationText } from "../../parts/figures.tsx";
import { FaultPanel } from "../../parts/state.tsx";
import { Text } from "../../parts/text.tsx";
import { Chip } from "../../parts/verdict.tsx";
import { useSend } from "../../station/reader.tsx";
import { AllowDialog } from "./allow-dialog.tsx";
import { Question } from "./question.tsx";

const SECOND_MS = 1_000;

export function Inbox({
  questions,
  serverNow,
}: {
  readonly questions: readonly QuestionView[];
  readonly serverNow: number;
}): JSX.Element {
  const { t, i18n } = useTranslation(["approvals", "frame"]);
  const now = useNow(serverNow);
  const send = useSend();
  const [chosen, setChosen] = useState<string | null>(null);
  const [asking, setAsking] = useState<QuestionView | null>(null);
  const [error, setError] = useState<unknown>(null);
  const at = Math.max(
    0,
    questions.findIndex(({ id }) => id === chosen),
  );
  const question = questions[at];
  const answer = useCallback(
    async (given: AnswerRequest): Promise<void> => {
      await send("POST", "approvals/answer", given);
    },
    [send],
  );
  const deny = useCallback(
    (one: QuestionView): void => {
      setError(null);
      answer({ id: one.id, verdict: "deny", scope: "once", forMs: null, reason: "" }).catch(setError);
    },
    [answer],
  );
  useKeys({
    j: () => setChosen(questions[Math.min(at + 1, questions.length - 1)]?.id ?? null),
    k: () => setChosen(questions[Math.max(at - 1, 0)]?.id ?? null),
    a: () => {
      if (question?.notYours === null) setAsking(question);
    },
    d: () => {
      if (question !== undefined && question.notYours !== "no-right") deny(question);
    },
  });
  if (question === undefined) return <p>{t("nothing")}</p>;
  return (
    <div className="inbox">
      <ul className="inbox-list" aria-label={t("waiting")}>
        {questions.map((one) => (
          <li key={one.id}>
            <button
              type="button"
              className="inbox-row"
              aria-current={one.id === question.id ? "true" : undefined}
              onClick={() => setChosen(one.id)}
            >
              <span className="inbox-agent">
                <Text>{one.agent}</Text>
                <TimeLeft deadlineAt={one.deadlineAt} now={now} language={i18n.language} />
              </span>
              <span className="row-of">
                {one.classes.map((name) => (
                  <Chip key={name} tone="warn">
                    {name}
                  </Chip>
                ))}
              </span>
              <span className="faint">
                → <Text>{one.operator ?? one.host}</Text>
              </span>
            </button>
          </li>
        ))}
      </ul>
      <div className="inbox-open">
        {error !== null && <FaultPanel error={error} />}
        <Question
          question={question}
          left={<TimeLeft deadlineAt={question.deadlineAt} now={now} language={i18n.language} />}
          onAllow={() => setAsking(question)}
          onDeny={() => deny(question)}
        />
      </div>
      {asking !== null && <AllowDialog question={asking} onClose={() => setAsking(null)} onAnswer={answer} />}
    </div>
  );
}

function TimeLeft({
  deadlineAt,
  now,
  language,
}: {
  readonly deadlineAt: number;
  readonly now: number;
  readonly language: string;
}): JSX.Element {
  const { t } = useTranslation(["approvals", "frame"]);
  const left = deadlineAt - now;
  if (left <= 0)
    return (
      <span className="time-left" data-short="true">
        {t("over")}
      </span>
    );
  const rounded = Math.ceil(left / SECOND_MS) * SECOND_MS;
  return (
    <span className="time-left figures" data-short={left < 60_000 || undefined}>
      {t("left", { time: durationText(rounded, language) })}
    </span>
  );
}

/** The server's clock, going on by this machine's. */
function useNow(serverNow: number): number {
  const offset = useRef(0);
  const [now, setNow] = useState(serverNow);
  useEffect(() => {
    offset.current = serverNow - Date.now();
    setNow(serverNow);
    const timer = setInterval(() => setNow(Date.now() + offset.current), SECOND_MS);
    return () => clearInterval(timer);
  }, [serverNow]);
  return now;
}

type Keys = Readonly<Record<"j" | "k" | "a" | "d", () => void>>;
const isKey = (key: string): key is keyof Keys => key === "j" || key === "k" || key === "a" || key === "d";
/** After `g` a letter leads to a page: it is not ours. */
const AFTER_G_MS = 1_200;

function useKeys(keys: Keys): void {
  const held = useRef(keys);
  held.current = keys;
  useEffect(() => {
    let wentAt = Number.NEGATIVE_INFINITY;
    const onKey = (event: KeyboardEvent): void => {
      if (recall("shortcuts") === "off" || event.ctrlKey || event.metaKey || event.altKey || event.repeat)
        return;
      const { target } = event;
      const isElsewhere =
        target instanceof HTMLElement &&
        target.closest("input, textarea, select, [contenteditable], [role=dialog]") !== null;
      if (isElsewhere || document.querySelector("[role=dialog]") !== null) return;
      const isSecond = event.timeStamp - wentAt < AFTER_G_MS;
      wentAt = event.key === "g" ? event.timeStamp : Number.NEGATIVE_INFINITY;
      if (isSecond || !isKey(event.key)) return;
      event.preventDefault();
      held.current[event.key]();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, []);
}
