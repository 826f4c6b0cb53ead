/** What a moment is called, in the reader's language, from its event's fields; else as the server says it in English. */
import { useTranslation } from "react-i18next";
import type { Moment } from "../../../api/sessions.ts";

type Fields = Readonly<Record<string, unknown>>;

const text = (fields: Fields, name: string): string => {
  const value = fields[name];
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
};

/** An agent stands as its name and its version. */
function nameOf(agent: unknown): string {
  if (typeof agent !== "object" || agent === null) return "";
  const fields = agent as Fields; // an object's members, whatever they are
  return `${text(fields, "name")} ${text(fields, "version")}`.trim();
}

/** The first of a list's members by a field, and how many more there are. */
function listed(
  fields: Fields,
  list: string,
  name: string,
): { readonly first: string; readonly more: number } {
  const members = fields[list];
  if (!Array.isArray(members)) return { first: "", more: 0 };
  const [head]: unknown[] = members;
  const first = typeof head === "object" && head !== null ? text(head as Fields, name) : "";
  return { first, more: Math.max(0, members.length - 1) };
}

const LISTS = {
  "command.started": { key: "command-started", list: "commands", name: "program" },
  "file.changed": { key: "file-changed", list: "changes", name: "path" },
  "file.read": { key: "file-read", list: "reads", name: "path" },
  "exchange.traced": { key: "exchange-traced", list: "files", name: "path" },
  "connection.tried": { key: "connection-tried", list: "connections", name: "host" },
} as const;

const PLAIN = {
  "session.started": "session-started",
  "session.ended": "session-ended",
  "exchange.judged": "exchange-judged",
  "exchange.answered": "exchange-answered",
  "exchange.failed": "exchange-failed",
  "connection.refused": "connection-refused",
  "approval.asked": "approval-asked",
  "approval.answered": "approval-answered",
  "approval.expired": "approval-expired",
  "policy.changed": "policy-changed",
  "evidence.viewed": "evidence-viewed",
  "evidence.unmasked": "evidence-unmasked",
  "tunnel.opened": "tunnel-opened",
  "tunnel.closed": "tunnel-closed",
  "command.ended": "command-ended",
  "workspace.measured": "workspace-measured",
} as const;

const isKey = <T extends object>(table: T, key: string): key is Extract<keyof T, string> =>
  Object.hasOwn(table, key);

export function useTitle({ fields, event, title }: Moment): string {
  const { t } = useTranslation("sessions");
  if (isKey(LISTS, event)) {
    const { key, list, name } = LISTS[event];
    const { first, more } = listed(fields, list, name);
    if (first === "") return key === "exchange-traced" ? t("moment.traced-none") : title;
    const said = t(`moment.${key}`, { first });
    return more === 0 ? said : `${said} ${t("moment.more", { count: more })}`;
  }
  if (!isKey(PLAIN, event)) return title;
  return t(`moment.${PLAIN[event]}`, {
    method: text(fields, "method"),
    host: text(fields, "host"),
    port: text(fields, "port"),
    path: text(fields, "path"),
    status: text(fields, "status"),
    fault: text(fields, "fault"),
    reason: text(fields, "reason"),
    by: text(fields, "by") || text(fields, "principal"),
    agent: nameOf(fields["agent"]) || title,
    files: text(fields, "files"),
  });
}
