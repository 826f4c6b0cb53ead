/**
 * Verification by whoever holds the keys too: what `verify.ts` checks for anyone, and besides that the ledger contains the
 * newest checkpoint its own key has signed (else an old copy was restored), and that all sealed evidence opens and
 * is what the entries committed to. Erased evidence is counted, not held against the ledger.
 *
 * Memory: one segment, and the chunks of each session's present pack until the session ends.
 */
import { asFault, type EvidenceRef } from "../core/index.ts";
import { isCommitted, type OpenedFrame, openFrame } from "./evidence.ts";
import { decodeFrameHead, parseEvidenceId } from "./evidence-id.ts";
import { FRAME, payloadOf } from "./frame.ts";
import { rememberedCheckpoint, sessionKey } from "./keys.ts";
import { publishedKeys } from "./published.ts";
import { certificatesOf } from "./timestamp.ts";
import { type Verification, verifyLedger as verifyPublished } from "./verify.ts";
import { type Report, walkJournal } from "./walk.ts";
import { parseWitnessPolicy } from "./witness-policy.ts";

export interface Against {
  /** Checkpoints of the same log, kept by others, that its history must contain. */
  readonly remembered?: readonly string[];
  /** Its own keys: its evidence is opened, and its own memory of what it signed is held against it. */
  readonly keyDirectory?: string;
  /** Text of a policy (c2sp.org/tlog-policy): whose cosignatures it must bear. */
  readonly policy?: string;
  /** PEM of the roots of time-stamp authorities: its anchors are checked. */
  readonly anchorRoots?: string;
}

export interface Audited extends Verification {
  /** Pieces of evidence that were opened and are what was committed to, and those erased; null without keys. */
  readonly evidence: { readonly opened: number; readonly erased: number } | null;
}

const MAX_PROBLEMS = 100;

/**
 * `verifierKey`: one key, or one a line; default what is published in the directory, which proves only that the copy
 * agrees with itself. Never throws for what it finds: each thing that is wrong is a problem with its place. Throws
 * `witness.invalid` for a malformed policy, `anchor.invalid` for roots that are none.
 */
export async function verifyLedger(
  directory: string,
  verifierKey?: string,
  against: Against = {},
): Promise<Audited> {
  const { keyDirectory, remembered = [] } = against;
  const own = keyDirectory === undefined ? null : ownMemory(directory, keyDirectory);
  const found = await verifyPublished(
    directory,
    verifierKey,
    own === null ? remembered : [...remembered, own],
    against.policy === undefined ? null : parseWitnessPolicy(against.policy),
    against.anchorRoots === undefined ? null : certificatesOf(against.anchorRoots),
  );
  if (keyDirectory === undefined) return { ...found, evidence: null };
  const problems = [...found.problems];
  const check = new EvidenceAudit(keyDirectory, found.origin, (at, problem) => {
    if (problems.length < MAX_PROBLEMS) problems.push({ at, problem });
  });
  try {
    await check.run(directory);
  } catch (error) {
    problems.push({ at: directory, problem: asFault(error).message });
  }
  return { ...found, ok: problems.length === 0, problems, evidence: check.counts };
}

function ownMemory(directory: string, keyDirectory: string): string | null {
  try {
    const [key] = publishedKeys(directory);
    return key === undefined ? null : rememberedCheckpoint(keyDirectory, key.name);
  } catch {
    return null; // a malformed key is reported by the verification itself
  }
}

interface PackSoFar {
  readonly last: number;
  readonly chunks: Buffer[];
}

class EvidenceAudit {
  readonly #keyDirectory: string;
  readonly #origin: string;
  readonly #report: Report;
  readonly #keys = new Map<string, Buffer | null>();
  readonly #packs = new Map<string, PackSoFar>();
  /** Frames before the next event, by number; null: erased or not to be opened. */
  readonly #pending = new Map<number, OpenedFrame | null>();
  #chunks: readonly Buffer[] = [];
  #opened = 0;
  #erased = 0;

  constructor(keyDirectory: string, origin: string, report: Report) {
    this.#keyDirectory = keyDirectory;
    this.#origin = origin;
    this.#report = report;
  }

  get counts(): { readonly opened: number; readonly erased: number } {
    return { opened: this.#opened, erased: this.#erased };
  }

  async run(directory: string): Promise<void> {
    let index = 0;
    // Damage to frames was reported by the verification that ran before.
    for await (const steps of walkJournal(
      directory,
      () => undefined,
      () => undefined,
    ))
      for (const { frame } of steps) {
        if (frame.kind === FRAME.evidence) await this.#take(payloadOf(frame));
        // Whether it may be missing was checked by the verification that ran before.
        if (frame.kind === FRAME.dropped)
          this.#pending.set(decodeFrameHead(payloadOf(frame))?.number ?? 0, null);
        if (frame.kind === FRAME.event) this.#event(index++, payloadOf(frame));
      }
  }

  async #take(payload: Buffer): Promise<void> {
    const head = decodeFrameHead(payload);
    if (head === null) return;
    const { session, number, previous } = head;
    const key = await this.#key(session);
    const opened = key === null ? null : openFrame(this.#origin, key, payload);
    this.#pending.set(number, opened);
    if (opened === null) {
      if (key !== null)
        this.#report(`evidence frame ${number}`, `does not open with the key of session ${session}`);
      return;
    }
    const before = this.#packs.get(session);
    const chunks = previous !== 0 && before?.last === previous ? before.chunks : [];
    for (const chunk of opened.chunks) chunks.push(Buffer.from(chunk));
    this.#packs.set(session, { last: number, chunks });
    this.#chunks = chunks;
  }

  #event(index: number, bytes: Buffer): void {
    const event = eventOf(bytes);
    for (const ref of event.evidence ?? []) {
      const id = parseEvidenceId(ref.id);
      const frame = id === null ? undefined : this.#pending.get(id.number);
      if (id === null || frame === undefined) continue; // missing or altered: reported before
      const item = frame?.items[id.item];
      if (frame === null) this.#erased++;
      else if (item !== undefined && isCommitted(frame.version, item.salt, chunksOf(item, this.#chunks), ref))
        this.#opened++;
      else this.#report(`entry ${index}`, `its evidence ${ref.id} is not what it committed to`);
    }
    this.#pending.clear();
    if (event.kind === "session.ended" && event.session !== undefined) this.#packs.delete(event.session);
  }

  async #key(session: string): Promise<Buffer | null> {
    const known = this.#keys.get(session);
    if (known !== undefined) return known;
    let key: Buffer | null = null;
    try {
      key = await sessionKey(this.#keyDirectory, this.#origin, session);
    } catch (error) {
      this.#report(`key of session ${session}`, asFault(error).message);
    }
    this.#keys.set(session, key);
    return key;
  }
}

/** An item's chunks in order; short where the pack lacks one, which no commitment then fits. */
function* chunksOf(
  item: OpenedFrame["items"][number],
  chunks: readonly Buffer[],
): Generator<Buffer, void, undefined> {
  for (const { from, count } of item.runs)
    for (let at = from; at < from + count; at++) {
      const chunk = chunks[at];
      if (chunk === undefined) return;
      yield chunk;
    }
}

interface EventParts {
  readonly kind?: string;
  readonly session?: string;
  readonly evidence?: readonly EvidenceRef[];
}

const MAY_MATTER = /"evidence":\[\{|"session\.ended"/;

function eventOf(bytes: Buffer): EventParts {
  const text = bytes.toString("latin1");
  if (!MAY_MATTER.test(text)) return {};
  try {
    return JSON.parse(bytes.toString("utf8")) as EventParts; // the leaf's hash was compared before: as it was written
  } catch {
    return {}; // altered: reported before
  }
}
