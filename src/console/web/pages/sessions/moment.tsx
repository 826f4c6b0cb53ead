/** What is known of the chosen moment: its event's fields, and its content once somebody said why. */
import type { JSX, ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import type { Moment } from "../../../api/sessions.ts";
import { Facts } from "../../parts/facts.tsx";
import { Bytes, entriesAt, When } from "../../parts/figures.tsx";
import { Text } from "../../parts/text.tsx";
import { Chip, Verdict } from "../../parts/verdict.tsx";
import { type ContentsDesk, ContentView } from "./contents.tsx";
import { useTitle } from "./titles.ts";

/** Fields that the heading or the content tells already. */
const TOLD = new Set(["kind", "v", "at", "session", "exchange", "evidence", "verdict"]);
const MOST_MEMBERS = 200;

export function MomentPanel({
  moment,
  contents,
  hasEvidence,
}: {
  readonly moment: Moment;
  readonly contents: ContentsDesk;
  readonly hasEvidence: boolean;
}): JSX.Element {
  const { t } = useTranslation("sessions");
  const title = useTitle(moment);
  const content = moment.exchange === null ? undefined : contents.shown.get(moment.exchange);
  const rows = Object.entries(moment.fields)
    .filter(([name, value]) => !TOLD.has(name) && !isNothing(value))
    .map(([name, value]) => ({ name, value: <Field name={name} value={value} /> }));
  return (
    <section className="moment-panel" aria-label={t("line.chosen")}>
      <header>
        <h3>
          <Text shown={300}>{title}</Text>
        </h3>
        <p className="row-of faint">
          <When at={moment.at} form="exact" />
          <Link to={entriesAt(`index=${moment.index}`)}>{t("line.entry", { index: moment.index })}</Link>
          {moment.exchange !== null && <span className="mono">{moment.exchange}</span>}
          {moment.verdict !== null && <Verdict of={moment.verdict} />}
        </p>
      </header>
      {moment.exchange !== null && hasEvidence && moment.hasContent === true && (
        <div>{contents.askFor(moment.exchange, content !== undefined)}</div>
      )}
      {content !== undefined && (
        <ContentView
          content={content}
          side={moment.kind === "answer" ? "response" : "request"}
          desk={contents}
        />
      )}
      <Facts rows={rows} />
    </section>
  );
}

const isNothing = (value: unknown): boolean =>
  value === null || value === "" || (Array.isArray(value) && value.length === 0);

/** A field's value, whatever it is: its strings are somebody else's. */
function Field({ name, value }: { readonly name: string; readonly value: unknown }): ReactNode {
  if (typeof value === "number")
    return /bytes$/i.test(name) ? <Bytes>{value}</Bytes> : <span className="figures">{value}</span>;
  if (typeof value === "boolean") return String(value);
  if (typeof value === "string")
    return (
      <span className="mono">
        <Text>{value}</Text>
      </span>
    );
  if (Array.isArray(value)) return <Members of={value} />;
  return <Member of={value} />;
}

function Members({ of }: { readonly of: readonly unknown[] }): ReactNode {
  const { t } = useTranslation("sessions");
  const shown = of.slice(0, MOST_MEMBERS);
  const isWords = shown.every((member) => typeof member === "string");
  return (
    <ul className={isWords ? "row-of plain-list" : "plain-list members"}>
      {shown.map((member, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a list of the record, never reordered
        <li key={at}>{typeof member === "string" ? <Chip>{member}</Chip> : <Member of={member} />}</li>
      ))}
      {of.length > shown.length && (
        <li className="faint">{t("moment.more", { count: of.length - shown.length })}</li>
      )}
    </ul>
  );
}

function Member({ of }: { readonly of: unknown }): ReactNode {
  if (typeof of !== "object" || of === null) return <Text>{String(of)}</Text>;
  return (
    <span className="member">
      {Object.entries(of)
        .filter(([, value]) => !isNothing(value))
        .map(([name, value]) => (
          <span key={name}>
            <span className="faint">{name}</span>{" "}
            <span className="mono">
              <Text shown={120}>{typeof value === "object" ? JSON.stringify(value) : String(value)}</Text>
            </span>
          </span>
        ))}
    </span>
  );
}
