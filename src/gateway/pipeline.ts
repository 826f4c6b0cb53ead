/**
 * The life of an exchange: decode and inspect → decide (ask, reroute, redact, and decide again) → record the verdict → act → record
 * the outcome. These steps in
 * this order, for requests and for WebSocket messages alike; nothing else belongs here.
 *
 * Throwing anywhere before `act` denies. Nothing leaves before the verdict's record is durable; the connection to the
 * destination may be opened meanwhile, as that carries nothing of the request. Which of the workspace's lines it carries is
 * found out beside it, once it is on its way.
 */
import type { Fault } from "../core/index.ts";
import { decided } from "./decide.ts";
import type { Matter, Outcome, Verdicted } from "./matter.ts";
import { recordOutcome, recordVerdict } from "./record.ts";
import { nextExchange, type Rooms, type Sitting } from "./session.ts";

export async function pass(matter: Matter, sitting: Sitting, rooms: Rooms): Promise<void> {
  const startedAt = rooms.clock.monotonic();
  const id = nextExchange(sitting);
  const { judgement, reading } = await decided(id, matter, sitting, rooms);
  const exchange: Verdicted = { id, startedAt, judgement, matter };
  const refuse = (fault: Fault): void => {
    sitting.reader.withdraw(reading);
    matter.refuse(fault, judgement);
  };

  if (judgement.passes) matter.prepare(judgement);
  const unrecorded = await recordVerdict(exchange, sitting, rooms);
  if (unrecorded !== null) return refuse(unrecorded);
  if (!judgement.passes) return refuse(judgement.fault);

  const acting = matter.act();
  const traced = reading === null ? undefined : sitting.tracing?.begin(exchange, reading);
  const outcome: Outcome = await acting;
  const hasLeft = outcome.kind === "answered" || outcome.mayHaveLeft;
  if (!hasLeft) sitting.reader.withdraw(reading);
  traced?.(hasLeft);
  await recordOutcome(exchange, outcome, sitting, rooms);
}
