/**
 * A reply that is read before the agent has it: where policy refuses `injection` by a rule for the place that it comes
 * from, text that gives the agent's model orders does not reach it. Held back a window at a time; what is clean goes on
 * as it came, piece by piece. The windows overlap, so that an order cut in two by them is found; of an event stream each
 * event is a window, as nobody knows when the next one comes.
 *
 * Models' own replies pass unread: to hold them back would be to end streaming, and what a model says is what it was
 * asked for. Neither are messages of a WebSocket read that a server sends.
 */
import { isUtf8 } from "node:buffer";
import { Fault, type FindingTally } from "../core/index.ts";
import { decide } from "../policy/index.ts";
import { codingsOf, undoCodings } from "./coding.ts";
import type { Reply } from "./exchange.ts";
import { headerOf, type ReplyHead } from "./head.ts";
import { type Judgement, pointsOf } from "./judge.ts";
import type { Limits } from "./limits.ts";
import type { About } from "./matter.ts";
import type { GatewaySession, Reader } from "./session.ts";
import type { Standing } from "./standing.ts";

/** What was found in a reply, and the rules that kept it from the agent. */
export interface Withheld {
  readonly findings: readonly FindingTally[];
  readonly rules: readonly string[];
}

/** The rules under which a reply to this is read first; none: it passes unread. */
export function screeningRules(
  about: About,
  { isModel }: Judgement,
  session: GatewaySession,
  standing: Standing,
): readonly string[] {
  if (isModel) return [];
  const [first, ...others] = pointsOf(about, null, new Set(["injection"]), session);
  const { verdict, rules } = decide(standing.policy, first, ...others);
  // A policy that is silent about orders to the model refuses by default, and means what leaves.
  return verdict === "deny" ? rules.map(({ id }) => id).filter((id) => !/(?:^|\.)default$/.test(id)) : [];
}

const WINDOW_BYTES = 1 << 20;
const OVERLAP_BYTES = 2048;
const TEXT =
  /^(?:text\/|application\/(?:[\w.+-]*json|[\w.+-]*xml|javascript|ecmascript|yaml|x-yaml|graphql|x-www-form-urlencoded|[\w.+-]*markdown))|^$/i;

interface Held {
  readonly wire: Buffer;
  readonly content: readonly Buffer[];
}

export class Screening {
  readonly #head: ReplyHead;
  readonly #reply: Reply;
  readonly #reader: Reader;
  readonly #limits: Limits;
  readonly #isStream: boolean;
  #held: Held[] = [];
  #bytes = 0;
  #tail: Buffer = Buffer.alloc(0);
  #isPassing = false;

  constructor(head: ReplyHead, reply: Reply, reader: Reader, limits: Limits) {
    this.#head = head;
    this.#reply = reply;
    this.#reader = reader;
    this.#limits = limits;
    this.#isStream = /^text\/event-stream/i.test(headerOf(head.headers, "content-type") ?? "");
  }

  /** null: go on; else what was found, and nothing of this window reaches the agent. Throws `gateway.unreadable`. */
  async push(wire: Buffer, content: readonly Buffer[]): Promise<readonly FindingTally[] | null> {
    this.#held.push({ wire, content });
    this.#bytes += wire.length;
    if (this.#isPassing || this.#isOther()) {
      this.#isPassing = true;
      this.#release();
      return null;
    }
    const isWhole = this.#isStream ? this.#endsEvent() : this.#bytes >= WINDOW_BYTES;
    if (!isWhole) return null;
    if (codingsOf(this.#head.headers).length > 0) {
      // A coded text is undone as a whole; where it has no near end, it cannot be read first.
      if (!this.#isStream && this.#bytes < this.#limits.decodedBytes) return null;
      throw new Fault("gateway.unreadable", { detail: "a coded reply too long to be read first" });
    }
    return this.#readHeld();
  }

  /** The last window; null: all of it has gone to the agent. */
  async end(): Promise<readonly FindingTally[] | null> {
    if (this.#isPassing) {
      this.#release();
      return null;
    }
    return this.#readHeld();
  }

  async #readHeld(): Promise<readonly FindingTally[] | null> {
    const raw = Buffer.concat(this.#held.flatMap(({ content }) => content));
    const codings = codingsOf(this.#head.headers);
    const text = codings.length === 0 ? raw : await undoCodings(raw, codings, this.#limits);
    if (text === null) throw new Fault("gateway.unreadable", { detail: "a coded reply that is damaged" });
    const found = this.#reader.screen(Buffer.concat([this.#tail, text]));
    if (found.length > 0) return found;
    this.#tail = text.subarray(-OVERLAP_BYTES);
    this.#release();
    return null;
  }

  #release(): void {
    if (!this.#reply.isBegun) this.#reply.head(this.#head);
    for (const { wire, content } of this.#held) this.#reply.data(wire, content);
    this.#reply.flush();
    this.#held = [];
    this.#bytes = 0;
  }

  /** Neither called text nor text: a picture, an archive. */
  #isOther(): boolean {
    if (TEXT.test(headerOf(this.#head.headers, "content-type") ?? "")) return false;
    if (codingsOf(this.#head.headers).length > 0) return false;
    const first = this.#held[0]?.content.find(({ length }) => length > 0);
    if (first === undefined) return false;
    // A character may be cut at the end of the first piece.
    const start = first.subarray(0, 512);
    return start.includes(0) || ![0, 1, 2, 3].some((cut) => isUtf8(start.subarray(0, start.length - cut)));
  }

  #endsEvent(): boolean {
    const last = this.#held.at(-1)?.content.at(-1);
    return last !== undefined && /\n\r?\n$|\r\r$/.test(last.toString("latin1", Math.max(0, last.length - 4)));
  }
}
