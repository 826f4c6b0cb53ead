/** `sallyport console`: a link into the console, and who is in it. */
import { spawn } from "node:child_process";
import { isRole, ROLES, type Role } from "../console/index.ts";
import { Fault } from "../core/index.ts";
import { buildMissingPages } from "./console-pages.ts";
import { languageFrom } from "./language.ts";
import type { Places } from "./places.ts";
import { printable, table } from "./print.ts";
import { lineToRunning, reachStation } from "./reach.ts";
import type { ConsoleAction, ConsoleAnswer } from "./talk.ts";

const ALL_ROLES = Object.keys(ROLES).filter(isRole);

export interface ConsoleFlags {
  readonly port?: string;
  readonly role?: readonly string[];
  readonly name?: string;
  readonly "no-open"?: boolean;
  readonly json?: boolean;
}

export async function consoleCommand(
  words: readonly string[],
  flags: ConsoleFlags,
  places: Places,
): Promise<number> {
  const [action, id, ...rest] = words;
  const isSurplus = rest.length > 0 || (id !== undefined && action !== "revoke");
  if (isSurplus) throw new Fault("usage.invalid", { detail: `surplus word \`${rest[0] ?? id}\`` });
  switch (action) {
    case undefined:
      return link(flags, places);
    case "links":
      return links(flags, places);
    case "revoke": {
      if (id === undefined)
        throw new Fault("usage.invalid", {
          detail: "`console revoke` wants an id, or `all`",
          remedy: "see `sallyport console links`",
        });
      const { revoked = 0 } = await askRunning({ do: "revoke", id }, places);
      return said(flags, { revoked }, `ended: ${revoked}`);
    }
    case "stop":
      await askRunning({ do: "stop" }, places);
      return said(flags, { running: false }, "the console is stopped");
    default:
      throw new Fault("usage.invalid", {
        detail: `unknown action \`console ${action}\``,
        remedy: "see `sallyport console --help`",
      });
  }
}

async function link(flags: ConsoleFlags, places: Places): Promise<number> {
  const roles = rolesOf(flags.role);
  const port = flags.port === undefined ? null : portOf(flags.port);
  const name = flags.name ?? null;
  if (name !== null && !/^[\w.-]{1,40}$/.test(name))
    throw new Fault("usage.invalid", { detail: "--name wants letters, digits, dots and dashes, at most 40" });
  buildMissingPages();
  const line = await reachStation(places);
  const answer = await line
    .ask<ConsoleAnswer>({
      op: "console",
      action: { do: "link", port, roles, name, language: languageFrom(process.env) },
    })
    .finally(() => line.close());
  const { origin, url = "" } = answer;
  if (flags.json === true)
    process.stdout.write(`${JSON.stringify({ origin, url, expiresAt: answer.expiresAt, roles })}\n`);
  else
    process.stdout.write(
      `${url}\n  signs one person in, once, within five minutes, as ${roles.length === ALL_ROLES.length ? "all roles" : roles.join(", ")}\n  the console runs on ${origin} until the station stops (\`sallyport console stop\` ends it)\n`,
    );
  if (flags["no-open"] !== true && flags.json !== true) openBrowser(url);
  return 0;
}

async function links(flags: ConsoleFlags, places: Places): Promise<number> {
  const { origin, links: rows = [] } = await askRunning({ do: "links" }, places);
  if (flags.json === true) process.stdout.write(`${JSON.stringify({ origin, links: rows })}\n`);
  else if (rows.length === 0)
    process.stdout.write(
      origin === null ? "the console does not run\n" : "nobody is signed in, no link waits\n",
    );
  else
    process.stdout.write(
      `${table([
        ["id", "who", "state", "until", "roles"],
        ...rows.map((row) => [
          row.id,
          printable(row.principal),
          row.state,
          new Date(row.expiresAt).toISOString(),
          row.roles.join(" "),
        ]),
      ])}\n`,
    );
  return 0;
}

async function askRunning(action: ConsoleAction, places: Places): Promise<ConsoleAnswer> {
  const line = await lineToRunning(places);
  if (line === null) return { origin: null };
  return line.ask<ConsoleAnswer>({ op: "console", action }).finally(() => line.close());
}

function said(flags: ConsoleFlags, json: object, text: string): number {
  process.stdout.write(flags.json === true ? `${JSON.stringify(json)}\n` : `${text}\n`);
  return 0;
}

function rolesOf(words: readonly string[] | undefined): readonly Role[] {
  if (words === undefined) return ALL_ROLES;
  return [...new Set(words.flatMap((word) => word.split(",")))].map((word) => {
    if (isRole(word)) return word;
    throw new Fault("usage.invalid", {
      detail: `no role \`${word}\``,
      remedy: `use ${ALL_ROLES.join(", ")}`,
    });
  });
}

function portOf(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1024 || port > 65_535)
    throw new Fault("usage.invalid", { detail: "--port wants 1024 to 65535" });
  return port;
}

/** On a desktop only; that it cannot be opened is nothing to tell, as the link is printed. */
function openBrowser(url: string): void {
  const hasDesktop = process.env["DISPLAY"] !== undefined || process.env["WAYLAND_DISPLAY"] !== undefined;
  if (process.stdout.isTTY !== true || (process.platform === "linux" && !hasDesktop)) return;
  // The address holds the token, and other users can read a program's arguments. It is good once, and the browser is faster.
  const opener = process.platform === "darwin" ? "open" : "xdg-open";
  spawn(opener, [url], { stdio: "ignore", detached: true })
    .on("error", () => undefined)
    .unref();
}
