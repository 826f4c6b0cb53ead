/** The first thing that runs in the browser: theme and language, then the frame. */
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { HashRouter } from "react-router";
import { Frame } from "./frame/frame.tsx";
import { pageAt } from "./frame/pages.ts";
import { applyTheme, recall, themeOf } from "./frame/preferences.ts";
import { beginWords, isLanguage, languageOf, speak } from "./frame/words.ts";
import { readerQuery } from "./station/reader.tsx";

import "./style/fonts.css";
import "./style/tokens.css";
import "./style/base.css";
import "./style/frame.css";
import "./style/parts.css";

applyTheme(themeOf(recall("theme")));
const client = new QueryClient({ defaultOptions: { queries: { refetchOnWindowFocus: true } } });
const kept = recall("language");
const language = isLanguage(kept) ? kept : languageOf(navigator.languages);
// What the page will ask for one after the other is asked for at once. A link's token is spent first.
const page = pageAt(location.hash.slice(1));
if (page !== undefined) {
  void client.prefetchQuery(readerQuery);
  page.begin();
  beginWords(language, page.id);
}
await speak(language);

const root = document.getElementById("console");
if (root === null) throw new Error("index.html has no place for the console");
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={client}>
      <HashRouter>
        <Frame />
      </HashRouter>
    </QueryClientProvider>
  </StrictMode>,
);
