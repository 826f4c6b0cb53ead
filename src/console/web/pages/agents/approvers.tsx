/** Whose word counts, and the key of this browser. */
import { type JSX, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import type { AgentsOverview } from "../../../api/agents.ts";
import { Command } from "../../parts/copy-button.tsx";
import { Panel } from "../../parts/page.tsx";
import { FaultPanel, Note } from "../../parts/state.tsx";
import { Text } from "../../parts/text.tsx";
import { Chip } from "../../parts/verdict.tsx";
import { makeOwnKey, type OwnKey, ownKey } from "./own-key.ts";

export function Approvers({ overview }: { readonly overview: AgentsOverview }): JSX.Element {
  const { t } = useTranslation(["agents", "frame"]);
  const { approvers, required, signsAs } = overview;
  const [key, setKey] = useState<OwnKey | null>(null);
  const [error, setError] = useState<unknown>(null);
  useEffect(() => {
    ownKey().then(setKey, setError);
  }, []);
  const isListed = approvers.some((approver) => approver.key === key?.publicText);
  return (
    <Panel title={t("approvers")} note={t("approversNote")}>
      <div className="split">
        <div className="approvers">
          <p>{approvers.length === 0 ? t("noApprovers") : t("requiredOf", { count: required })}</p>
          <ul>
            {approvers.map(({ name, key: text }) => (
              <li key={text}>
                <Text>{name}</Text> {name === signsAs && <Chip tone="accent">{t("thisMachine")}</Chip>}
                {text === key?.publicText && <Chip tone="accent">{t("thisBrowser")}</Chip>}
                <code className="faint wrap">{text}</code>
              </li>
            ))}
          </ul>
          <Note>{signsAs === null ? t("machineNotYours") : t("machineYours", { name: signsAs })}</Note>
        </div>
        <div className="approvers">
          <h3>{t("ownKey")}</h3>
          <p className="soft">{t("ownKeyNote")}</p>
          {error !== null && <FaultPanel error={error} />}
          {key === null ? (
            <button
              type="button"
              className="plain"
              onClick={() => {
                setError(null);
                makeOwnKey().then(setKey, setError);
              }}
            >
              {t("makeKey")}
            </button>
          ) : (
            <>
              <p>{isListed ? t("keyListed") : t("keyNotListed")}</p>
              <Command>{`- { name: YOUR NAME, key: ${key.publicText} }`}</Command>
            </>
          )}
        </div>
      </div>
    </Panel>
  );
}
