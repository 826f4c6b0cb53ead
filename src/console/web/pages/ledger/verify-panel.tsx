/** `Verify now`: this browser's own check, step by step, and what it does not tell. */
import { type JSX, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { Icon, type IconName } from "../../frame/icons.tsx";
import { Ago, numberText } from "../../parts/figures.tsx";
import { Panel } from "../../parts/page.tsx";
import { FaultPanel, Note } from "../../parts/state.tsx";
import { Text } from "../../parts/text.tsx";
import { getBytes, Refused } from "../../station/call.ts";
import { keepInMind, remembered } from "./memory.ts";
import type { Bytes } from "./tree.ts";
import { type Found, type Verified, verify } from "./verify.ts";

/** More entries than these are hashed only when asked for: their bytes must all come over. */
const MANY = 100_000;
const PAUSE_MS = 1_500;
const PATIENCE = 120;

/** A file of the log. The server's limit on requests is waited out; what is not there is null. */
async function read(path: string, signal: AbortSignal): Promise<Bytes | null> {
  for (let times = 0; ; times++)
    try {
      return await getBytes(`ledger/log/${path}`, signal);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (error.status === 404) return null;
      if (error.status !== 429 || times >= PATIENCE) throw error;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
}

type Run =
  | { readonly state: "none" }
  | { readonly state: "running"; readonly done: number; readonly of: number }
  | { readonly state: "over"; readonly verified: Verified; readonly ms: number; readonly at: number }
  | { readonly state: "failed"; readonly error: unknown };

export function VerifyPanel({ size }: { readonly size: number }): JSX.Element {
  const { t, i18n } = useTranslation("ledger");
  const [run, setRun] = useState<Run>({ state: "none" });
  const [withEntries, setWithEntries] = useState(size <= MANY);
  const stop = useRef<AbortController | null>(null);

  const start = async (): Promise<void> => {
    const controller = new AbortController();
    stop.current = controller;
    const began = performance.now();
    setRun({ state: "running", done: 0, of: size });
    try {
      const verified = await verify({
        read: (path) => read(path, controller.signal),
        remembered,
        onProgress: (done, of) => setRun({ state: "running", done, of }),
        signal: controller.signal,
        withEntries,
      });
      const at = Date.now();
      if (verified.isGood && verified.checkpoint !== null)
        keepInMind({ ...verified.checkpoint, keys: verified.keys, at });
      setRun({ state: "over", verified, ms: performance.now() - began, at });
    } catch (error) {
      setRun(controller.signal.aborted ? { state: "none" } : { state: "failed", error });
    }
  };

  return (
    <Panel
      title={t("verify.title")}
      note={t("verify.note")}
      controls={
        run.state === "running" ? (
          <button type="button" className="plain" onClick={() => stop.current?.abort()}>
            {t("verify.stop")}
          </button>
        ) : (
          <>
            <label className="tick">
              <input
                type="checkbox"
                checked={withEntries}
                onChange={(event) => setWithEntries(event.target.checked)}
              />
              {t("verify.withEntries")}
            </label>
            <button type="button" className="strong" onClick={() => void start()}>
              <Icon name="policy" />
              {t("verify.now")}
            </button>
          </>
        )
      }
    >
      <div className="stack" aria-live="polite">
        {run.state === "none" && <p className="soft">{t("verify.how")}</p>}
        {run.state === "running" && (
          <div className="stack">
            <progress value={run.done} max={Math.max(1, run.of)} aria-label={t("verify.title")} />
            <p className="figures soft">
              {t("verify.progress", {
                done: numberText(run.done, i18n.language),
                of: numberText(run.of, i18n.language),
              })}
            </p>
          </div>
        )}
        {run.state === "failed" && <FaultPanel error={run.error} again={() => void start()} />}
        {run.state === "over" && <Outcome verified={run.verified} ms={run.ms} />}
        <p className="faint fine">{t("verify.limits")}</p>
      </div>
    </Panel>
  );
}

const SIGNS: Readonly<Record<Found["state"], IconName>> = {
  good: "allow",
  bad: "deny",
  skipped: "info",
  first: "info",
};

function Outcome({ verified, ms }: { readonly verified: Verified; readonly ms: number }): JSX.Element {
  const { t, i18n } = useTranslation("ledger");
  const { checkpoint, before, hashed } = verified;
  const figures = {
    size: numberText(checkpoint?.size ?? 0, i18n.language),
    entries: numberText(hashed.entries, i18n.language),
    before: numberText(before?.size ?? 0, i18n.language),
    seconds: numberText(Math.round(ms / 10) / 100, i18n.language),
  };
  return (
    <>
      <Note tone={verified.isGood ? "good" : "bad"}>
        <strong>{t(`outcome.${verified.isGood ? "good" : "bad"}`, figures)}</strong>
        {verified.isGood && checkpoint !== null && (
          <p className="mono fine">
            <Text shown={120}>{`${checkpoint.origin} ${checkpoint.root}`}</Text>
          </p>
        )}
      </Note>
      <ol className="steps">
        {verified.found.map(({ step, state, problem }) => (
          <li key={step} data-state={state}>
            <Icon name={SIGNS[state]} />
            <div>
              <span>{t(`step.${step}`)}</span> <span className="faint">{t(`found.${state}`)}</span>
              {step === "before" && before !== null && state === "good" && (
                <span className="faint">
                  {" "}
                  {t("outcome.before", figures)} (<Ago at={before.at} now={Date.now()} />)
                </span>
              )}
              {problem !== "" && (
                <p className="problem">
                  <Text>{problem}</Text>
                </p>
              )}
            </div>
          </li>
        ))}
      </ol>
    </>
  );
}
