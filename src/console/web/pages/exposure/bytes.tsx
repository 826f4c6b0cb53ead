/**
 * One request exactly as the recipient got it, after a reason was recorded; and what differs from what the agent wrote. The
 * record holds no value that was replaced, so on the agent's side its class stands in its place.
 */
import { type JSX, type ReactNode, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useParams } from "react-router";
import type { Body, ExactBytes } from "../../../api/exposure.ts";
import type { Masked } from "../../../api/sessions.ts";
import { Icon } from "../../frame/icons.tsx";
import { Diff } from "../../parts/diff.tsx";
import { Facts } from "../../parts/facts.tsx";
import { Bytes, entriesAt, Num } from "../../parts/figures.tsx";
import { Page, Panel } from "../../parts/page.tsx";
import { ReasonDialog } from "../../parts/reason-dialog.tsx";
import { Note } from "../../parts/state.tsx";
import { Text } from "../../parts/text.tsx";
import { Chip } from "../../parts/verdict.tsx";
import { useMay, useSend } from "../../station/reader.tsx";

export function ExactBytesPage(): JSX.Element {
  const { t } = useTranslation(["exposure", "frame"]);
  const { exchange = "" } = useParams();
  const send = useSend();
  const mayRead = useMay("read-evidence");
  const [isOpen, setOpen] = useState(mayRead);
  const [bytes, setBytes] = useState<ExactBytes | null>(null);
  return (
    <Page
      title={t("bytes.title")}
      lede={<span className="mono">{exchange.slice(0, 40)}</span>}
      back={{ to: "/exposure", label: t("frame:page.exposure") }}
    >
      {bytes === null ? (
        <Panel>
          {mayRead ? (
            <div className="stack">
              <p>{t("bytes.why")}</p>
              <p>
                <button type="button" className="strong" onClick={() => setOpen(true)}>
                  <Icon name="lock" size={14} />
                  {t("bytes.show")}
                </button>
              </p>
            </div>
          ) : (
            <Note tone="warn">{t("bytes.forbidden")}</Note>
          )}
        </Panel>
      ) : (
        <Exact bytes={bytes} />
      )}
      <ReasonDialog
        isOpen={isOpen}
        onClose={() => setOpen(false)}
        title={t("bytes.show")}
        action={t("bytes.record")}
        onReason={async (reason) => {
          const { data } = await send<ExactBytes>(
            "POST",
            `exposure/exchanges/${encodeURIComponent(exchange)}/bytes`,
            { reason },
          );
          setBytes(data);
        }}
      >
        <p>{t("bytes.why")}</p>
      </ReasonDialog>
    </Page>
  );
}

function Exact({ bytes }: { readonly bytes: ExactBytes }): JSX.Element {
  const { t } = useTranslation("exposure");
  const { body, withheld } = bytes;
  return (
    <>
      <Panel>
        <Facts
          rows={[
            {
              name: t("reached"),
              value: (
                <span className="mono">
                  <Text>{bytes.sentTo}</Text>
                </span>
              ),
            },
            body === null ? null : { name: t("bytes.size"), value: <Bytes>{body.bytes}</Bytes> },
            {
              name: "SHA-256",
              value: (
                <span className="mono">
                  <Text shown={80}>{bytes.sha256}</Text>
                </span>
              ),
            },
            {
              name: t("bytes.recorded"),
              value: (
                <span className="row-of">
                  {bytes.recordedAt.map((index) => (
                    <Num key={index} filter={`index=${index}`}>
                      {index}
                    </Num>
                  ))}
                </span>
              ),
            },
          ]}
        />
      </Panel>
      {body !== null && (
        <Panel title={t("bytes.against")}>
          <Against bytes={bytes} text={body.text} />
        </Panel>
      )}
      {withheld !== null && <Note tone="warn">{t(`withheld.${withheld}`)}</Note>}
      {bytes.head !== null && (
        <Panel title={t("bytes.head")} note={t("bytes.headNote")}>
          <Text block>{bytes.head}</Text>
        </Panel>
      )}
      {body !== null && (
        <Panel title={t("bytes.body")} note={t(`bytes.${body.isSetOut ? "setOut" : "asIs"}`)}>
          <div className="stack">
            {!body.isUtf8 && <Note tone="warn">{t("bytes.notUtf8")}</Note>}
            <BodyText body={body} replaced={bytes.against.replaced} />
            {body.isCut && <p className="faint">{t("bytes.cut")}</p>}
          </div>
        </Panel>
      )}
      <p className="faint">
        <Link to={entriesAt(`session=${bytes.exchange.split("-")[0] ?? ""}`)}>{t("entries")}</Link>
      </p>
    </>
  );
}

const sorted = (marks: readonly Masked[]): readonly Masked[] => [...marks].sort((a, b) => a.start - b.start);

/** The body as the agent wrote it, as far as the record can tell: a class in each placeholder's place. */
function asWritten(text: string, replaced: readonly Masked[], name: (mark: Masked) => string): string {
  let written = "";
  let at = 0;
  for (const mark of sorted(replaced)) {
    if (mark.start < at) continue;
    written += text.slice(at, mark.start) + name(mark);
    at = mark.end;
  }
  return written + text.slice(at);
}

function Against({ bytes, text }: { readonly bytes: ExactBytes; readonly text: string }): JSX.Element {
  const { t } = useTranslation("exposure");
  const { kept, replaced, dropped } = bytes.against;
  const before = useMemo(
    () => asWritten(text, replaced, (mark) => `[${mark.class}: ${mark.detector}]`),
    [text, replaced],
  );
  return (
    <div className="stack">
      <Note tone={kept === "same" ? "good" : "info"}>{t(`kept.${kept}`, { count: replaced.length })}</Note>
      {kept === "placeholders" && replaced.length > 0 && (
        <Diff before={before} after={text} label={t("bytes.against")} />
      )}
      {dropped.length > 0 && (
        <p className="row-of">
          <span className="faint">{t("dropped")}</span>
          {dropped.map((name) => (
            <Chip key={name} tone="warn">
              {name}
            </Chip>
          ))}
        </p>
      )}
    </div>
  );
}

/** The body with masked values and placeholders marked. */
function BodyText({
  body,
  replaced,
}: {
  readonly body: Body;
  readonly replaced: readonly Masked[];
}): JSX.Element {
  const pieces: ReactNode[] = [];
  let at = 0;
  const seen = new Set<number>();
  for (const mark of sorted([...body.masked, ...replaced])) {
    if (mark.start < at || seen.has(mark.start)) continue;
    seen.add(mark.start);
    if (mark.start > at)
      pieces.push(
        <Text key={at} block>
          {body.text.slice(at, mark.start)}
        </Text>,
      );
    pieces.push(
      <span
        key={`mark ${mark.start}`}
        className="masked"
        data-as={mark.as}
        title={`${mark.class} · ${mark.detector}`}
      >
        <Text>{body.text.slice(mark.start, mark.end)}</Text>
      </span>,
    );
    at = mark.end;
  }
  pieces.push(
    <Text key={at} block>
      {body.text.slice(at)}
    </Text>,
  );
  return <div className="masked-text">{pieces}</div>;
}
