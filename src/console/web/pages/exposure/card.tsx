/** One card: an agent's build, a destination and a period, as four questions and their answers. */
import type { JSX, ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import type { Count } from "../../../api/answer.ts";
import type { ExposureCard, Fact } from "../../../api/exposure.ts";
import { Icon } from "../../frame/icons.tsx";
import { Facts } from "../../parts/facts.tsx";
import { Bytes, entriesAt } from "../../parts/figures.tsx";
import { spanText } from "../../parts/range-picker.tsx";
import { Text } from "../../parts/text.tsx";
import { Chip } from "../../parts/verdict.tsx";
import { useMay } from "../../station/reader.tsx";
import { Samples } from "./samples.tsx";

const MOST_NAMES = 6;

export function Card({ card }: { readonly card: ExposureCard }): JSX.Element {
  const { t, i18n } = useTranslation("exposure");
  const heading = `card ${card.id}`;
  return (
    <article className="card" aria-labelledby={heading}>
      <header>
        <h2 id={heading} className="row-of">
          <Text>{`${card.agent} ${card.version ?? ""}`.trim()}</Text>
          <Icon name="next" size={14} />
          <Text>{card.destination}</Text>
        </h2>
        <p className="row-of faint">
          {spanText(card, i18n.language)}
          {card.build !== null && (
            <span className="mono fine">
              <Text shown={24}>{card.build}</Text>
            </span>
          )}
          <Link to={entriesAt(card.filter)}>{t("entries")}</Link>
        </p>
      </header>
      <div className="questions">
        <Transmitted card={card} />
        <Servers card={card} />
        <Terms card={card} />
        <Seen card={card} />
      </div>
    </article>
  );
}

function Question({
  of,
  children,
}: {
  readonly of: "transmitted" | "servers" | "terms" | "seen";
  readonly children: ReactNode;
}): JSX.Element {
  const { t } = useTranslation("exposure");
  return (
    <section>
      <h3>{t(`question.${of}`)}</h3>
      {children}
    </section>
  );
}

function Transmitted({ card: { transmitted } }: { readonly card: ExposureCard }): JSX.Element {
  const { t } = useTranslation("exposure");
  return (
    <Question of="transmitted">
      <p className="card-figure">
        <Bytes>{transmitted.bytes}</Bytes>{" "}
        <span className="soft">
          {t("requests", { count: transmitted.requests, sessions: transmitted.sessions })}
        </span>
      </p>
      <div className="row-of">
        {transmitted.classes.map(({ class: name, requests, filter }) => (
          <Link key={name} className="chip chip-link" data-tone="warn" to={entriesAt(filter)}>
            <Text isCut shown={60}>{`${name} ${requests}`}</Text>
          </Link>
        ))}
        {transmitted.classes.length === 0 && <Chip tone="good">{t("noClass")}</Chip>}
        {transmitted.redacted > 0 && (
          <Chip tone="warn">{t("redacted", { count: transmitted.redacted })}</Chip>
        )}
        {transmitted.denied > 0 && <Chip tone="bad">{t("denied", { count: transmitted.denied })}</Chip>}
        {transmitted.notUnderstood > 0 && (
          <Chip tone="bad">{t("notUnderstood", { count: transmitted.notUnderstood })}</Chip>
        )}
      </div>
      <Facts
        rows={[
          transmitted.workspaces.length === 0
            ? null
            : { name: t("from"), value: <Names of={transmitted.workspaces} /> },
          transmitted.models.length === 0
            ? null
            : { name: t("models"), value: <Names of={transmitted.models} /> },
        ]}
      />
    </Question>
  );
}

function Names({ of }: { readonly of: readonly Count[] }): JSX.Element {
  const { t } = useTranslation("exposure");
  return (
    <span className="row-of">
      {of.slice(0, MOST_NAMES).map(({ name, count }) => (
        <span key={name}>
          <Text>{name}</Text> <span className="faint figures">{count}</span>
        </span>
      ))}
      {of.length > MOST_NAMES && (
        <span className="faint">{t("more", { count: of.length - MOST_NAMES })}</span>
      )}
    </span>
  );
}

function Servers({ card: { servers } }: { readonly card: ExposureCard }): JSX.Element {
  const { t } = useTranslation("exposure");
  return (
    <Question of="servers">
      {servers.register === null ? (
        <Chip tone="warn">{t("notInRegister")}</Chip>
      ) : (
        <FactList of={servers.register} />
      )}
      <Facts
        rows={[
          { name: t("hosts"), value: <List of={servers.hosts} /> },
          { name: t("reached"), value: <List of={servers.sentTo} /> },
          servers.reported.length === 0
            ? null
            : {
                name: t("reported"),
                value: (
                  <ul className="plain-list">
                    {servers.reported.slice(0, MOST_NAMES).map(({ model, region, requests }) => (
                      <li key={`${model} ${region}`}>
                        <Text>{[model, region].filter((said) => said !== null).join(" · ")}</Text>{" "}
                        <span className="faint figures">{requests}</span>
                      </li>
                    ))}
                  </ul>
                ),
              },
          servers.addresses.length === 0
            ? null
            : { name: t("addresses"), value: <List of={servers.addresses} /> },
          servers.tlsPeers.length === 0
            ? null
            : { name: t("certificates"), value: <List of={servers.tlsPeers} shown={20} /> },
        ]}
      />
    </Question>
  );
}

function List({ of, shown = 60 }: { readonly of: readonly string[]; readonly shown?: number }): JSX.Element {
  const { t } = useTranslation("exposure");
  return (
    <ul className="plain-list mono fine">
      {of.slice(0, MOST_NAMES).map((name) => (
        <li key={name}>
          <Text shown={shown}>{name}</Text>
        </li>
      ))}
      {of.length > MOST_NAMES && <li className="faint">{t("more", { count: of.length - MOST_NAMES })}</li>}
    </ul>
  );
}

function Terms({ card: { terms } }: { readonly card: ExposureCard }): JSX.Element {
  const { t } = useTranslation("exposure");
  return (
    <Question of="terms">
      {terms === null ? <Chip tone="warn">{t("noTerms")}</Chip> : <FactList of={terms} />}
    </Question>
  );
}

/** Facts of the register: what is said, by whom, and as of when; once, where all are from one place. */
function FactList({ of }: { readonly of: readonly Fact[] }): JSX.Element {
  const origins = new Set(of.map(({ asOf, sources }) => [asOf, ...sources].join(" ")));
  const [first] = of;
  const isOne = origins.size === 1 && first !== undefined;
  return (
    <>
      <Facts
        rows={of.map((fact) => ({
          name: fact.name.replaceAll("_", " "),
          value: (
            <>
              <Text shown={160}>{fact.value}</Text> {!isOne && <Origin of={fact} />}
            </>
          ),
        }))}
      />
      {isOne && (
        <p>
          <Origin of={first} />
        </p>
      )}
    </>
  );
}

function Origin({ of }: { readonly of: Fact }): JSX.Element {
  const { t } = useTranslation("exposure");
  return (
    <span className="fact-source">
      {t("asOf", { day: of.asOf })}
      {of.sources.length > 0 && (
        <>
          {" · "}
          <Text shown={120}>{of.sources.join(", ")}</Text>
        </>
      )}{" "}
      {of.isStale && <Chip tone="warn">{t("stale")}</Chip>}
    </span>
  );
}

function Seen({ card }: { readonly card: ExposureCard }): JSX.Element {
  const { t } = useTranslation("exposure");
  const mayRead = useMay("read-evidence");
  const { parties, laws, sample } = card.seen;
  return (
    <Question of="seen">
      <ul className="plain-list parties">
        {parties.map(({ who, by, law }) => (
          <li key={`${who} ${by}`}>
            <strong>
              <Text>{who}</Text>
            </strong>{" "}
            <span className="soft">
              <Text>{by}</Text>
            </span>{" "}
            {law !== null && <Chip>{law}</Chip>}
          </li>
        ))}
      </ul>
      {laws.length > 0 && (
        <p className="row-of">
          <span className="faint">{t("laws")}</span>
          {laws.map((law) => (
            <Chip key={law} tone="accent">
              {law}
            </Chip>
          ))}
        </p>
      )}
      {mayRead ? sample !== null && <Samples card={card} /> : <p className="faint">{t("bytes.forbidden")}</p>}
    </Question>
  );
}
