/** `sallyport approvals` and `sallyport break-glass`: what waits for a person, what was allowed, and for how long. */
import { Fault } from "../core/index.ts";
import type { OpenQuestion } from "../gateway/index.ts";
import type { study } from "../policy/index.ts";
import type { ApprovalList } from "./approval-desk.ts";
import type { Places } from "./places.ts";
import { printable, table } from "./print.ts";
import { lineToRunning, reachStation } from "./reach.ts";
import type { ApprovalAction, StationLine } from "./talk.ts";

export interface ApprovalFlags {
  readonly scope?: string;
  readonly for?: string;
  readonly reason?: string;
  readonly json?: boolean;
}

export async function approvals(
  words: readonly string[],
  flags: ApprovalFlags,
  places: Places,
): Promise<number> {
  const [action = "list", id] = words;
  const line = await lineToRunning(places);
  if (line === null) {
    if (action !== "list" && action !== "watch")
      throw new Fault("approval.unknown", { detail: "the station is not running, so nothing waits" });
    process.stdout.write(
      flags.json === true ? `${JSON.stringify({ questions: [], exceptions: [] })}\n` : "nothing waits\n",
    );
    return 0;
  }
  try {
    return await withStation(line, action, id, flags);
  } finally {
    line.close();
  }
}

async function withStation(
  line: StationLine,
  action: string,
  id: string | undefined,
  flags: ApprovalFlags,
): Promise<number> {
  const say = (value: unknown, text: string): number => {
    process.stdout.write(flags.json === true ? `${JSON.stringify(value)}\n` : `${printable(text)}\n`);
    return 0;
  };
  const ask = <T>(asked: ApprovalAction): Promise<T> => line.ask<T>({ op: "approvals", action: asked });
  switch (action) {
    case "list": {
      const list = await ask<ApprovalList>({ do: "list" });
      return say(list, listText(list));
    }
    case "show": {
      const wanted = needed(id, action);
      const { questions } = await ask<ApprovalList>({ do: "list" });
      const question = questions.find((one) => one.id === wanted);
      if (question === undefined) throw new Fault("approval.unknown", { detail: `\`${wanted}\`` });
      return say(question, questionText(question));
    }
    case "approve":
    case "deny": {
      const { scope, forMs } = scopeOf(flags);
      const verdict = action === "approve" ? "allow" : "deny";
      const reason = flags.reason ?? "";
      if (scope === "time" && (verdict === "deny" || reason === ""))
        throw new Fault("usage.invalid", {
          detail:
            verdict === "deny"
              ? "a denial holds once or for the session"
              : "--for beyond the session wants --reason",
          remedy: 'for example: --for 1h --reason "rotating the keys"',
        });
      const asked = { do: "answer", id: needed(id, action), verdict, scope, forMs, reason } as const;
      const question = await ask<OpenQuestion>(asked);
      const how = scope === "time" ? `for ${flags.for}` : scope === "once" ? "once" : "for the session";
      return say(question, `${question.id}: ${verdict === "allow" ? "allowed" : "denied"} ${how}`);
    }
    case "end":
      return say(await ask({ do: "end", id: needed(id, action) }), `${id}: ended`);
    case "watch":
      return watch(line, flags.json === true);
    default:
      throw new Fault("usage.invalid", {
        detail: `unknown action \`approvals ${action}\``,
        remedy: "see `sallyport approvals --help`",
      });
  }
}

/** What happens, as it happens, until the station stops or the person does. */
async function watch(line: StationLine, json: boolean): Promise<number> {
  line.onNews(({ line: text, event }) => {
    if (json) process.stdout.write(`${JSON.stringify(event ?? { what: "told", text })}\n`);
    else if (event?.what === "asked") process.stdout.write(`${printable(questionText(event.question))}\n`);
    else if (event?.what === "answered")
      process.stdout.write(`${event.question.id}: ${event.verdict} by ${printable(event.by)}\n`);
    else if (event?.what === "expired") process.stdout.write(`${event.question.id}: over\n`);
    else if (event?.what === "granted" || event?.what === "ended")
      process.stdout.write(`${event.what}: ${printable(exceptionText(event.waiver))}\n`);
    else if (text !== null) process.stdout.write(`${printable(text)}\n`);
  });
  await line.ask({ op: "subscribe" });
  // What was asked before anybody watched; a question that came in between is told twice.
  const { questions } = await line.ask<ApprovalList>({ op: "approvals", action: { do: "list" } });
  for (const question of questions)
    process.stdout.write(
      json ? `${JSON.stringify({ what: "asked", question })}\n` : `${printable(questionText(question))}\n`,
    );
  await line.closed;
  return 0;
}

export interface BreakGlassFlags {
  readonly for?: string;
  readonly reason?: string;
  readonly rule?: string;
  readonly to?: string;
  readonly data?: string;
  readonly agent?: string;
  readonly repo?: string;
  readonly profile?: string;
  readonly json?: boolean;
}

/** One person alone, for at most an hour, of a rule that may be waived; every running session is told. */
export async function breakGlass(flags: BreakGlassFlags, places: Places): Promise<number> {
  const scope = Object.fromEntries(
    [
      ["host", flags.to],
      ["data", flags.data],
      ["agent", flags.agent],
      ["repo", flags.repo],
    ].flatMap(([label, value]) => (value === undefined ? [] : [[label, value.split(",")]])),
  ) as Record<string, string[]>;
  if (flags.rule === undefined || flags.reason === undefined || flags.reason.trim() === "")
    throw new Fault("usage.invalid", {
      detail: "break-glass wants --rule and --reason",
      remedy:
        'for example: sallyport break-glass --rule engineer/secrets-on-own-servers --data secret --for 30m --reason "outage 4711"',
    });
  if (Object.keys(scope).length === 0)
    throw new Fault("usage.invalid", {
      detail: "break-glass wants to know for what",
      remedy: "name at least one of --to HOST, --data CLASS, --agent NAME, --repo CLASS",
    });
  const line = await reachStation(places);
  const action = {
    do: "break-glass",
    rule: flags.rule,
    scope,
    forMs: milliseconds(flags.for ?? "30m"),
    reason: flags.reason,
    profile: flags.profile ?? null,
    cwd: process.cwd(),
  } as const;
  const waiver = await line.ask<study.Waiver>({ op: "approvals", action }).finally(() => line.close());
  process.stdout.write(
    flags.json === true ? `${JSON.stringify(waiver)}\n` : `BREAK-GLASS ${printable(exceptionText(waiver))}\n`,
  );
  return 0;
}

/** Take up changed documents now, and say which sessions did. */
export async function reloadPolicies(places: Places, json: boolean): Promise<number> {
  const line = await lineToRunning(places);
  const done =
    line === null
      ? { changed: [], rejected: [] }
      : await line
          .ask<{ changed: string[]; rejected: { session: string; at: string; detail: string }[] }>({
            op: "reload",
          })
          .finally(() => line.close());
  const rows = [
    ...done.changed.map((session) => `${session}: judged by the changed policy from now on`),
    ...done.rejected.map(({ session, at, detail }) => `${session}: keeps the old policy: ${at} ${detail}`),
  ];
  process.stdout.write(
    json
      ? `${JSON.stringify(done)}\n`
      : `${printable(rows.length === 0 ? "nothing has changed" : rows.join("\n"))}\n`,
  );
  return done.rejected.length > 0 ? 4 : 0;
}

function scopeOf(flags: ApprovalFlags): {
  readonly scope: "once" | "session" | "time";
  readonly forMs: number | null;
} {
  if (flags.for !== undefined) {
    if (flags.scope !== undefined)
      throw new Fault("usage.invalid", { detail: "--for and --scope say the same thing twice" });
    return { scope: "time", forMs: milliseconds(flags.for) };
  }
  const scope = flags.scope ?? "once";
  if (scope !== "once" && scope !== "session")
    throw new Fault("usage.invalid", {
      detail: `unknown scope \`${scope}\``,
      remedy: "use --scope once, --scope session, or --for TIME",
    });
  return { scope, forMs: null };
}

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `90s`, `30m`, `12h`, `2d` */
function milliseconds(text: string): number {
  const [, number = "", unit = ""] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const ms = Number(number) * (UNITS[unit] ?? 0);
  if (!(ms > 0))
    throw new Fault("usage.invalid", {
      detail: `\`${text}\` is no time`,
      remedy: "write it as 90s, 30m, 12h or 2d",
    });
  return ms;
}

function needed(id: string | undefined, action: string): string {
  if (id === undefined)
    throw new Fault("usage.invalid", {
      detail: `\`approvals ${action}\` wants an id`,
      remedy: "see `sallyport approvals`",
    });
  return id;
}

function listText({ questions, exceptions }: ApprovalList): string {
  const rows = questions.map((one) => [
    one.id,
    one.agent,
    `${one.classes.join(",")} → ${one.sentTo}`,
    one.rules.join(","),
    `${secondsLeft(one)} s left${one.isWaiting ? "" : ", the agent has stopped waiting"}`,
  ]);
  return [
    questions.length === 0 ? "nothing waits" : table(rows),
    ...(exceptions.length === 0
      ? []
      : ["", "in force:", ...exceptions.map((one) => `  ${exceptionText(one)}`)]),
  ].join("\n");
}

const secondsLeft = ({ deadlineAt }: OpenQuestion): number =>
  Math.max(0, Math.round((deadlineAt - Date.now()) / 1000));

const questionText = (one: OpenQuestion): string =>
  [
    `${one.id}  ${one.text}`,
    `  ${one.requestBytes} bytes to ${one.sentTo}${one.model === null ? "" : `, model ${one.model}`}; found: ${one.findings.map(({ class: dataClass, detector, count }) => `${count} × ${dataClass} (${detector})`).join(", ") || "nothing new"}`,
    `  to see what would leave: sallyport show ${one.session} --events, then --evidence ID --reason TEXT`,
    `  sallyport approvals approve ${one.id} [--scope session | --for 1h] | deny ${one.id}    ${secondsLeft(one)} s left`,
  ].join("\n");

const exceptionText = ({ id, rule, scope, reason, approver, expiresAt }: study.Waiver): string =>
  `${id}  ${rule}  ${Object.entries(scope)
    .map(([label, values]) => `${label}=${(values ?? []).join(",")}`)
    .join(" ")}  until ${new Date(expiresAt).toISOString()}  by ${approver}: ${reason}`;
