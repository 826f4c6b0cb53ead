/** A recorded request, as texts to scan. Reading it is looking at evidence: recorded with its reason before a byte is read. */
import { asSessionId, Fault, type LedgerEvent } from "../core/index.ts";
import { createDecoder } from "../dialect/index.ts";
import type { ScanInput } from "../inspect/index.ts";
import { readEntries, readEvidence } from "../ledger/index.ts";
import type { Places } from "./places.ts";
import { reachStation } from "./reach.ts";

type Judged = Extract<LedgerEvent, { kind: "exchange.judged" }>;

/** Each text of the body under its pointer in it. Throws `usage.invalid`, and what reading evidence throws. */
export async function* textsOf(
  id: string,
  reason: string | undefined,
  places: Places,
): AsyncGenerator<ScanInput> {
  if (reason === undefined || reason.trim() === "")
    throw new Fault("usage.invalid", {
      detail: "a recorded exchange is read for a reason only",
      remedy: 'add --reason "why you look"',
    });
  const judged = await judgedAs(id, places);
  const body = judged.evidence.find(({ role }) => role === "request-body");
  if (body === undefined)
    throw new Fault("usage.invalid", { detail: `the record holds no request body of exchange \`${id}\`` });
  const line = await reachStation(places);
  await line
    .ask({ op: "viewed", session: judged.session, evidence: body.id, reason })
    .finally(() => line.close());
  const decoded = createDecoder().decode({
    method: judged.method,
    host: judged.host,
    path: judged.path,
    headers: [],
    body: await readEvidence(places.ledger, places.keys, body.id),
  });
  for (const { pointer, text } of decoded.parts) yield { path: `${id}${pointer}`, text };
}

/** The verdict on an exchange. Throws `usage.invalid` where the ledger has none. */
export async function judgedAs(id: string, places: Places): Promise<Judged> {
  const session = asSessionId(id.split("-", 1)[0] ?? "");
  if (session !== null)
    for await (const { event } of readEntries(places.ledger))
      if (event.kind === "exchange.judged" && event.exchange === id) return event;
  throw new Fault("usage.invalid", {
    detail: `the ledger has no exchange \`${id}\``,
    remedy: "see `sallyport show SESSION --events`",
  });
}
