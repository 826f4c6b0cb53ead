/** The sorts of moments that the time line has lanes for. */
import type { MomentKind } from "../../../api/sessions.ts";
import type { IconName } from "../../frame/icons.tsx";
import type { PageId } from "../../frame/pages.ts";

export const SORTS = ["request", "program", "file", "network", "decision", "session"] as const;
export type Sort = (typeof SORTS)[number];

const SORT_OF: Readonly<Record<MomentKind, Sort>> = {
  session: "session",
  exchange: "request",
  answer: "request",
  failure: "request",
  refused: "network",
  approval: "decision",
  policy: "decision",
  tunnel: "network",
  command: "program",
  "command-end": "program",
  file: "file",
  read: "file",
  connection: "network",
  disclosure: "file",
  evidence: "decision",
  other: "session",
};

export const sortOf = (kind: MomentKind): Sort => SORT_OF[kind] ?? "session";

export const SIGNS: Readonly<Record<Sort, IconName | PageId>> = {
  request: "flows",
  program: "sessions",
  file: "file",
  network: "destinations",
  decision: "policy",
  session: "clock",
};
