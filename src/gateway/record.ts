/**
 * The two records of an exchange. A verdict that cannot be made durable in time refuses the exchange: a hung disk holds
 * nothing up for longer than the limit, and everything goes on by itself when it recovers.
 */
import { asFault, Fault } from "../core/index.ts";
import { createReplyReader, type DialectName, type ReplyReading } from "../dialect/index.ts";
import type { EvidenceInput } from "../ledger/index.ts";
import { undoCodings } from "./coding.ts";
import { pathOf } from "./judge.ts";
import type { Outcome, Verdicted } from "./matter.ts";
import type { Way } from "./reroute.ts";
import type { Rooms, Sitting } from "./session.ts";

/** null: durable. Otherwise why not. */
export async function recordVerdict(
  exchange: Verdicted,
  sitting: Sitting,
  rooms: Rooms,
): Promise<Fault | null> {
  const { judgement, matter } = exchange;
  const { about } = matter;
  const path = pathOf(about.target);
  const durable = appended(
    rooms,
    {
      kind: "exchange.judged",
      session: sitting.session.id,
      exchange: exchange.id,
      door: about.door,
      protocol: about.protocol,
      method: about.method,
      host: about.target.host,
      port: about.target.port,
      path,
      queryBytes: Math.max(0, about.target.path.length - path.length - 1),
      sentTo: judgement.sentTo,
      destination: judgement.destination,
      dialect: judgement.dialect,
      understood: judgement.understood,
      model: judgement.model,
      requestBytes: about.bytes,
      sources: judgement.sources,
      findings: judgement.found,
      redacted: judgement.redacted,
      ...(judgement.normalised.length === 0 ? {} : { normalised: judgement.normalised }),
      ...(judgement.waived.length === 0 ? {} : { waived: judgement.waived }),
      verdict: judgement.verdict,
      rules: judgement.rules,
      ...(judgement.policy === sitting.session.policy.sha256 ? {} : { policy: judgement.policy }),
      ...(judgement.approvals.length === 0 ? {} : { approvals: judgement.approvals }),
      ...(about.way === null ? {} : { rerouted: reroutedOf(about.way) }),
      evidence: [],
    },
    matter.evidence,
  );
  const problem = await inTime(durable, rooms);
  if (problem === null) return null;
  // Late or refused: should the verdict become durable after all, the record must not look as if something had left.
  durable
    .then(
      () =>
        rooms.append({
          kind: "exchange.failed",
          session: sitting.session.id,
          exchange: exchange.id,
          fault: problem.code,
          mayHaveLeft: false,
          durationMs: elapsed(exchange, rooms),
        }),
      () => {},
    )
    .catch((error: unknown) => rooms.onFault(asFault(error)));
  return problem;
}

export async function recordOutcome(
  exchange: Verdicted,
  outcome: Outcome,
  sitting: Sitting,
  rooms: Rooms,
): Promise<void> {
  const { id: session } = sitting.session;
  const durationMs = elapsed(exchange, rooms);
  try {
    if (outcome.kind === "failed") {
      const { fault, mayHaveLeft } = outcome;
      await rooms.append({
        kind: "exchange.failed",
        session,
        exchange: exchange.id,
        fault: fault.code,
        mayHaveLeft,
        durationMs,
      });
      return;
    }
    const { reply, head } = outcome;
    const evidence: EvidenceInput[] = [];
    const reading = await readAndLearn(exchange, outcome, sitting, rooms);
    const reported = reportedIn(reading, head);
    if (head !== null) evidence.push({ role: "response-head", chunks: [head] });
    if (reply.chunks.length > 0) evidence.push({ role: outcome.role, chunks: reply.chunks });
    await rooms.append(
      {
        kind: "exchange.answered",
        session,
        exchange: exchange.id,
        status: outcome.status,
        responseBytes: reply.bytes,
        address: outcome.address,
        tlsPeer: outcome.tlsPeer,
        usage: reading?.usage ?? null,
        complete: outcome.isComplete,
        ...(reported === null ? {} : { reported }),
        ...(outcome.withheld === undefined ? {} : { withheld: outcome.withheld }),
        durationMs,
        evidence: [],
      },
      evidence,
    );
  } catch (error) {
    // The reply has been given; the ledger itself refuses what comes next.
    rooms.onFault(asFault(error));
  } finally {
    if (outcome.kind === "answered") outcome.reply.release();
  }
}

const reroutedOf = ({
  name,
  model,
  speech,
  dropped,
}: Way): { name: string; model: string | null; dialect: string; dropped: readonly string[] } => ({
  name,
  model,
  dialect: speech,
  dropped,
});

/** An append that throws instead of rejecting is one that rejects. */
const appended = async (rooms: Rooms, ...event: Parameters<Rooms["append"]>): Promise<unknown> =>
  rooms.append(...event);

/** What the destination was spoken to in: the agent's own dialect, but for a server that it was translated for. */
const spokenIn = ({ matter, judgement }: Verdicted): DialectName =>
  matter.about.way?.speech ?? judgement.dialect;

const elapsed = (exchange: Verdicted, rooms: Rooms): number =>
  Math.round(rooms.clock.monotonic() - exchange.startedAt);

async function readAndLearn(
  exchange: Verdicted,
  outcome: Outcome & { kind: "answered" },
  sitting: Sitting,
  rooms: Rooms,
): Promise<ReplyReading | null> {
  const reading = await (outcome.reading ?? readingOf(outcome, spokenIn(exchange), rooms));
  if (reading !== null) sitting.reader.learn(reading);
  if (reading !== null && reading.asked.length > 0 && outcome.withheld === undefined)
    sitting.session.onAsked?.(exchange.id, reading.asked);
  return reading;
}

/** A server's words go into the record as they are only where they are no more than a name. */
const PLAIN_NAME = /^[A-Za-z0-9][A-Za-z0-9 ._:/@-]{0,79}$/;

/** What the reply says of itself; null when it says nothing that is a plain name. */
export function reportedIn(
  reading: Pick<ReplyReading, "model" | "region"> | null,
  head: Uint8Array | null,
): { readonly model: string | null; readonly region: string | null } | null {
  const plain = (text: string | null | undefined): string | null =>
    text !== null && text !== undefined && PLAIN_NAME.test(text) ? text : null;
  // Azure says in a header which of its regions served.
  const served =
    head === null
      ? undefined
      : /^x-ms-region:[ \t]*([^\r\n]*?)[ \t]*\r?$/im.exec(Buffer.from(head).toString("latin1"))?.[1];
  const [model, region] = [plain(reading?.model), plain(reading?.region ?? served)];
  return model === null && region === null ? null : { model, region };
}

/** What the kept reply says; null when not all of it was kept. */
async function readingOf(
  outcome: Outcome & { kind: "answered" },
  dialect: DialectName,
  rooms: Rooms,
): Promise<ReplyReading | null> {
  const { reply, codings } = outcome;
  if (!reply.isWhole || reply.bytes === 0) return null;
  const reader = createReplyReader(dialect, outcome.contentType);
  if (codings.length === 0) for (const chunk of reply.chunks) reader.feed(chunk);
  else
    reader.feed((await undoCodings(Buffer.concat(reply.chunks), codings, rooms.limits)) ?? Buffer.alloc(0));
  return reader.end();
}

/** null when `promise` resolves in time. */
export function inTime(promise: Promise<unknown>, rooms: Rooms): Promise<Fault | null> {
  return new Promise((resolve) => {
    const deadline = rooms.deadlines.start(rooms.limits.recordMs, () =>
      resolve(
        new Fault("gateway.unrecorded", {
          detail: `the ledger did not answer within ${rooms.limits.recordMs} ms`,
        }),
      ),
    );
    promise.then(
      () => {
        deadline.stop();
        resolve(null);
      },
      (error: unknown) => {
        deadline.stop();
        resolve(
          new Fault("gateway.unrecorded", {
            detail: asFault(error).message,
            remedy: asFault(error).remedy,
            cause: error,
          }),
        );
      },
    );
  });
}
