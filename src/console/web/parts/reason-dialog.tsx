/** `<ReasonDialog>`: asks why, before something is recorded and shown or done. It stays open until that has worked. */
import { type JSX, type ReactNode, useState } from "react";
import { Button, FieldError, Form, Text as Help, Label, TextArea, TextField } from "react-aria-components";
import { useTranslation } from "react-i18next";
import { Sheet } from "./sheet.tsx";
import { FaultPanel } from "./state.tsx";

const LEAST = 4;

export function ReasonDialog({
  isOpen,
  onClose,
  title,
  action,
  onReason,
  tone = "plain",
  hint,
  children,
}: {
  readonly isOpen: boolean;
  readonly onClose: () => void;
  readonly title: string;
  /** What the button says. */
  readonly action: string;
  /** A rejected promise is shown, and the dialog stays. */
  readonly onReason: (reason: string) => Promise<unknown>;
  readonly tone?: "plain" | "bad";
  readonly hint?: string;
  /** What is about to be seen or done; further fields. */
  readonly children?: ReactNode;
}): JSX.Element {
  const { t } = useTranslation();
  const [error, setError] = useState<unknown>(null);
  const [isBusy, setBusy] = useState(false);
  const [reason, setReason] = useState("");
  const close = (): void => {
    if (isBusy) return;
    setError(null);
    onClose();
  };
  const submit = async (): Promise<void> => {
    setBusy(true);
    setError(null);
    try {
      await onReason(reason.trim());
      setReason("");
      setBusy(false);
      onClose();
    } catch (refused) {
      setError(refused);
      setBusy(false);
    }
  };
  return (
    <Sheet isOpen={isOpen} onClose={close} title={title}>
      <Form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        {children}
        <TextField
          className="field"
          value={reason}
          onChange={setReason}
          isRequired
          maxLength={500}
          autoFocus
          validate={(text) => (text.trim().length < LEAST ? t("reason.short", { count: LEAST }) : null)}
        >
          <Label>{t("reason.label")}</Label>
          <TextArea rows={3} />
          <Help slot="description">{hint ?? t("reason.hint")}</Help>
          <FieldError />
        </TextField>
        {error !== null && <FaultPanel error={error} />}
        <div className="form-foot">
          <Button className="plain" onPress={close} isDisabled={isBusy}>
            {t("reason.cancel")}
          </Button>
          <Button className="strong" data-tone={tone} type="submit" isPending={isBusy}>
            {action}
          </Button>
        </div>
      </Form>
    </Sheet>
  );
}
