/** The declaration as a person reads it in a terminal. Layout: a label of ten columns, then the facts. */
import { styleText } from "node:util";
import type { Declaration, DeclaredDestination, DestinationFacts } from "./declaration.ts";

export interface Surround {
  /** What the register says of a destination row; null when nothing. */
  readonly facts: (destination: string) => DestinationFacts | null;
  readonly color: boolean;
  /** Time of the newest signed checkpoint (Unix ms), or null. */
  readonly signedAt: number | null;
  /** The origin of the console; null or absent when it does not run. */
  readonly consoleAt?: string | null;
}

/** Lines without a trailing line feed. A line whose feature did not act is not there. */
export function declarationText(declared: Declaration, around: Surround): string {
  const paint = (style: Parameters<typeof styleText>[0], text: string): string =>
    around.color ? styleText(style, text, { validateStream: false }) : text;
  const lines: string[] = [paint("bold", headline(declared))];
  const say = (label: string, text: string): void => {
    lines.push(`  ${paint("dim", label.padEnd(10))} ${text}`);
  };
  if (declared.sent.length === 0 && declared.tunnels.length === 0) say("sent", "nothing left this machine");
  declared.sent.forEach((row, at) => {
    say(at === 0 ? "sent" : "", destinationLine(row, declared.upstream, around));
  });
  const carried = contentLine(declared);
  if (carried !== "") say("", carried);
  if (declared.redacted.length > 0)
    say("kept in", `${keptIn(declared)} replaced before sending, restored in replies`);
  for (const [at, row] of declared.findings.entries())
    say(at === 0 ? "found" : "", `${row.count} × ${row.class} (${row.detector}), allowed to leave`);
  for (const [at, row] of declared.exceptions.entries())
    say(at === 0 ? "by a yes" : "", `${row.id} ×${row.count}`);
  for (const [at, row] of declared.refused.slice(0, 8).entries())
    say(at === 0 ? "refused" : "", `${row.host} ×${row.count} (${row.rule})`);
  if (declared.refused.length > 8) say("", `and ${declared.refused.length - 8} more hosts`);
  const vetted = admissionLine(declared);
  if (vetted !== "") say("build", vetted);
  const words = templateLine(declared);
  if (words !== "") say("its words", declared.template?.altered === 0 ? words : paint("yellow", words));
  if (declared.normalised.length > 0) say("put back", putBack(declared));
  for (const { host, count, sentBytes } of declared.tunnels)
    say("unread", `${size(sentBytes)} by SSH to ${host} in ${plural(count, "connection")}, not inspected`);
  if (declared.inside !== null) {
    const { programs, changed, isLost } = declared.inside;
    say("inside", `${plural(programs, "program")} run, ${plural(changed, "file")} changed`);
    if (isLost) say("", paint("yellow", "the record ended before the session, which was stopped"));
  }
  if (declared.sandbox === "none") say("sandbox", paint("yellow", "none: the profile says so by name"));
  else if (declared.gaps.length > 0) say("sandbox", `not enforced here: ${declared.gaps.join(", ")}`);
  if (declared.setAside.length > 0)
    say(
      "set aside",
      `${shown(declared.setAside)}: this machine would have obeyed; see \`sallyport review ${declared.session}\``,
    );
  if (declared.appeared.length > 0)
    say("look at", `${shown(declared.appeared)}: could not be set aside, and this machine may obey it`);
  say("record", recordLine(declared, around.signedAt));
  const at = around.consoleAt ?? null;
  const page = at === null ? "" : ` · ${at}/#/sessions/${declared.session}`;
  say("see it", `sallyport show ${declared.session}${page}`);
  return lines.join("\n");
}

/** Programs that are no package have no version, and nobody expects a word about `bash`. */
function admissionLine({ standing, agent, profile }: Declaration): string {
  if (standing === "approved") return "approved in the register";
  return standing === null || agent.version === null ? "" : `not vetted: ${profile} permits that`;
}

function templateLine({ template }: Declaration): string {
  if (template === null) return "";
  const { known, altered, unaccounted } = template;
  const marked =
    altered === 0 ? "" : `${plural(altered, "line")} as vetted but for look-alike or invisible characters, `;
  const strange = unaccounted === 0 ? "" : `, ${plural(unaccounted, "line")} that nothing accounts for`;
  return `${marked}${plural(known, "line")} as vetted${strange}`;
}

/** `U+02BC to U+0027 (3 times), as vetted` */
const putBack = ({ normalised }: Declaration): string =>
  `${normalised
    .slice(0, 8)
    .map(({ was, is, count }) => `${was || "nothing"} to ${is || "nothing"} (${plural(count, "time")})`)
    .join(", ")}, as the vetted template has it`;

function headline(declared: Declaration): string {
  const version = declared.agent.version === null ? "" : ` ${declared.agent.version}`;
  const lasted = declared.endedAt === null ? "running" : duration(declared.endedAt - declared.startedAt);
  return `sallyport  session ${declared.session} · ${declared.agent.name}${version} · ${declared.workspace} (${declared.profile}) · ${lasted}`;
}

function destinationLine(row: DeclaredDestination, upstream: string | null, around: Surround): string {
  const amount = `${size(row.requestBytes)} in ${plural(row.requests, "request")}`;
  const unanswered = row.unanswered > 0 ? `, ${row.unanswered} without a reply` : "";
  if (row.rerouted !== null)
    return `${amount} → ${row.rerouted}, our own (${row.sentTo}), instead of ${row.host}${unanswered}`;
  if (upstream !== null && row.sentTo !== `https://${row.host}` && row.sentTo !== `http://${row.host}`)
    return `${amount} → ${row.sentTo}, standing in for ${row.host}${unanswered}`;
  const facts = row.id === null ? null : around.facts(row.id);
  const known =
    facts === null
      ? "not in the register"
      : `${facts.operator} · ${facts.law.join(", ")} law · register ${facts.asOf}`;
  return `${amount} → ${row.host} · ${known}${unanswered}`;
}

function contentLine(declared: Declaration): string {
  const parts: string[] = [];
  if (declared.files.length > 0)
    parts.push(`${plural(declared.files.length, "file")} (${shown(declared.files)})`);
  if (declared.commandOutputs > 0) parts.push(plural(declared.commandOutputs, "command output"));
  if (declared.otherToolResults > 0) parts.push(plural(declared.otherToolResults, "other tool result"));
  if (declared.sent.length > 0) parts.push(`${declared.notUnderstoodBytes} bytes not understood`);
  return parts.join(", ");
}

/** What each class is called when it is counted. */
const CLASS_NOUNS: Readonly<Record<string, string>> = {
  secret: "secret",
  personal: "personal value",
  classified: "classified passage",
  infrastructure: "internal name",
  concealed: "concealed passage",
  injection: "order to the model",
};

const keptIn = ({ redacted }: Declaration): string =>
  redacted.map((row) => plural(row.count, CLASS_NOUNS[row.class] ?? `${row.class} value`)).join(", ");

function recordLine(declared: Declaration, signedAt: number | null): string {
  const [first, last] = declared.entries;
  const signed =
    signedAt === null ? "not yet signed" : `checkpoint signed ${new Date(signedAt).toISOString()}`;
  return `ledger entries ${first}–${last}, ${signed}`;
}

function shown(files: readonly string[]): string {
  return files.length <= 3 ? files.join(", ") : `${files.slice(0, 2).join(", ")}, …`;
}

export function size(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`;
  if (bytes < 1_000_000) return `${(bytes / 1_000).toFixed(1)} kB`;
  return `${(bytes / 1_000_000).toFixed(2)} MB`;
}

export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

export function duration(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  if (seconds < 60) return `${(ms / 1_000).toFixed(1)}s`;
  return `${Math.floor(seconds / 60)}m ${String(seconds % 60).padStart(2, "0")}s`;
}
