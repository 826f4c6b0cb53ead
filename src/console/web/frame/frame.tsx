/** The frame round every page: who reads, where one is, and the way to everything else. */
import { type JSX, Suspense, useCallback, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, Navigate, Route, Routes, useLocation } from "react-router";
import { FaultPanel, Loading, Note } from "../parts/state.tsx";
import { useLive } from "../station/live.ts";
import { useReader, WithReader } from "../station/reader.tsx";
import { Drawer } from "./drawer.tsx";
import { Icon, Mark } from "./icons.tsx";
import { Navigation } from "./navigation.tsx";
import { PAGES } from "./pages.ts";
import { Rescue } from "./rescue.tsx";
import { Settings } from "./settings.tsx";
import { Shortcuts } from "./shortcuts.tsx";
import { SignIn } from "./sign-in.tsx";

export function Frame(): JSX.Element {
  return (
    <Suspense fallback={null}>
      <Routes>
        <Route path="/sign-in/:token" element={<SignIn />} />
        <Route path="*" element={<Guarded />} />
      </Routes>
    </Suspense>
  );
}

function Guarded(): JSX.Element {
  return (
    <WithReader
      signedOut={<SignIn />}
      waiting={<Loading />}
      broken={(error, again) => (
        <main className="alone">
          <FaultPanel error={error} again={again} />
        </main>
      )}
    >
      <Inside />
    </WithReader>
  );
}

function Inside(): JSX.Element {
  const { t } = useTranslation();
  const { line, indexing } = useLive();
  const location = useLocation();
  const [isOpen, setOpen] = useState(false);
  const close = useCallback(() => setOpen(false), []);
  const at = location.pathname.split("/")[1] ?? "";
  const page = PAGES.find((entry) => entry.path === at);
  // A page that was just opened is read from its top.
  // biome-ignore lint/correctness/useExhaustiveDependencies: the path is what changed
  useEffect(() => {
    void window.scrollTo(0, 0); // a promise in newer browsers, which React would take for a clean-up
  }, [location.pathname]);

  return (
    <div className="frame">
      <button type="button" className="skip" onClick={() => document.getElementById("content")?.focus()}>
        {t("skip")}
      </button>
      <header className="bar">
        <button
          type="button"
          className="quiet"
          aria-label={t("menu")}
          aria-haspopup="dialog"
          onClick={() => setOpen(true)}
        >
          <Icon name="menu" size={20} />
        </button>
        <Link to="/flows" className="brand" aria-label={t("name")}>
          <Mark />
        </Link>
        <span className="bar-page">{page === undefined ? t("name") : t(`page.${page.id}`)}</span>
        <LiveSign line={line} />
      </header>
      <header className="side">
        <Side line={line} />
      </header>
      <Drawer isOpen={isOpen} onClose={close} label={t("menu")}>
        <Side line={line} onGo={close} />
      </Drawer>
      <main id="content" tabIndex={-1}>
        {indexing !== null && (
          <div className="indexing">
            <Note tone="warn">
              <output>{t("indexing", { size: indexing.size, of: indexing.of })}</output>
            </Note>
          </div>
        )}
        <Rescue key={at}>
          <Suspense fallback={<Loading />}>
            <Routes>
              <Route path="/" element={<Navigate to="/flows" replace />} />
              {PAGES.map(({ id, path, Page }) => (
                <Route key={id} path={`/${path}/*`} element={<Page />} />
              ))}
              <Route path="*" element={<NotFound />} />
            </Routes>
          </Suspense>
        </Rescue>
      </main>
      <Shortcuts />
    </div>
  );
}

function Side({
  line,
  onGo,
}: {
  readonly line: "live" | "waiting";
  readonly onGo?: () => void;
}): JSX.Element {
  const { t } = useTranslation();
  const reader = useReader();
  return (
    <>
      <Link to="/flows" className="brand" {...(onGo === undefined ? {} : { onClick: onGo })}>
        <Mark size={26} />
        <span>{t("name")}</span>
      </Link>
      <Navigation {...(onGo === undefined ? {} : { onGo })} />
      <div className="side-foot">
        <div className="side-live">
          <LiveSign line={line} />
          {reader.isDemo && <span className="demo">{t("demo")}</span>}
        </div>
        <Settings />
      </div>
    </>
  );
}

function LiveSign({ line }: { readonly line: "live" | "waiting" }): JSX.Element {
  const { t } = useTranslation();
  return (
    <span className="live" data-line={line}>
      <span className="live-dot" aria-hidden="true" />
      {t(`live.${line}`)}
    </span>
  );
}

function NotFound(): JSX.Element {
  const { t } = useTranslation();
  return (
    <div className="page">
      <h1>{t("notFound.title")}</h1>
      <p>
        <Link to="/flows">{t("notFound.home")}</Link>
      </p>
    </div>
  );
}
