/** Saying yes: how far it goes, and why. Enter gives it as it stands: once. */
import { type JSX, useId, useState } from "react";
import { Button } from "react-aria-components";
import { useTranslation } from "react-i18next";
import type { AnswerRequest, QuestionView } from "../../../api/approvals.ts";
import { Sheet } from "../../parts/sheet.tsx";
import { FaultPanel } from "../../parts/state.tsx";
import { Text } from "../../parts/text.tsx";

const HOUR_MS = 3_600_000;
const TIMES = [1, 4, 12, 24] as const;
const SCOPES = ["once", "session", "time"] as const;

export function AllowDialog({
  question,
  onClose,
  onAnswer,
}: {
  readonly question: QuestionView;
  readonly onClose: () => void;
  readonly onAnswer: (answer: AnswerRequest) => Promise<void>;
}): JSX.Element {
  const { t } = useTranslation(["approvals", "frame"]);
  const [scope, setScope] = useState<AnswerRequest["scope"]>("once");
  const [hours, setHours] = useState<number>(TIMES[0]);
  const [reason, setReason] = useState("");
  const [error, setError] = useState<unknown>(null);
  const [isBusy, setBusy] = useState(false);
  const ids = { reason: useId(), hours: useId(), scope: useId() };
  const wantsReason = scope === "time" && reason.trim() === "";
  const give = async (): Promise<void> => {
    setBusy(true);
    setError(null);
    try {
      const forMs = scope === "time" ? hours * HOUR_MS : null;
      await onAnswer({ id: question.id, verdict: "allow", scope, forMs, reason: reason.trim() });
      onClose();
    } catch (refused) {
      setError(refused);
      setBusy(false);
    }
  };
  return (
    <Sheet isOpen onClose={onClose} title={t("allowTitle")}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          if (!wantsReason) void give();
        }}
      >
        <p>
          {t("allowWhat", { classes: question.classes.join(", ") })}{" "}
          <Text>{question.operator ?? question.host}</Text>
        </p>
        <fieldset className="field">
          <legend id={ids.scope}>{t("scope")}</legend>
          {SCOPES.map((one) => (
            <label key={one} className="radio">
              <input
                type="radio"
                name="scope"
                value={one}
                checked={scope === one}
                onChange={() => setScope(one)}
              />
              {t(`scopes.${one}`)}
              <span className="faint">{t(`scopeNotes.${one}`)}</span>
            </label>
          ))}
        </fieldset>
        {scope === "time" && (
          <div className="field">
            <label htmlFor={ids.hours}>{t("howLong")}</label>
            <select id={ids.hours} value={hours} onChange={(event) => setHours(Number(event.target.value))}>
              {TIMES.map((time) => (
                <option key={time} value={time}>
                  {t("hours", { count: time })}
                </option>
              ))}
            </select>
          </div>
        )}
        <div className="field">
          <label htmlFor={ids.reason}>{scope === "time" ? t("reasonWanted") : t("reasonOptional")}</label>
          <input
            id={ids.reason}
            type="text"
            maxLength={400}
            value={reason}
            aria-required={scope === "time"}
            onChange={(event) => setReason(event.target.value)}
          />
        </div>
        {error !== null && <FaultPanel error={error} />}
        <div className="form-foot">
          <Button className="plain" onPress={onClose} isDisabled={isBusy}>
            {t("frame:reason.cancel")}
          </Button>
          <Button className="strong" type="submit" isPending={isBusy} isDisabled={wantsReason} autoFocus>
            {t("allowAction")}
          </Button>
        </div>
      </form>
    </Sheet>
  );
}
