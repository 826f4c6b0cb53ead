/**
 * The writer's face: appends events with their evidence, and publishes.
 *
 * Life of an entry: append → its evidence is sealed, its canonical bytes framed (here) → one write and fdatasync with
 * its neighbours (journal.ts) → the caller may act → tree, tiles, signature (publish.ts), each second or 256 entries.
 *
 * Publishing keeps off the disk for four times as long as it took, so that tailing never costs the append path more
 * than a fifth of it. Failing to publish does not fail an append: the entry is durable, and unsigned until it works.
 */

import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import {
  asFault,
  asSessionId,
  type Clock,
  type EventBody,
  type EvidenceRef,
  Fault,
  type LedgerEvent,
  type SessionId,
  Turns,
} from "../core/index.ts";
import {
  compress,
  compressAside,
  compressesLong,
  type EvidenceInput,
  Pack,
  type Prepared,
} from "./evidence.ts";
import { diskFault, type JournalIo, readIfThere, realIo, syncDirectory } from "./files.ts";
import { Journal, SEGMENT_BYTES } from "./journal.ts";
import {
  addSigner,
  createSigner,
  destroyKey,
  ensureSessionKey,
  erasure,
  interruptedErasures,
  isOrigin,
  loadSigners,
  makePrivateDirectory,
  putKeyBack,
  readHolds,
  rememberedCheckpoint,
  retireSigners,
  setKeyAside,
  writeHolds,
} from "./keys.ts";
import { LeafText } from "./leaf-text.ts";
import { takeLock, type WriterLock } from "./lock.ts";
import { type Checkpoint, openCheckpoint, parseVerifierKey, type Signer } from "./note.ts";
import { Publisher } from "./publish.ts";
import { publishedKeys, publishKeys } from "./published.ts";
import { readEntries } from "./read.ts";
import { findEnd } from "./recover.ts";
import { type Due, RetentionFold, type RetentionRule } from "./retention.ts";
import { publisherOptions, Tailer } from "./tailer.ts";
import type { Witness } from "./witness.ts";
import { ensureOrganisationKey } from "./wrapping.ts";

export interface Appended {
  readonly index: number;
  readonly event: LedgerEvent;
}

/** Who erases and why; `rule` names the retention rule that asked. */
export interface Erasing {
  readonly principal: string;
  readonly reason: string;
  readonly rule?: string;
}

export interface Ledger {
  /** The log's name: first line of its checkpoints, name of its key. */
  readonly origin: string;
  /** The public key, as golang.org/x/mod/sumdb/note reads it; also in the directory's `vkey.txt`. */
  readonly verifierKey: string;
  /** Number of durable entries. */
  readonly size: number;
  /**
   * Resolves only after fdatasync of the event and its evidence. Adds `v`, `at` and the evidence refs. On rejection
   * nothing may be acted on; faults: `ledger.full`, `.readonly`, `.failed` (the next append tries afresh),
   * `.oversize` (this one only), `.closed`, `.unreadable`, `canonical.unrepresentable`.
   */
  append(body: EventBody, evidence?: readonly EvidenceInput[]): Promise<Appended>;
  /** Publishes tiles and a signed note of all that is durable now; the note. */
  checkpoint(): Promise<string>;
  /**
   * Erases all evidence of a session by destroying its key, and records it. The log, its commitments and proofs stay.
   * Throws `evidence.held`, `evidence.erased`, `evidence.unknown` (the session has none); then nothing was erased.
   */
  erase(session: SessionId, by: Erasing): Promise<Appended>;
  /** Puts sessions (none named: all, also future ones) under a legal hold, and records it. */
  hold(name: string, sessions: readonly SessionId[], principal: string): Promise<Appended>;
  /** Lifts all holds of a case. Throws `usage.invalid` where there is none. */
  liftHold(name: string, principal: string): Promise<Appended>;
  /** Erases what the rules say is due and no hold keeps; the sessions erased. Reads the whole log. */
  retain(rules: readonly RetentionRule[]): Promise<readonly Due[]>;
  /**
   * Changes the signing key. From now on notes bear the new key's signature and the former one's, so that auditors who
   * hold either can verify, until `retireKey`. The record of the change is under both.
   */
  rotateKey(principal: string): Promise<Appended>;
  /** Ends the period: notes bear the present key's signature alone. */
  retireKey(principal: string): Promise<Appended>;
  /** Waits for what is under way, publishes, releases the lock. The lock is released even when publishing fails. */
  close(): Promise<void>;
}

export interface LedgerOptions {
  readonly directory: string;
  readonly keyDirectory: string;
  readonly clock: Clock;
  /** Who writes, for the `ledger.opened` event. */
  readonly program: string;
  /** Names a new ledger; default `sallyport.local/<16 hexadecimal digits>`. Of no effect on one that exists. */
  readonly origin?: string;
  /** Who cosigns each checkpoint, if they can be reached; none by default. */
  readonly witnesses?: readonly Witness[];
  readonly checkpointEveryMs?: number;
  readonly checkpointEveryEntries?: number;
}

/** What tests and benchmarks turn, beyond the door. */
export interface Innards {
  readonly io?: JournalIo;
  readonly segmentBytes?: number;
  readonly boot?: string | null;
}

/**
 * Takes the ledger at `directory`, making it where there is none, and records `ledger.opened`. Recovers from a crash
 * by itself. Throws `ledger.locked`, `ledger.unreadable`, `ledger.forked`, `ledger.full`, `ledger.readonly`,
 * `ledger.failed`, `ledger.key`.
 */
export const openLedger = (options: LedgerOptions): Promise<Ledger> => openLedgerWith(options, {});

export async function openLedgerWith(options: LedgerOptions, innards: Innards): Promise<Ledger> {
  const { directory } = options;
  try {
    mkdirSync(directory, { recursive: true });
  } catch (error) {
    throw diskFault(error, directory);
  }
  const lock = await takeLock(directory);
  try {
    return await openLocked(options, innards, lock);
  } catch (error) {
    lock.release();
    throw diskFault(error, directory);
  }
}

async function openLocked(options: LedgerOptions, innards: Innards, lock: WriterLock): Promise<Ledger> {
  const { directory, keyDirectory } = options;
  const [signer, ...former] = await identify(options);
  await ensureOrganisationKey(keyDirectory);
  const verifiers = [signer, ...former].map((s) => parseVerifierKey(s.verifierKey));
  const opened = (note: string | null): Checkpoint | null =>
    note === null ? null : openCheckpoint(note, verifiers);
  const signed = opened(readIfThere(join(directory, "checkpoint"))?.toString("utf8") ?? null)?.size ?? 0;
  const end = await findEnd(directory, signed);
  const { monotonic } = options.clock;
  const source = {
    directory,
    keyDirectory,
    origin: signer.name,
    boot: innards.boot,
    witnesses: options.witnesses ?? [],
  };
  const expected = opened(rememberedCheckpoint(keyDirectory, signer.name));
  const publisher = Publisher.restore(publisherOptions(source, expected, monotonic));
  if (end !== null) await publisher.advance(end.position);
  publisher.checkNotForked();
  const tailer = new Tailer(source, publisher, monotonic);
  const ledger = new Writer(options, signer, lock, tailer, (onDurable, onFailure) => {
    const io = innards.io ?? realIo;
    const segmentBytes = innards.segmentBytes ?? SEGMENT_BYTES;
    return new Journal({ directory, origin: signer.name, end, io, segmentBytes, onDurable, onFailure });
  });
  try {
    const recovered = ledger.size - signed;
    await ledger.append({ kind: "ledger.opened", program: options.program, recovered });
    await ledger.finishErasures();
  } catch (error) {
    await ledger.abandon();
    throw error;
  }
  return ledger;
}

/** The log's keys: those that `vkey.txt` names, or a new one for a new ledger. */
async function identify(options: LedgerOptions): Promise<readonly [Signer, ...Signer[]]> {
  const { directory, keyDirectory } = options;
  const path = join(directory, "vkey.txt");
  const published = publishedKeys(directory);
  const [known] = published;
  if (known !== undefined) {
    const [signer, ...former] = loadSigners(keyDirectory, known.name);
    const keys = [signer, ...former].flatMap((s) => s?.verifierKey ?? []);
    if (signer === undefined || !published.some((p) => keys.includes(p.text)))
      throw new Fault("ledger.key", { at: path, detail: "the signing key is not a published one" });
    // A crash while keys were changed leaves them changed beside the key and not here.
    if (keys.join() !== published.map((p) => p.text).join()) await publishKeys(directory, keys);
    return [signer, ...former];
  }
  if (readIfThere(join(directory, "checkpoint")) !== null)
    throw new Fault("ledger.unreadable", { at: path, detail: "missing, though the ledger has a checkpoint" });
  const origin = options.origin ?? `sallyport.local/${randomBytes(8).toString("hex")}`;
  if (!isOrigin(origin))
    throw new Fault("usage.invalid", { detail: `\`${origin}\` is not a ledger's origin` });
  await makePrivateDirectory(keyDirectory);
  // Key first: a crash in between leaves a key without a ledger, never a ledger without its key.
  const signer = await createSigner(keyDirectory, origin);
  await publishKeys(directory, [signer.verifierKey]);
  await syncDirectory(join(directory, ".."));
  return [signer];
}

/** `append` is given evidence only for kinds that have the field; a canonical leaf would show it otherwise. */
function withEvidence(event: LedgerEvent, refs: readonly EvidenceRef[]): LedgerEvent {
  if (!("evidence" in event))
    throw new Fault("internal.bug", { detail: `evidence for ${event.kind}, which holds none` });
  return { ...event, evidence: refs };
}

/** What tells of something that is over. Nobody waits for it before acting, so it shares the next write that is due. */
const AFTER_THE_FACT: ReadonlySet<EventBody["kind"]> = new Set(["exchange.answered", "exchange.failed"]);

const CHECKPOINT_EVERY_MS = 1000;
const CHECKPOINT_EVERY_ENTRIES = 256;
const REST_FACTOR = 4;
/** … and at least this long, as each publication costs the disk a few commits, whatever its size. */
const MIN_REST_MS = 200;

/** Evidence that has its chunks in its pack, and no frame yet. */
interface Begun {
  readonly pack: Pack;
  readonly prepared: Prepared | Promise<Prepared>;
}

class Writer implements Ledger {
  readonly #options: LedgerOptions;
  /** Replaced when the key is changed. */
  #signer: Signer;
  readonly #lock: WriterLock;
  readonly #tailer: Tailer;
  readonly #journal: Journal;
  /** One pack per live session; emptied when a write is refused, as packs then name frames that are not there. */
  readonly #packs = new Map<string, Pack>();
  /** Sessions of which something long is on its way to the journal: what comes after it waits for it. */
  readonly #queues = new Map<string, Promise<unknown>>();
  readonly #turns: Turns;
  readonly #leafText = new LeafText();
  /** Sessions' data keys, read or made once. */
  readonly #keys = new Map<string, Promise<Buffer>>();
  #publishing: Promise<unknown> = Promise.resolve();
  #acts: Promise<unknown> = Promise.resolve();
  #publishingNow = false;
  /** Monotonic ms before which only the timer may publish. */
  #restUntil = 0;
  #timer: NodeJS.Timeout | null = null;
  /** Set when what is on the disk is no longer known: nothing is appended any more. */
  #broken: Fault | null = null;
  #closed: Promise<void> | null = null;

  constructor(
    options: LedgerOptions,
    signer: Signer,
    lock: WriterLock,
    tailer: Tailer,
    journal: (onDurable: () => void, onFailure: () => void) => Journal,
  ) {
    this.#options = options;
    this.#signer = signer;
    this.#lock = lock;
    this.#tailer = tailer;
    this.#turns = new Turns(options.clock);
    this.#journal = journal(
      () => this.#considerPublishing(),
      () => this.#packs.clear(),
    );
  }

  get origin(): string {
    return this.#signer.name;
  }
  get verifierKey(): string {
    return this.#signer.verifierKey;
  }
  get size(): number {
    return this.#journal.entries;
  }

  append(body: EventBody, evidence: readonly EvidenceInput[] = []): Promise<Appended> {
    if (this.#closed !== null) return Promise.reject(new Fault("ledger.closed"));
    if (this.#broken !== null) return Promise.reject(this.#broken);
    try {
      return this.#dispatch(body, evidence);
    } catch (error) {
      return Promise.reject(asFault(error));
    }
  }

  /**
   * Order, so that a crash leaves neither a key that is said to be destroyed nor one destroyed in silence: the key is
   * set aside, the event made durable, the key destroyed. What was set aside is finished at the next opening.
   */
  erase(session: SessionId, by: Erasing): Promise<Appended> {
    return this.#inTurn(async () => {
      const { keyDirectory } = this.#options;
      if (erasure(keyDirectory, this.origin, session) !== "none")
        throw new Fault("evidence.erased", { detail: `session ${session}` });
      const hold = readHolds(keyDirectory, this.origin).find(
        (h) => h.session === "*" || h.session === session,
      );
      if (hold !== undefined) throw new Fault("evidence.held", { detail: `case ${hold.case}` });
      this.#forget(session);
      if (!(await setKeyAside(keyDirectory, this.origin, session)))
        throw new Fault("evidence.unknown", { detail: `session ${session} has no evidence` });
      const { principal, reason, rule = null } = by;
      const erased = await this.append({ kind: "evidence.erased", session, principal, reason, rule }).catch(
        async (error: unknown) => {
          await putKeyBack(keyDirectory, this.origin, session);
          throw error;
        },
      );
      // On the record now: from here on there is no way back, only forward at the next opening.
      await destroyKey(keyDirectory, this.origin, session);
      return erased;
    });
  }

  /** In force before it is on the record: a crash in between holds too much, not too little. */
  hold(name: string, sessions: readonly SessionId[], principal: string): Promise<Appended> {
    return this.#inTurn(async () => {
      if (!/^[A-Za-z0-9._-]{1,64}$/.test(name))
        throw new Fault("usage.invalid", { detail: `\`${name.slice(0, 80)}\` is not a case's name` });
      const { keyDirectory } = this.#options;
      const more = sessions.length === 0 ? ["*"] : sessions;
      await writeHolds(keyDirectory, this.origin, [
        ...readHolds(keyDirectory, this.origin),
        ...more.map((session) => ({ case: name, session })),
      ]);
      return await this.append({ kind: "hold.placed", case: name, sessions, principal });
    });
  }

  liftHold(name: string, principal: string): Promise<Appended> {
    return this.#inTurn(async () => {
      const { keyDirectory } = this.#options;
      const holds = readHolds(keyDirectory, this.origin);
      const rest = holds.filter((h) => h.case !== name);
      if (rest.length === holds.length)
        throw new Fault("usage.invalid", { detail: `no hold of case \`${name}\`` });
      const lifted = await this.append({ kind: "hold.lifted", case: name, principal });
      await writeHolds(keyDirectory, this.origin, rest);
      return lifted;
    });
  }

  /** One act on keys and holds after the other: a hold must not slip between an erasure's check and its deed. */
  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const done = this.#acts.then(act);
    this.#acts = done.catch(() => undefined); // whoever asked gets the error
    return done;
  }

  async retain(rules: readonly RetentionRule[]): Promise<readonly Due[]> {
    const fold = new RetentionFold();
    for await (const { event } of readEntries(this.#options.directory)) fold.add(event);
    const erased: Due[] = [];
    for (const due of fold.due(rules, this.#options.clock.now())) {
      const session = asSessionId(due.session);
      if (session === null) continue;
      try {
        await this.erase(session, { principal: "retention", reason: "its time is over", rule: due.rule });
        erased.push(due);
      } catch (error) {
        const { code } = asFault(error);
        // Held: next time. Unknown: the session had no evidence. Erased: a person was faster.
        if (code !== "evidence.held" && code !== "evidence.unknown" && code !== "evidence.erased")
          throw error;
      }
    }
    return erased;
  }

  rotateKey(principal: string): Promise<Appended> {
    return this.#inTurn(() => this.#rotate(principal));
  }

  async #rotate(principal: string): Promise<Appended> {
    const former = this.#signer.verifierKey;
    await this.#changeSigners(() => addSigner(this.#options.keyDirectory, this.origin));
    const done = await this.append({ kind: "key.rotated", verifierKey: this.verifierKey, former, principal });
    await this.checkpoint();
    return done;
  }

  retireKey(principal: string): Promise<Appended> {
    return this.#inTurn(() => this.#retire(principal));
  }

  async #retire(principal: string): Promise<Appended> {
    await this.#changeSigners(() => retireSigners(this.#options.keyDirectory, this.origin));
    const done = await this.append({ kind: "key.retired", verifierKey: this.verifierKey, principal });
    await this.checkpoint();
    return done;
  }

  /** Beside the key first, then in the ledger: `identify` makes good a crash in between. No publication runs meanwhile. */
  async #changeSigners(change: () => Promise<Signer[]>): Promise<void> {
    const changed = this.#publishing.then(async () => {
      const signers = await change();
      const [signer] = signers;
      if (signer === undefined) throw new Fault("internal.bug", { detail: "no signer is left" });
      await publishKeys(
        this.#options.directory,
        signers.map((s) => s.verifierKey),
      );
      await this.#tailer.restart();
      this.#signer = signer;
    });
    this.#publishing = changed.catch(() => undefined); // whoever asked gets the error
    await changed;
  }

  /** Records and finishes what a crash interrupted; the event may then stand twice. */
  async finishErasures(): Promise<void> {
    for (const name of interruptedErasures(this.#options.keyDirectory, this.origin)) {
      const session = asSessionId(name);
      if (session === null) continue;
      const reason = "erasure finished after an interruption";
      await this.append({ kind: "evidence.erased", session, principal: "ledger", reason, rule: null });
      await destroyKey(this.#options.keyDirectory, this.origin, session);
    }
  }

  async checkpoint(): Promise<string> {
    if (this.#closed !== null) throw new Fault("ledger.closed");
    if (this.#broken !== null) throw this.#broken;
    return this.#publish();
  }

  close(): Promise<void> {
    this.#closed ??= this.#shut();
    return this.#closed;
  }

  /** Lets go without publishing: for an opening that failed. */
  async abandon(): Promise<void> {
    this.#closed = Promise.resolve();
    this.#stopTimer();
    await this.#journal.close();
    await this.#tailer.close(false);
    this.#lock.release();
  }

  #dispatch(body: EventBody, evidence: readonly EvidenceInput[]): Promise<Appended> {
    const session = "session" in body ? body.session : null;
    const before = session === null ? undefined : this.#queues.get(session);
    if (session !== null && before !== undefined) return this.#queue(session, before, body, evidence);
    if (evidence.length === 0) return this.#append(body, null);
    if (session === null)
      throw new Fault("internal.bug", { detail: `evidence for ${body.kind}, which has no session` });
    const pack = this.#packs.get(session);
    // Its key is read first, and what comes meanwhile stands behind it.
    if (pack === undefined) return this.#queue(session, Promise.resolve(), body, evidence);
    const begun = { pack, prepared: this.#prepare(session, pack, evidence) };
    const { prepared } = begun;
    return prepared instanceof Promise || compressesLong(prepared.plain)
      ? this.#queue(session, Promise.resolve(), body, evidence, begun)
      : this.#append(body, { pack, prepared, packed: compress(prepared.plain) });
  }

  /** Where it takes long, in turns with others: then a promise. */
  #prepare(session: SessionId, pack: Pack, evidence: readonly EvidenceInput[]): Prepared | Promise<Prepared> {
    const done: { prepared?: Prepared } = {};
    const steps = (function* () {
      done.prepared = yield* pack.preparing(evidence);
    })();
    const made = (): Prepared => {
      if (done.prepared === undefined) throw new Fault("internal.bug", { detail: "not prepared" });
      return done.prepared;
    };
    // The pack may name a chunk that no frame will hold.
    const failed = (error: unknown): never => {
      this.#packs.delete(session);
      throw error;
    };
    try {
      const waits = this.#turns.walk(steps, () => {});
      return waits === null ? made() : waits.then(made).catch(failed);
    } catch (error) {
      return failed(error);
    }
  }

  /**
   * Evidence so long that it is prepared in steps and compressed on another thread. What comes of its session meanwhile waits
   * for it: frames refer to the chunks of earlier ones, and events stand in the order in which they came.
   */
  #queue(
    session: SessionId,
    before: Promise<unknown>,
    body: EventBody,
    evidence: readonly EvidenceInput[],
    begun: Begun | null = null,
  ): Promise<Appended> {
    const entered = before.then(() => this.#enter(session, body, evidence, begun));
    const over = (): void => {
      if (this.#queues.get(session) === last) this.#queues.delete(session);
    };
    const last: Promise<void> = entered.then(over, over);
    this.#queues.set(session, last);
    return entered.then(({ durable }) => durable);
  }

  /** Resolves when it stands in the journal's queue; that it is durable is for its own caller to wait for. */
  async #enter(
    session: SessionId,
    body: EventBody,
    evidence: readonly EvidenceInput[],
    begun: Begun | null,
  ): Promise<{ readonly durable: Promise<Appended> }> {
    if (evidence.length === 0) return { durable: this.#append(body, null) };
    for (let work = begun; ; work = null) {
      const pack = work?.pack ?? this.#packs.get(session) ?? (await this.#withPack(session));
      const prepared = await (work?.prepared ?? this.#prepare(session, pack, evidence));
      const packed = compressesLong(prepared.plain)
        ? await this.#compressed(session, prepared)
        : compress(prepared.plain);
      // Else a write was refused meanwhile, and what was prepared may refer to what is not there.
      if (this.#packs.get(session) === pack)
        return { durable: this.#append(body, { pack, prepared, packed }) };
    }
  }

  async #compressed(session: SessionId, { plain }: Prepared): Promise<Buffer> {
    try {
      return await compressAside(plain);
    } catch (error) {
      this.#packs.delete(session);
      throw error;
    }
  }

  #append(
    body: EventBody,
    sealed: { readonly pack: Pack; readonly prepared: Prepared; readonly packed: Buffer | null } | null,
  ): Promise<Appended> {
    // Again: the ledger may have been closed while a key was fetched.
    if (this.#closed !== null) throw new Fault("ledger.closed");
    let event: LedgerEvent = { v: 1, at: this.#options.clock.now(), ...body };
    let frames: readonly Buffer[] = [];
    let durable: Promise<Appended>;
    try {
      if (sealed !== null) {
        const { pack, prepared, packed } = sealed;
        const { payload, refs } = pack.close(this.#journal.nextEvidence, prepared, packed);
        frames = [payload];
        event = withEvidence(event, refs);
      }
      const recorded = event;
      const appended = (index: number): Appended => ({ index, event: recorded });
      const mayWait = AFTER_THE_FACT.has(body.kind);
      durable = this.#journal.append(this.#leafText.of(event), frames, appended, mayWait);
    } catch (error) {
      // The pack may name a frame that was never queued.
      if ("session" in body) this.#packs.delete(body.session);
      throw error;
    }
    if (body.kind === "session.ended") this.#forget(body.session);
    return durable;
  }

  #forget(session: string): void {
    this.#packs.delete(session);
    this.#keys.delete(session);
  }

  async #withPack(session: string): Promise<Pack> {
    let key = this.#keys.get(session);
    if (key === undefined) {
      key = ensureSessionKey(this.#options.keyDirectory, this.#signer.name, session);
      this.#keys.set(session, key);
      key.catch(() => this.#keys.delete(session)); // so that the next append tries again
    }
    const made = new Pack(this.#signer.name, session, await key);
    // A neighbour may have been faster; one pack per session, or chunk numbers would clash.
    const pack = this.#packs.get(session) ?? made;
    this.#packs.set(session, pack);
    return pack;
  }

  #considerPublishing(): void {
    if (this.#closed !== null || this.#publishingNow) return;
    const every = this.#options.checkpointEveryEntries ?? CHECKPOINT_EVERY_ENTRIES;
    if (
      this.#journal.entries - this.#tailer.signed >= every &&
      this.#options.clock.monotonic() >= this.#restUntil
    ) {
      void this.#publish().catch(() => undefined); // kept in #broken if grave, else tried again by the timer
      return;
    }
    this.#startTimer();
  }

  #startTimer(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      void this.#publish().catch(() => this.#startTimer());
    }, this.#options.checkpointEveryMs ?? CHECKPOINT_EVERY_MS).unref();
  }

  #stopTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** One publication after the other. */
  #publish(): Promise<string> {
    const next = this.#publishing.then(() => this.#publishOnce());
    this.#publishing = next.catch(() => undefined); // whoever asked gets the error
    return next;
  }

  async #publishOnce(): Promise<string> {
    const began = this.#options.clock.monotonic();
    this.#publishingNow = true;
    this.#stopTimer();
    try {
      return await this.#tailer.publish(this.#journal.durable);
    } catch (error) {
      const fault = asFault(error);
      if (fault.kind.stops === "process") this.#broken = fault;
      throw fault;
    } finally {
      this.#publishingNow = false;
      const now = this.#options.clock.monotonic();
      this.#restUntil = now + Math.max(MIN_REST_MS, REST_FACTOR * (now - began));
      if (this.#closed === null && this.#broken === null && this.#journal.entries > this.#tailer.signed)
        this.#startTimer();
    }
  }

  async #shut(): Promise<void> {
    try {
      await this.#journal.close();
      if (this.#broken === null) await this.#publish();
    } finally {
      this.#stopTimer();
      await this.#tailer.close(this.#broken === null).finally(() => this.#lock.release());
    }
  }
}
