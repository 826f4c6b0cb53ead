/** What the ledger says of today before this station opened: read from its end backwards, as far as the day goes. */
import type { LedgerEvent, SessionId } from "../core/index.ts";
import { readEntries } from "../ledger/index.ts";
import type { Places } from "./places.ts";

const FIRST_STEP = 4_096;

/**
 * Events since `since` (Unix ms) among the first `size` entries, each with its session's principal. A session that began
 * before is looked for further back. Reads at most about twice what it needs.
 */
export async function earlierToday(
  places: Pick<Places, "ledger">,
  since: number,
  size: number,
): Promise<readonly { readonly principal: string; readonly event: LedgerEvent }[]> {
  for (let step = FIRST_STEP; ; step *= 4) {
    const from = Math.max(0, size - step);
    const found = await eventsFrom(places, from, size, since);
    if (from === 0 || found !== null) return found ?? [];
  }
}

/** null: it has to begin further back. */
async function eventsFrom(
  { ledger }: Pick<Places, "ledger">,
  from: number,
  size: number,
  since: number,
): Promise<readonly { readonly principal: string; readonly event: LedgerEvent }[] | null> {
  const principals = new Map<SessionId, string>();
  const found: { principal: string; event: LedgerEvent }[] = [];
  if (size === 0) return found;
  for await (const { index, event } of readEntries(ledger, { from })) {
    if (index >= size) break;
    if (index === from && from > 0 && event.at >= since) return null;
    if (event.kind === "session.started") principals.set(event.session, event.principal);
    if (event.at < since || (event.kind !== "exchange.judged" && event.kind !== "exchange.answered"))
      continue;
    const principal = principals.get(event.session);
    if (principal === undefined && from > 0) return null;
    found.push({ principal: principal ?? "", event });
  }
  return found;
}
