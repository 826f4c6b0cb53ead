/** Signing in: the link's token stands in the fragment, so that no server's log holds it; the page posts it, once. */
import { useQueryClient } from "@tanstack/react-query";
import { type JSX, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { useNavigate, useParams } from "react-router";
import type { SignIn as Asked, Me } from "../../api/me.ts";
import { FaultPanel } from "../parts/state.tsx";
import { send } from "../station/call.ts";
import { readerQuery } from "../station/reader.tsx";
import { Mark } from "./icons.tsx";
import { recall } from "./preferences.ts";
import { LanguageSwitch, ThemeSwitch } from "./settings.tsx";
import { changeLanguage } from "./words.ts";

export function SignIn(): JSX.Element {
  const { t } = useTranslation();
  const { token } = useParams();
  const navigate = useNavigate();
  const client = useQueryClient();
  const [error, setError] = useState<unknown>(null);
  const posted = useRef<string | null>(null);

  useEffect(() => {
    if (token === undefined || posted.current === token) return;
    posted.current = token; // a link works once: an effect that runs twice must not use it twice
    const asked: Asked = { token };
    send<Me>("POST", "sign-in", asked, "")
      .then(({ data }) => {
        client.clear();
        client.setQueryData(readerQuery.queryKey, data);
        if (recall("language") === null) void changeLanguage(data.language);
        return navigate("/flows", { replace: true });
      })
      .catch((refused: unknown) => {
        setError(refused);
        window.history.replaceState(null, "", "#/"); // the used token leaves the address bar
      });
  }, [token, client, navigate]);

  const isBusy = token !== undefined && error === null;
  return (
    <main className="alone">
      <div className="sign-in">
        <Mark size={44} />
        <h1>{t("signIn.title")}</h1>
        {isBusy ? (
          <p role="status">{t("signIn.busy")}</p>
        ) : (
          <>
            {error !== null && <FaultPanel error={error} title={t("signIn.failed")} />}
            <p>{t("signIn.how")}</p>
            <pre className="command">sallyport console</pre>
          </>
        )}
        <p className="faint">{t("signIn.local")}</p>
        <div className="settings-row">
          <LanguageSwitch />
          <ThemeSwitch />
        </div>
      </div>
    </main>
  );
}
