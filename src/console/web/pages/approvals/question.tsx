/** One question: what would leave, for whom, why it is held; and, for whoever may see it, the content with values masked. */
import { type JSX, type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import type { QuestionView } from "../../../api/approvals.ts";
import type { Contents } from "../../../api/sessions.ts";
import { Icon } from "../../frame/icons.tsx";
import { Facts } from "../../parts/facts.tsx";
import { Bytes, When } from "../../parts/figures.tsx";
import { ReasonDialog } from "../../parts/reason-dialog.tsx";
import { Note } from "../../parts/state.tsx";
import { Text } from "../../parts/text.tsx";
import { Chip } from "../../parts/verdict.tsx";
import { useMay, useSend } from "../../station/reader.tsx";

export function Question({
  question,
  left,
  onAllow,
  onDeny,
}: {
  readonly question: QuestionView;
  readonly left: ReactNode;
  readonly onAllow: () => void;
  readonly onDeny: () => void;
}): JSX.Element {
  const { t } = useTranslation(["approvals", "frame"]);
  const { id, session, agent, requester, text, rules, classes, operator, host, port } = question;
  const { sentTo, model, requestBytes, findings, askedAt, isWaiting, notYours } = question;
  return (
    <article className="question" aria-label={t("questionOf", { agent, host })}>
      <header className="question-head">
        <h3>
          <Text>{agent}</Text> → <Text>{operator ?? host}</Text>
        </h3>
        {left}
      </header>
      <p className="question-text">
        <Text shown={1_200}>{text}</Text>
      </p>
      <div className="question-answer">
        <button type="button" className="strong" onClick={onAllow} disabled={notYours !== null}>
          <Icon name="allow" />
          {t("allow")} <kbd>a</kbd>
        </button>
        <button
          type="button"
          className="strong"
          data-tone="bad"
          onClick={onDeny}
          disabled={notYours === "no-right"}
        >
          <Icon name="deny" />
          {t("deny")} <kbd>d</kbd>
        </button>
        {notYours !== null && <span className="soft">{t(`notYours.${notYours}`)}</span>}
        {!isWaiting && <span className="soft">{t("stoppedWaiting")}</span>}
      </div>
      <Facts
        rows={[
          {
            name: t("classes"),
            value: (
              <span className="row-of">
                {classes.map((name) => (
                  <Chip key={name} tone="warn">
                    {name}
                  </Chip>
                ))}
              </span>
            ),
          },
          {
            name: t("found"),
            value:
              findings.length === 0 ? (
                <span className="soft">{t("foundNothing")}</span>
              ) : (
                <span className="row-of">
                  {findings.map(({ class: name, detector, count }) => (
                    <Chip key={`${name} ${detector}`}>{`${count} × ${detector} (${name})`}</Chip>
                  ))}
                </span>
              ),
          },
          {
            name: t("to"),
            value: (
              <>
                <Text>{`${host}:${port}`}</Text>
                {URL.parse(sentTo)?.hostname !== host && (
                  <>
                    {" "}
                    <Chip tone="warn">{t("stoodIn", { origin: sentTo })}</Chip>
                  </>
                )}
              </>
            ),
          },
          model === null ? null : { name: t("model"), value: <Text>{model}</Text> },
          { name: t("size"), value: <Bytes>{requestBytes}</Bytes> },
          { name: t("rule"), value: <Text>{rules.join(", ")}</Text> },
          { name: t("requester"), value: <Text>{requester}</Text> },
          {
            name: t("session"),
            value: (
              <Link to={`/sessions/${session}`}>
                <code>{session}</code>
              </Link>
            ),
          },
          { name: t("askedAt"), value: <When at={askedAt} form="exact" /> },
        ]}
      />
      <Payload key={id} question={question} />
    </article>
  );
}

/** The content is evidence: a reason is asked for and recorded before a byte of it is here. */
function Payload({ question }: { readonly question: QuestionView }): JSX.Element {
  const { t } = useTranslation(["approvals", "frame"]);
  const mayRead = useMay("read-evidence");
  const send = useSend();
  const [isOpen, setOpen] = useState(false);
  const [contents, setContents] = useState<Contents | null>(null);
  if (!mayRead) return <Note>{t("payloadForbidden")}</Note>;
  const look = async (reason: string): Promise<void> => {
    const { data } = await send<Contents>("POST", `sessions/${question.session}/contents`, {
      reason,
      exchanges: [question.id],
    });
    setContents(data);
  };
  const exchange = contents?.exchanges[0];
  return (
    <section className="payload">
      <h4>{t("payload")}</h4>
      {contents === null ? (
        <button type="button" className="plain" onClick={() => setOpen(true)}>
          <Icon name="lock" />
          {t("payloadShow")}
        </button>
      ) : (
        <>
          {exchange?.missing.map(({ role, why }) => (
            <Note key={role} tone="warn">
              <Text>{`${role}: ${why}`}</Text>
            </Note>
          ))}
          {exchange?.request.map((part, at) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: the parts of a request have no other name, and never move
            <div key={at} className="payload-part">
              <span className="faint">
                {t(`roles.${part.role}`)}
                {part.tool !== null && (
                  <>
                    {" "}
                    <Text>{part.tool}</Text>
                  </>
                )}
              </span>
              <Text block>{part.text}</Text>
              {part.cutBytes > 0 && <span className="faint">{t("cut", { count: part.cutBytes })}</span>}
            </div>
          ))}
        </>
      )}
      <ReasonDialog
        isOpen={isOpen}
        onClose={() => setOpen(false)}
        title={t("payloadShow")}
        action={t("payloadAction")}
        onReason={look}
      >
        <p>{t("payloadNote")}</p>
      </ReasonDialog>
    </section>
  );
}
