/**
 * Whether a session's record is whole, by its own numbers: exchanges and commands are numbered without gaps, what was let out
 * has an outcome, and the time line has a moment for each entry that the index counts.
 */
import type { LedgerEvent } from "../core/index.ts";
import type { Completeness } from "./api/sessions.ts";

/** Of each list, what is told. */
const MAX_TOLD = 100;

export function completenessOf(
  entries: Iterable<{ readonly index: number; readonly event: LedgerEvent }>,
  counted: { readonly entries: number; readonly signedSize: number },
): Completeness {
  const exchanges = new Set<number>();
  const open = new Set<string>();
  const commands = new Set<number>();
  let [shown, signed, isLost, hasEnd] = [0, 0, false, false];
  for (const { index, event } of entries) {
    shown++;
    if (index < counted.signedSize) signed++;
    if ("exchange" in event && event.exchange !== undefined) exchanges.add(numberOf(event.exchange));
    if ("question" in event) exchanges.add(numberOf(event.question));
    if (event.kind === "exchange.judged" && event.verdict !== "deny") open.add(event.exchange);
    if (event.kind === "tunnel.opened") open.add(event.exchange);
    if (
      event.kind === "exchange.answered" ||
      event.kind === "exchange.failed" ||
      event.kind === "tunnel.closed"
    )
      open.delete(event.exchange);
    if (event.kind === "command.started") for (const { command } of event.commands) commands.add(command);
    if (event.kind === "recorder.lost") isLost = true;
    if (event.kind === "session.ended") hasEnd = true;
  }
  const found = {
    ...{ entries: counted.entries, shown, signed, hasEnd },
    withoutOutcome: [...open].slice(0, MAX_TOLD),
    missingExchanges: gaps(exchanges),
    missingCommands: gaps(commands),
    recorder: isLost ? "lost" : commands.size > 0 ? "recorded" : "none",
  } as const;
  return {
    ...found,
    isWhole:
      shown === counted.entries &&
      signed === shown &&
      hasEnd &&
      !isLost &&
      found.withoutOutcome.length + found.missingExchanges.length + found.missingCommands.length === 0,
  };
}

const numberOf = (exchange: string): number => Number(exchange.split("-")[1] ?? 0);

/** Numbers from 1 to the greatest that are not there. */
function gaps(numbers: ReadonlySet<number>): number[] {
  const greatest = Math.max(0, ...numbers);
  const missing: number[] = [];
  for (let n = 1; n < greatest && missing.length < MAX_TOLD; n++) if (!numbers.has(n)) missing.push(n);
  return missing;
}
