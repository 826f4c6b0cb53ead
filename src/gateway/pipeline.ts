/**
 * The life of an exchange: decode and inspect → decide (and redact, and decide again) → record the verdict → act → record
 * the outcome. These steps in
 * this order, for requests and for WebSocket messages alike; nothing else belongs here.
 *
 * Throwing anywhere before `act` denies. Nothing leaves before the verdict's record is durable; the connection to the
 * destination may be opened meanwhile, as that carries nothing of the request.
 */
import { asFault, type Fault } from "../core/index.ts";
import { judge, judgeFault } from "./judge.ts";
import type { Matter, Outcome, Verdicted } from "./matter.ts";
import { recordOutcome, recordVerdict } from "./record.ts";
import { type Decided, redact } from "./redact.ts";
import { nextExchange, type Rooms, type Sitting } from "./session.ts";

export async function pass(matter: Matter, sitting: Sitting, rooms: Rooms): Promise<void> {
  const startedAt = rooms.clock.monotonic();
  const { judgement, reading } = await decided(matter, sitting);
  const exchange: Verdicted = { id: nextExchange(sitting), startedAt, judgement, matter };
  const refuse = (fault: Fault): void => {
    sitting.reader.withdraw(reading);
    matter.refuse(fault, judgement);
  };

  if (judgement.passes) matter.prepare(judgement);
  const unrecorded = await recordVerdict(exchange, sitting, rooms);
  if (unrecorded !== null) return refuse(unrecorded);
  if (!judgement.passes) return refuse(judgement.fault);

  const outcome: Outcome = await matter.act();
  if (outcome.kind === "failed" && !outcome.mayHaveLeft) sitting.reader.withdraw(reading);
  await recordOutcome(exchange, outcome, sitting, rooms);
}

async function decided(matter: Matter, sitting: Sitting): Promise<Decided> {
  try {
    const content = await matter.content();
    const reading = sitting.reader.read(matter.decode, content);
    const judgement = judge(matter.about, reading, sitting.session);
    if (judgement.passes !== "redacted") return { judgement, reading };
    return await redact(matter, content, reading, judgement, sitting);
  } catch (error) {
    const fault: Fault = asFault(error);
    return { judgement: judgeFault(matter.about, fault, sitting.session), reading: null };
  }
}
