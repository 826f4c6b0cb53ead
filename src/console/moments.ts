/** One ledger entry as a moment of a session's time line: what kind of thing it is, and a short line of words. */
import type { LedgerEvent } from "../core/index.ts";
import type { Moment, MomentKind } from "./api/sessions.ts";
import { fieldsFor, hasEvidence } from "./evidence-view.ts";
import type { User } from "./route.ts";

const MAX_NAMED = 3;

export function momentOf(index: number, event: LedgerEvent, user: User): Moment {
  const { kind, title } = worded(event);
  return {
    index,
    at: event.at,
    kind,
    event: event.kind,
    exchange: "exchange" in event ? event.exchange : "question" in event ? event.question : null,
    verdict: "verdict" in event ? event.verdict : event.kind === "connection.refused" ? "deny" : null,
    title,
    fields: fieldsFor(event, user),
    ...(user.rights.has("read-evidence") ? { hasContent: hasEvidence(event) } : {}),
  };
}

interface Worded {
  readonly kind: MomentKind;
  readonly title: string;
}

function worded(event: LedgerEvent): Worded {
  const say = (kind: MomentKind, title: string): Worded => ({ kind, title });
  switch (event.kind) {
    case "session.started":
      return say(
        "session",
        `${event.agent.name} ${event.agent.version ?? ""} started under ${event.profile.name}`,
      );
    case "session.ended":
      return say(
        "session",
        `ended: ${event.reason}${event.exitCode === null ? "" : `, exit ${event.exitCode}`}`,
      );
    case "exchange.judged":
      return say("exchange", `${event.method} ${event.host}${event.path}`);
    case "exchange.answered":
      return say("answer", `${event.status}${event.complete ? "" : ", broken off"}`);
    case "exchange.failed":
      return say("failure", `${event.fault}${event.mayHaveLeft ? "" : ", nothing left"}`);
    case "connection.refused":
      return say("refused", `${event.host}:${event.port}: ${event.reason}`);
    case "approval.asked":
      return say("approval", `asked: ${event.rules.join(", ")}`);
    case "approval.answered":
      return say("approval", `${event.verdict} by ${event.by}, ${event.scope}`);
    case "approval.expired":
      return say("approval", `no answer: ${event.because}`);
    case "waiver.granted":
    case "waiver.ended":
      return say(
        "approval",
        `${event.kind === "waiver.granted" ? "exception" : "exception ended"}: ${event.waiver}`,
      );
    case "policy.changed":
      return say("policy", `judged by ${event.profile.name} from now on`);
    case "policy.rejected":
      return say("policy", `changed policy not taken up: ${event.where}`);
    case "tunnel.opened":
      return say("tunnel", `${event.protocol} to ${event.host}:${event.port}`);
    case "tunnel.closed":
      return say("tunnel", `closed, ${event.sentBytes} bytes sent`);
    case "command.started":
      return say("command", some(event.commands.map(({ program }) => program)));
    case "command.ended":
      return say(
        "command-end",
        some(event.commands.map((one) => `${one.command}: exit ${one.exitCode ?? "by signal"}`)),
      );
    case "file.changed":
      return say("file", some(event.changes.map(({ change, path, to }) => `${change} ${to ?? path}`)));
    case "file.read":
      return say("read", some(event.reads.map(({ path }) => path)));
    case "connection.tried":
      return say(
        "connection",
        some(event.connections.map((one) => `${one.host}:${one.port} ${one.outcome}`)),
      );
    case "recorder.lost":
      return say("session", `the record of what happened inside ended: ${event.detail}`);
    case "exchange.traced":
      return say("disclosure", some(event.files.map(({ path }) => path)));
    case "evidence.viewed":
    case "evidence.unmasked":
    case "evidence.exported":
    case "evidence.erased":
      return say("evidence", `${event.kind.slice(9)} by ${event.principal}`);
    default:
      return say("other", event.kind);
  }
}

const some = (names: readonly string[]): string =>
  names.length <= MAX_NAMED
    ? names.join(", ")
    : `${names.slice(0, MAX_NAMED).join(", ")} and ${names.length - MAX_NAMED} more`;
