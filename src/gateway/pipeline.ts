/**
 * The life of an exchange: decode and inspect → decide → record the verdict → act → record the outcome. These steps in
 * this order, for requests and for WebSocket messages alike; nothing else belongs here.
 *
 * Throwing anywhere before `act` denies. Nothing leaves before the verdict's record is durable; the connection to the
 * destination may be opened meanwhile, as that carries nothing of the request.
 */
import { asFault, type Fault } from "../core/index.ts";
import { type Judgement, judge, judgeFault } from "./judge.ts";
import type { Matter, Outcome, Verdicted } from "./matter.ts";
import { recordOutcome, recordVerdict } from "./record.ts";
import { nextExchange, type Rooms, type Sitting } from "./session.ts";

export async function pass(matter: Matter, sitting: Sitting, rooms: Rooms): Promise<void> {
  const startedAt = rooms.clock.monotonic();
  const judgement = await decided(matter, sitting);
  const exchange: Verdicted = { id: nextExchange(sitting), startedAt, judgement, matter };

  if (judgement.passes) matter.prepare(judgement);
  const unrecorded = await recordVerdict(exchange, sitting, rooms);
  if (unrecorded !== null) return matter.refuse(unrecorded, judgement);
  if (!judgement.passes) return matter.refuse(judgement.fault, judgement);

  const outcome: Outcome = await matter.act();
  await recordOutcome(exchange, outcome, sitting, rooms);
}

async function decided(matter: Matter, sitting: Sitting): Promise<Judgement> {
  try {
    const content = await matter.content();
    const reading = sitting.reader.read((decoder) => matter.decode(decoder, content));
    return judge(matter.about, reading, sitting.session);
  } catch (error) {
    const fault: Fault = asFault(error);
    return judgeFault(matter.about, fault, sitting.session);
  }
}
