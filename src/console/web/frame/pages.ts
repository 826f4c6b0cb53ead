/** Every page: where it is, the key that leads to it, and its code, which is loaded when it is first opened. */
import { type ComponentType, type LazyExoticComponent, lazy } from "react";

export interface PageEntry {
  readonly id: PageId;
  readonly path: string;
  /** After `g`. */
  readonly key: string;
  readonly group: "out" | "who" | "rules" | "record";
  readonly Page: LazyExoticComponent<ComponentType>;
  /** Begins to load its code. */
  readonly begin: () => void;
}

export type PageId =
  | "flows"
  | "exposure"
  | "disclosures"
  | "sessions"
  | "agents"
  | "destinations"
  | "policy"
  | "approvals"
  | "ledger"
  | "health";

function page(load: () => Promise<ComponentType>): Pick<PageEntry, "Page" | "begin"> {
  return {
    Page: lazy(async () => ({ default: await load() })),
    // What fails here fails again, and is told, when the page is shown.
    begin: () => void load().catch(() => undefined),
  };
}

/** The page of a path as it stands behind `#`. */
export const pageAt = (path: string): PageEntry | undefined => {
  const [, at = ""] = path.split(/[/?]/);
  return PAGES.find((entry) => entry.path === (at === "" ? "flows" : at));
};

export const GROUPS = ["out", "who", "rules", "record"] as const;

export const PAGES: readonly PageEntry[] = [
  {
    id: "flows",
    key: "f",
    group: "out",
    path: "flows",
    ...page(async () => (await import("../pages/flows/page.tsx")).Flows),
  },
  {
    id: "exposure",
    key: "e",
    group: "out",
    path: "exposure",
    ...page(async () => (await import("../pages/exposure/page.tsx")).Exposure),
  },
  {
    id: "disclosures",
    key: "i",
    group: "out",
    path: "disclosures",
    ...page(async () => (await import("../pages/disclosures/page.tsx")).Disclosures),
  },
  {
    id: "sessions",
    key: "s",
    group: "who",
    path: "sessions",
    ...page(async () => (await import("../pages/sessions/page.tsx")).Sessions),
  },
  {
    id: "agents",
    key: "a",
    group: "who",
    path: "agents",
    ...page(async () => (await import("../pages/agents/page.tsx")).Agents),
  },
  {
    id: "destinations",
    key: "d",
    group: "who",
    path: "destinations",
    ...page(async () => (await import("../pages/destinations/page.tsx")).Destinations),
  },
  {
    id: "policy",
    key: "p",
    group: "rules",
    path: "policy",
    ...page(async () => (await import("../pages/policy/page.tsx")).Policy),
  },
  {
    id: "approvals",
    key: "q",
    group: "rules",
    path: "approvals",
    ...page(async () => (await import("../pages/approvals/page.tsx")).Approvals),
  },
  {
    id: "ledger",
    key: "l",
    group: "record",
    path: "ledger",
    ...page(async () => (await import("../pages/ledger/page.tsx")).Ledger),
  },
  {
    id: "health",
    key: "h",
    group: "record",
    path: "health",
    ...page(async () => (await import("../pages/health/page.tsx")).Health),
  },
];
