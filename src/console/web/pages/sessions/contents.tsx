/**
 * The content of exchanges: asked for with a reason, which is in the ledger before a byte is shown. Values that detectors find
 * stay masked until one is asked for by itself. What was shown lives in this page's memory and goes with it.
 */
import { type JSX, type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import type {
  ContentPart,
  Contents,
  ContentsAsked,
  ExchangeContent,
  Masked,
  UnmaskAsked,
  Unmasked,
} from "../../../api/sessions.ts";
import { Icon } from "../../frame/icons.tsx";
import { entriesAt } from "../../parts/figures.tsx";
import { ReasonDialog } from "../../parts/reason-dialog.tsx";
import { Note } from "../../parts/state.tsx";
import { Text } from "../../parts/text.tsx";
import { useMay, useSend } from "../../station/reader.tsx";

/** As many as the server takes at once. */
const AT_ONCE = 50;

export interface ContentsDesk {
  readonly shown: ReadonlyMap<string, ExchangeContent>;
  readonly revealed: ReadonlyMap<string, Unmasked>;
  /** The button that asks for an exchange's content, and that takes it off again: one, so that it keeps the focus. */
  askFor(exchange: string, isShown: boolean): ReactNode;
  askToUnmask(value: Masked): void;
  readonly mayUnmask: boolean;
  /** The dialogs, to be placed once. */
  readonly ask: ReactNode;
}

export function useContents(session: string): ContentsDesk {
  const { t } = useTranslation("sessions");
  const send = useSend();
  const mayRead = useMay("read-evidence");
  const mayUnmask = useMay("unmask");
  const [shown, setShown] = useState<ReadonlyMap<string, ExchangeContent>>(new Map());
  const [revealed, setRevealed] = useState<ReadonlyMap<string, Unmasked>>(new Map());
  const [wanted, setWanted] = useState<readonly string[] | null>(null);
  const [value, setValue] = useState<Masked | null>(null);
  const path = `sessions/${encodeURIComponent(session)}`;
  const read = async (reason: string): Promise<void> => {
    for (let at = 0; at < (wanted?.length ?? 0); at += AT_ONCE) {
      const asked: ContentsAsked = { reason, exchanges: (wanted ?? []).slice(at, at + AT_ONCE) };
      const { data } = await send<Contents>("POST", `${path}/contents`, asked);
      setShown((now) => new Map([...now, ...data.exchanges.map((one) => [one.exchange, one] as const)]));
    }
  };
  const unmask = async (reason: string): Promise<void> => {
    if (value === null) return;
    const asked: UnmaskAsked = { id: value.id, reason };
    const { data } = await send<Unmasked>("POST", `${path}/unmask`, asked);
    setRevealed((now) => new Map([...now, [data.id, data] as const]));
  };
  const hide = (exchange: string): void =>
    setShown((now) => new Map([...now].filter(([name]) => name !== exchange)));
  return {
    shown,
    revealed,
    mayUnmask,
    askFor: (exchange, isShown) =>
      mayRead ? (
        <button
          type="button"
          className="plain"
          aria-expanded={isShown}
          onClick={() => (isShown ? hide(exchange) : setWanted([exchange]))}
        >
          <Icon name="lock" size={14} />
          {t(`contents.${isShown ? "hide" : "one"}`)}
        </button>
      ) : (
        <span className="faint">{t("contents.forbidden")}</span>
      ),
    askToUnmask: setValue,
    ask: (
      <>
        <ReasonDialog
          isOpen={wanted !== null}
          onClose={() => setWanted(null)}
          title={t("contents.title")}
          action={t("contents.show")}
          onReason={read}
        >
          <p>{t("contents.about", { count: wanted?.length ?? 0 })}</p>
        </ReasonDialog>
        <ReasonDialog
          isOpen={value !== null}
          onClose={() => setValue(null)}
          title={t("unmask.title")}
          action={t("unmask.show")}
          onReason={unmask}
        >
          <p>{t("unmask.about", { class: value?.class ?? "", detector: value?.detector ?? "" })}</p>
        </ReasonDialog>
      </>
    ),
  };
}

const REASONS = ["erased", "too-large", "unreadable", "frames", "cannot-mask"] as const;
const isReason = (why: string): why is (typeof REASONS)[number] => REASONS.some((reason) => reason === why);

export function ContentView({
  content,
  side,
  desk,
}: {
  readonly content: ExchangeContent;
  readonly side: "request" | "response";
  readonly desk: ContentsDesk;
}): JSX.Element {
  const { t } = useTranslation("sessions");
  const parts = content[side];
  const repeated = side === "request" ? content.repeated : 0;
  return (
    <div className="content">
      {parts.map((part, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: parts of one message, never reordered
        <Part key={at} part={part} desk={desk} />
      ))}
      {repeated > 0 && <p className="faint fine">{t("contents.repeated", { count: repeated })}</p>}
      {content.missing.map(({ role, why }) => (
        <Note key={role} tone="warn">
          <Text>{isReason(why) ? `${role}: ${t(`missing.${why}`)}` : `${role}: ${why}`}</Text>
        </Note>
      ))}
    </div>
  );
}

function Part({ part, desk }: { readonly part: ContentPart; readonly desk: ContentsDesk }): JSX.Element {
  const { t } = useTranslation("sessions");
  return (
    <article className="part" data-role={part.role}>
      <h4>
        {t(`role.${part.role}`)}
        {part.tool !== null && (
          <code>
            <Text>{part.tool}</Text>
          </code>
        )}
      </h4>
      <MaskedText part={part} desk={desk} />
      {part.cutBytes > 0 && <p className="faint">{t("contents.cut", { count: part.cutBytes })}</p>}
    </article>
  );
}

/** A part's text with its masked values as buttons. */
function MaskedText({
  part,
  desk,
}: {
  readonly part: Pick<ContentPart, "text" | "masked">;
  readonly desk: ContentsDesk;
}): JSX.Element {
  const pieces: ReactNode[] = [];
  let at = 0;
  for (const value of [...part.masked].sort((a, b) => a.start - b.start)) {
    if (value.start < at) continue;
    if (value.start > at)
      pieces.push(
        <Text key={at} block>
          {part.text.slice(at, value.start)}
        </Text>,
      );
    pieces.push(
      <MaskedValue
        key={`${value.start} masked`}
        value={value}
        text={part.text.slice(value.start, value.end)}
        desk={desk}
      />,
    );
    at = value.end;
  }
  if (at < part.text.length || pieces.length === 0)
    pieces.push(
      <Text key={at} block>
        {part.text.slice(at)}
      </Text>,
    );
  return <div className="masked-text">{pieces}</div>;
}

function MaskedValue({
  value,
  text,
  desk,
}: {
  readonly value: Masked;
  readonly text: string;
  readonly desk: ContentsDesk;
}): JSX.Element {
  const { t } = useTranslation("sessions");
  const seen = desk.revealed.get(value.id);
  if (seen !== undefined)
    return (
      <span className="revealed">
        <Text>{seen.text}</Text>
        <Link to={entriesAt(`index=${seen.recordedAt}`)} className="faint">
          {t("unmask.recorded")}
        </Link>
      </span>
    );
  const label = t(`unmask.${value.as}`, { class: value.class });
  if (value.as === "placeholder" || !desk.mayUnmask)
    return (
      <span className="masked" data-as={value.as} title={label}>
        <Text>{text}</Text>
      </span>
    );
  return (
    <button
      type="button"
      className="masked"
      data-as="value"
      title={label}
      aria-label={`${label}: ${t("unmask.show")}`}
      onClick={() => desk.askToUnmask(value)}
    >
      <Icon name="lock" size={12} />
      <Text isCut>{text}</Text>
    </button>
  );
}
