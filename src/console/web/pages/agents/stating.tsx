/**
 * Approving and revoking. What is signed, and by whose key, is said before it is: the machine's key signs for its own
 * person alone; anybody else signs with the key of this browser, if the list of approvers names it.
 */
import { type JSX, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import type { AgentsOverview, PreparedStatement, StatedAnswer, StateRequest } from "../../../api/agents.ts";
import { ReasonDialog } from "../../parts/reason-dialog.tsx";
import { Note } from "../../parts/state.tsx";
import { Text } from "../../parts/text.tsx";
import { useSend } from "../../station/reader.tsx";
import { type OwnKey, ownKey, statementIn } from "./own-key.ts";

export interface StatedSubject {
  readonly hash: string;
  readonly name: string | null;
  readonly title: string;
}

const DAYS = [30, 90, 180, 366] as const;

export function Stating({
  subject,
  overview,
  report = null,
}: {
  readonly subject: StatedSubject;
  readonly overview: AgentsOverview;
  readonly report?: string | null;
}): JSX.Element {
  const { t } = useTranslation(["agents", "frame"]);
  const [state, setState] = useState<StateRequest["state"] | null>(null);
  return (
    <span className="row-of">
      <button type="button" className="plain" onClick={() => setState("approve")}>
        {t("approve")}
      </button>
      <button type="button" className="plain" onClick={() => setState("revoke")}>
        {t("revoke")}
      </button>
      {state !== null && (
        <StateDialog
          state={state}
          subject={subject}
          overview={overview}
          report={report}
          onClose={() => setState(null)}
        />
      )}
    </span>
  );
}

function StateDialog({
  state,
  subject,
  overview,
  report,
  onClose,
}: {
  readonly state: StateRequest["state"];
  readonly subject: StatedSubject;
  readonly overview: AgentsOverview;
  readonly report: string | null;
  readonly onClose: () => void;
}): JSX.Element {
  const { t } = useTranslation(["agents", "frame"]);
  const send = useSend();
  const [key, setKey] = useState<OwnKey | null>(null);
  const [days, setDays] = useState<number>(DAYS[1]);
  useEffect(() => {
    void ownKey().then(setKey, () => setKey(null));
  }, []);
  const { signsAs, required, approvers } = overview;
  const listed = approvers.find((approver) => approver.key === key?.publicText);
  const signer = listed?.name ?? signsAs;
  const give = async (reason: string): Promise<void> => {
    const asked: StateRequest = { state, hash: subject.hash, name: subject.name, reason, days, report };
    if (listed === undefined || key === null) {
      await send<StatedAnswer>("POST", "agents/sign", asked);
      return;
    }
    const { data } = await send<PreparedStatement>("POST", "agents/prepare", { ...asked, as: listed.name });
    checkMeant(data, asked, listed.name);
    await send<StatedAnswer>("POST", "agents/submit", { envelope: await key.sign(data) });
  };
  if (signer === null)
    return (
      <ReasonDialog
        isOpen
        onClose={onClose}
        title={t(`titles.${state}`, { name: subject.title })}
        action={t(state)}
        onReason={() => Promise.reject(new Error(t("noKey")))}
      >
        <Note tone="warn">{t("noKey")}</Note>
      </ReasonDialog>
    );
  return (
    <ReasonDialog
      isOpen
      onClose={onClose}
      title={t(`titles.${state}`, { name: subject.title })}
      action={t(state)}
      onReason={give}
      tone={state === "revoke" ? "bad" : "plain"}
      hint={t("reasonHint")}
    >
      <p>
        {t("bytes")} <code className="wrap">{subject.hash}</code>
      </p>
      <p>
        {listed === undefined ? t("signedByMachine") : t("signedHere")}{" "}
        <strong>
          <Text>{signer}</Text>
        </strong>
        {state === "approve" && required > 1 && ` · ${t("requiredOf", { count: required })}`}
      </p>
      {state === "approve" && report === null && <Note tone="warn">{t("noReport")}</Note>}
      {state === "approve" && (
        <label className="field">
          {t("howLong")}
          <select value={days} onChange={(event) => setDays(Number(event.target.value))}>
            {DAYS.map((one) => (
              <option key={one} value={one}>
                {t("days", { count: one })}
              </option>
            ))}
          </select>
        </label>
      )}
    </ReasonDialog>
  );
}

/** The server prepares what the key signs: it is read before it is signed, and must be what was asked for. */
function checkMeant(prepared: PreparedStatement, asked: StateRequest, as: string): void {
  const statement = statementIn(prepared);
  const subject = statement["subject"];
  const hash = typeof subject === "object" && subject !== null && "hash" in subject ? subject.hash : null;
  const isMeant =
    statement["action"] === asked.state &&
    statement["by"] === as &&
    statement["reason"] === asked.reason &&
    hash === asked.hash;
  if (!isMeant) throw new Error("the statement to sign is not the one that was asked for");
}
