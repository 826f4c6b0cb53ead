/** Every page: where it is, the key that leads to it, and its code, which is loaded when it is first opened. */
import { type ComponentType, type LazyExoticComponent, lazy } from "react";

export interface PageEntry {
  readonly id: PageId;
  readonly path: string;
  /** After `g`. */
  readonly key: string;
  readonly group: "out" | "who" | "rules" | "record";
  readonly Page: LazyExoticComponent<ComponentType>;
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

export const GROUPS = ["out", "who", "rules", "record"] as const;

export const PAGES: readonly PageEntry[] = [
  {
    id: "flows",
    key: "f",
    group: "out",
    path: "flows",
    Page: lazy(async () => ({ default: (await import("../pages/flows/page.tsx")).Flows })),
  },
  {
    id: "exposure",
    key: "e",
    group: "out",
    path: "exposure",
    Page: lazy(async () => ({ default: (await import("../pages/exposure/page.tsx")).Exposure })),
  },
  {
    id: "disclosures",
    key: "i",
    group: "out",
    path: "disclosures",
    Page: lazy(async () => ({ default: (await import("../pages/disclosures/page.tsx")).Disclosures })),
  },
  {
    id: "sessions",
    key: "s",
    group: "who",
    path: "sessions",
    Page: lazy(async () => ({ default: (await import("../pages/sessions/page.tsx")).Sessions })),
  },
  {
    id: "agents",
    key: "a",
    group: "who",
    path: "agents",
    Page: lazy(async () => ({ default: (await import("../pages/agents/page.tsx")).Agents })),
  },
  {
    id: "destinations",
    key: "d",
    group: "who",
    path: "destinations",
    Page: lazy(async () => ({ default: (await import("../pages/destinations/page.tsx")).Destinations })),
  },
  {
    id: "policy",
    key: "p",
    group: "rules",
    path: "policy",
    Page: lazy(async () => ({ default: (await import("../pages/policy/page.tsx")).Policy })),
  },
  {
    id: "approvals",
    key: "q",
    group: "rules",
    path: "approvals",
    Page: lazy(async () => ({ default: (await import("../pages/approvals/page.tsx")).Approvals })),
  },
  {
    id: "ledger",
    key: "l",
    group: "record",
    path: "ledger",
    Page: lazy(async () => ({ default: (await import("../pages/ledger/page.tsx")).Ledger })),
  },
  {
    id: "health",
    key: "h",
    group: "record",
    path: "health",
    Page: lazy(async () => ({ default: (await import("../pages/health/page.tsx")).Health })),
  },
];
