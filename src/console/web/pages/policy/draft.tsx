/** A draft: checked as it stands, compared with what holds, and tried on what was recorded. It is never saved from here. */
import { type JSX, useId, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import type {
  DocumentDetail,
  DraftAnswer,
  DraftReplay,
  DraftRequest,
  PolicyOverview,
} from "../../../api/policy.ts";
import { Choice } from "../../parts/choice.tsx";
import { Command } from "../../parts/copy-button.tsx";
import { Diff } from "../../parts/diff.tsx";
import { entriesAt, Num, When } from "../../parts/figures.tsx";
import { Panel } from "../../parts/page.tsx";
import { RangePicker } from "../../parts/range-picker.tsx";
import { Empty, FaultPanel, Note } from "../../parts/state.tsx";
import { type Column, Table } from "../../parts/table.tsx";
import { Text } from "../../parts/text.tsx";
import { Chip, Verdict } from "../../parts/verdict.tsx";
import { get, send } from "../../station/call.ts";
import { useRange } from "../../station/range.ts";
import { useMay, useReader } from "../../station/reader.tsx";
import { PlacedFault } from "./placed.tsx";
import { Said } from "./said.tsx";

const MOST_BYTES = 512 * 1024;

export function Draft({ overview }: { readonly overview: PolicyOverview }): JSX.Element {
  const { t, i18n } = useTranslation(["policy", "frame"]);
  const mayWrite = useMay("write-policy");
  const { csrf } = useReader();
  const { from, to } = useRange();
  const id = useId();
  const area = useRef<HTMLTextAreaElement>(null);
  const [text, setText] = useState("");
  const [profile, setProfile] = useState("default");
  const [answer, setAnswer] = useState<{ readonly of: string; readonly data: DraftAnswer } | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [isBusy, setBusy] = useState(false);
  if (!mayWrite) return <Note tone="warn">{t("draftForbidden")}</Note>;
  const language: DraftRequest["language"] = i18n.language === "zh-CN" ? "zh-CN" : "en";
  const profiles = overview.documents.filter(({ kind }) => kind === "Profile");
  const start = async (key: string): Promise<void> => {
    const row = overview.documents.find(({ origin, name }) => `${origin} ${name}` === key);
    if (row === undefined) return;
    const { data } = await get<DocumentDetail>("policy/document", {
      name: row.name,
      origin: row.origin,
      language,
    });
    setText(data.text ?? "");
    setAnswer(null);
  };
  const attempt = async (): Promise<void> => {
    setBusy(true);
    setError(null);
    try {
      const asked: DraftRequest = { text, profile, language, from, to };
      const { data } = await send<DraftAnswer>("POST", "policy/draft", asked, csrf);
      setAnswer({ of: text, data });
      if (!data.isValid && data.error.line !== null) goTo(area.current, data.error.line);
    } catch (refused) {
      setError(refused);
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      <Note>{t("draftNote")}</Note>
      <Panel
        title={t("draft")}
        controls={
          <>
            <Choice
              label={t("startFrom")}
              value=""
              options={[
                { value: "", label: "–" },
                ...overview.documents.map(({ origin, name }) => ({
                  value: `${origin} ${name}`,
                  label: name,
                })),
              ]}
              onChoose={(key) => void start(key).catch(setError)}
            />
            <Choice
              label={t("beside")}
              value={profile}
              options={profiles.map(({ name }) => ({ value: name, label: name }))}
              onChoose={setProfile}
            />
            <RangePicker />
          </>
        }
      >
        <form
          className="form"
          onSubmit={(event) => {
            event.preventDefault();
            void attempt();
          }}
        >
          <div className="field">
            <label htmlFor={id}>{t("draftText")}</label>
            <textarea
              ref={area}
              id={id}
              className="editor"
              rows={18}
              value={text}
              spellCheck={false}
              autoCapitalize="off"
              autoCorrect="off"
              maxLength={MOST_BYTES}
              aria-invalid={answer?.of === text && !answer.data.isValid}
              onChange={(event) => setText(event.target.value)}
            />
          </div>
          <div className="form-foot">
            <label className="plain file-button">
              {t("upload")}
              <input
                type="file"
                className="unseen"
                accept=".yaml,.yml,text/yaml"
                onChange={(event) => {
                  const file = event.target.files?.[0];
                  event.target.value = "";
                  if (file === undefined) return;
                  if (file.size > MOST_BYTES) setError(new Error(t("tooLong")));
                  else void file.text().then(setText, setError);
                }}
              />
            </label>
            <button type="submit" className="strong" disabled={isBusy || text.trim() === ""}>
              {isBusy ? t("trying") : t("try")}
            </button>
          </div>
        </form>
      </Panel>
      {error !== null && <FaultPanel error={error} />}
      {answer !== null && answer.of !== text && <Note tone="warn">{t("changedSince")}</Note>}
      {answer !== null &&
        (answer.data.isValid ? (
          <Tried answer={answer.data} text={answer.of} />
        ) : (
          <PlacedFault error={answer.data.error} text={answer.of} />
        ))}
    </>
  );
}

/** Puts the caret at the beginning of a line, and shows it. */
function goTo(area: HTMLTextAreaElement | null, line: number): void {
  if (area === null) return;
  const lines = area.value.split("\n");
  const start = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
  area.focus();
  area.setSelectionRange(start, start + (lines[line - 1]?.length ?? 0));
}

type Valid = Extract<DraftAnswer, { isValid: true }>;

function Tried({ answer, text }: { readonly answer: Valid; readonly text: string }): JSX.Element {
  const { t } = useTranslation(["policy", "frame"]);
  const { said, replaces, standingText, diff, diffFault, overdue, replay, place } = answer;
  return (
    <>
      <Note tone="good">
        {t("valid", { name: said.name })} {replaces === null ? t("replacesNothing") : t("replaces")}{" "}
        {replaces !== null && <Text>{replaces}</Text>}
      </Note>
      {overdue.length > 0 && (
        <Note tone="warn">
          {t("overdueRules")} <Text>{overdue.join(", ")}</Text>
        </Note>
      )}
      <Panel title={t("wouldChange")} note={t("wouldChangeNote")}>
        {diffFault !== null && (
          <Note tone="warn">
            <Text>{diffFault}</Text>
          </Note>
        )}
        {diff === null && diffFault === null && <p className="soft">{t("nothingToCompare")}</p>}
        {diff !== null && diff.changes.length === 0 && <Note tone="good">{t("sameMeaning")}</Note>}
        {diff !== null && diff.changes.length > 0 && (
          <>
            <Note tone={diff.loosens ? "bad" : "good"}>{diff.loosens ? t("loosens") : t("tightens")}</Note>
            <ul className="changes">
              {diff.changes.map(({ loosens, sentence }) => (
                <li key={sentence}>
                  <Chip tone={loosens ? "bad" : "good"}>{loosens ? t("looser") : t("tighter")}</Chip>
                  <Text shown={500}>{sentence}</Text>
                </li>
              ))}
            </ul>
            {diff.more > 0 && <p className="soft">{t("moreChanges", { count: diff.more })}</p>}
          </>
        )}
      </Panel>
      <ReplayPanel replay={replay} />
      {standingText !== null && (
        <Panel title={t("textDiff")}>
          <Diff before={standingText} after={text} label={t("textDiff")} />
        </Panel>
      )}
      <Panel title={t("place")} note={t("placeNote")}>
        <div className="place">
          <p>
            <Text className="mono">{place.file}</Text>
          </p>
          {place.commands.map((command) => (
            <Command key={command}>{command}</Command>
          ))}
        </div>
      </Panel>
      <details className="source">
        <summary>{t("asSentences")}</summary>
        <Said said={said} />
      </details>
    </>
  );
}

function ReplayPanel({ replay }: { readonly replay: DraftReplay }): JSX.Element {
  const { t } = useTranslation(["policy", "frame"]);
  const { judged, changed, isOwnTraffic, isCut, from, changes } = replay;
  type Row = DraftReplay["changes"][number];
  const columns: readonly Column<Row>[] = [
    {
      id: "sentence",
      title: t("whatWouldChange"),
      isHead: true,
      cell: ({ sentence }) => <Text shown={300}>{sentence}</Text>,
      value: ({ sentence }) => sentence,
    },
    {
      id: "verdicts",
      title: t("verdicts"),
      cell: ({ from: before, to }) => (
        <span className="row-of">
          <Verdict of={before} /> → <Verdict of={to} />
        </span>
      ),
      value: ({ from: before, to }) => `${before} ${to}`,
    },
    {
      id: "rules",
      title: t("byRules"),
      cell: ({ rules }) => <Text>{rules.join(", ")}</Text>,
      value: ({ rules }) => rules.join(" "),
    },
    {
      id: "count",
      title: t("requests"),
      cell: ({ count }) => <Num>{count}</Num>,
      value: ({ count }) => count,
      numeric: true,
    },
    {
      id: "sample",
      title: t("sample"),
      cell: ({ entries }) => (
        <span className="row-of">
          {entries.map((entry) => (
            <Link key={entry} className="figures" to={entriesAt(`index=${entry}`)}>
              {entry}
            </Link>
          ))}
        </span>
      ),
    },
  ];
  return (
    <Panel
      title={t("replay", { judged, changed })}
      note={
        <>
          {isOwnTraffic ? t("ownTraffic") : t("allTraffic")}
          {from !== null && (
            <>
              {" "}
              {t("since")} <When at={from} />
            </>
          )}
          {isCut && ` · ${t("cut")}`} · {t("replayNote")}
        </>
      }
      bare
    >
      <Table
        caption={t("whatWouldChange")}
        columns={columns}
        rows={changes}
        rowKey={({ sentence }) => sentence}
        empty={<Empty title={judged === 0 ? t("noTraffic") : t("nothingChanges")} />}
      />
    </Panel>
  );
}
