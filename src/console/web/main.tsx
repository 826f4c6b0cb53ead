/** The first thing that runs in the browser: theme and language, then the frame. */
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { HashRouter } from "react-router";
import { Frame } from "./frame/frame.tsx";
import { applyTheme, recall, themeOf } from "./frame/preferences.ts";
import { isLanguage, languageOf, speak } from "./frame/words.ts";

import "./style/fonts.css";
import "./style/tokens.css";
import "./style/base.css";
import "./style/frame.css";
import "./style/parts.css";

applyTheme(themeOf(recall("theme")));
const kept = recall("language");
await speak(isLanguage(kept) ? kept : languageOf(navigator.languages));

const root = document.getElementById("console");
if (root === null) throw new Error("index.html has no place for the console");
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider
      client={new QueryClient({ defaultOptions: { queries: { refetchOnWindowFocus: true } } })}
    >
      <HashRouter>
        <Frame />
      </HashRouter>
    </QueryClientProvider>
  </StrictMode>,
);
