/**
 * From a matter to its judgement. What policy wants done first is done, and what then is to leave is judged again, under
 * the policy that holds then: a question is put to people, a detour taken, values are replaced. Each step at most a few
 * times; what is not settled by then is denied.
 *
 * Throwing denies.
 */
import { asFault, type ExchangeId, Fault } from "../core/index.ts";
import { study } from "../policy/index.ts";
import { denied, type Judgement, judge, judgeFault, placeOf } from "./judge.ts";
import { loginsOf } from "./login.ts";
import type { Matter } from "./matter.ts";
import { type AsVetted, leaveAsVetted } from "./normalise.ts";
import { type Decided, redact } from "./redact.ts";
import type { Reading, Rooms, Sitting } from "./session.ts";
import type { Standing } from "./standing.ts";

/** More questions than this about one exchange: the policy changes faster than people can answer. */
const MOST_STEPS = 8;

export async function decided(
  id: ExchangeId,
  matter: Matter,
  sitting: Sitting,
  rooms: Rooms,
): Promise<Decided> {
  let reading: Reading | null = null;
  try {
    const content = await matter.content();
    const { protocol, target } = matter.about;
    const ahead = sitting.reader.foresee(content, protocol === "websocket" ? null : target, rooms.turns);
    if (ahead !== null) await ahead;
    const belongs = loginsOf(matter.about.target, sitting);
    reading = sitting.reader.read(matter.decode, content, belongs);
    reading = sitting.reader.weigh(reading, ...placeOf(matter.about, sitting.session));
    reading = await sitting.reader.readDocuments(reading, rooms.documents);
    // What was long to read is long to seal as well: others come first.
    if (ahead !== null) await rooms.turns.next();
    return await settled(id, matter, content, reading, sitting, rooms);
  } catch (error) {
    const fault = asFault(error);
    const dialect = reading?.decoded.dialect;
    return {
      judgement: judgeFault(matter.about, fault, sitting.session, sitting.rules.now(), dialect),
      reading,
    };
  }
}

async function settled(
  id: ExchangeId,
  matter: Matter,
  came: Buffer,
  reading: Reading,
  sitting: Sitting,
  rooms: Rooms,
): Promise<Decided> {
  let content = came;
  let grants: readonly study.Waiver[] = [];
  await rooms.spending.known(sitting.rules.policy);
  const approvals: string[] = [];
  let vetted: AsVetted | null = null;
  let altered: readonly string[] = [];
  const told = (made: Decided): Decided => (vetted === null ? made : withChanges(made, vetted, altered));
  for (let step = 0; step < MOST_STEPS; step++) {
    const standing = sitting.rules.withGrants(grants);
    const judgement = judge(matter.about, reading, sitting.session, standing, approvals);
    switch (judgement.passes) {
      case true:
      case false:
        return told(within(judgement, reading, matter, sitting, standing, rooms));
      case "altered":
        if (vetted !== null)
          return {
            judgement: denied(judgement, new Fault("gateway.unredacted", { detail: "altered again" })),
            reading,
          };
        try {
          vetted = await leaveAsVetted(matter, content, reading, sitting);
        } catch (error) {
          return { judgement: denied(judgement, asFault(error)), reading };
        }
        altered = judgement.rules;
        ({ content, reading } = vetted);
        break;
      case "redacted": {
        const made = await redact(matter, content, reading, judgement, sitting, standing);
        return told(within(made.judgement, made.reading, matter, sitting, standing, rooms));
      }
      case "rerouted":
        content = await matter.reroute(judgement.way, content, reading.decoded);
        break;
      case "asked": {
        const answer = await rooms.approvals.ask(id, judgement, matter, sitting);
        if (answer.state === "denied") return { judgement: denied(judgement, answer.fault), reading };
        if (answer.state === "allowed") {
          grants = [...grants, ...answer.grants];
          approvals.push(answer.question);
        }
        break;
      }
      default:
        judgement satisfies never;
    }
  }
  const last = judge(matter.about, reading, sitting.session, sitting.rules.now());
  return {
    judgement: denied(last, new Fault("gateway.not-approved", { detail: "asked too often" })),
    reading,
  };
}

/** The verdict of what leaves says what was put back, and by which rules. */
function withChanges({ judgement, reading }: Decided, vetted: AsVetted, rules: readonly string[]): Decided {
  const normalised = vetted.changes;
  if (judgement.verdict === "allow")
    return { judgement: { ...judgement, verdict: "normalise", rules, normalised }, reading };
  const all = [...new Set([...rules, ...judgement.rules])];
  return { judgement: { ...judgement, rules: all, normalised }, reading };
}

/** The last word is the budget's, and it counts: nothing that leaves is judged after it. */
function within(
  judgement: Judgement,
  reading: Reading | null,
  matter: Matter,
  sitting: Sitting,
  { policy }: Standing,
  { spending }: Rooms,
): Decided {
  if (!judgement.passes) return { judgement, reading };
  const decision = spending.take(sitting.session.id, matter.about.bytes, policy);
  if (decision.verdict === "allow") return { judgement, reading };
  const detail = study.overrunText(decision, spending.dayEndsAt, sitting.rules.language);
  const rules = [...judgement.rules, ...decision.rules.map(({ id }) => id)];
  return {
    judgement: denied({ ...judgement, rules }, new Fault("gateway.over-budget", { detail })),
    reading,
  };
}
