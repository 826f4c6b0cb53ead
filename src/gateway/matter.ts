/** What passes through the pipeline: a request, or one message of a WebSocket. */
import type { Door, ExchangeId, Fault, WireProtocol } from "../core/index.ts";
import type { Decoded, Decoder, ReplyReading } from "../dialect/index.ts";
import type { EvidenceInput } from "../ledger/index.ts";
import type { Target } from "./exchange.ts";
import type { Judgement } from "./judge.ts";
import type { Way } from "./reroute.ts";
import type { Capture } from "./room.ts";
import type { Withheld } from "./screening.ts";

export interface About {
  readonly door: Door;
  readonly protocol: WireProtocol;
  readonly method: string;
  /** Where the agent means it to go. */
  readonly target: Target;
  /** Where it goes instead; null: where the agent means. */
  readonly way: Way | null;
  /** Body bytes on the wire. */
  readonly bytes: number;
}

export interface Matter {
  /** As it leaves: after `replace` with the new length. */
  readonly about: About;
  readonly evidence: readonly EvidenceInput[];
  /** The bytes to read, content codings undone. Throws `gateway.unreadable`. */
  content(): Promise<Buffer>;
  /** `content` may be another than the one that came: what is to leave in its place, or nothing for what stands round it. */
  decode(decoder: Decoder, content: Buffer): Decoded;
  /** Puts other bytes in the place of the content, coded as it was. Throws `gateway.unredacted` when that cannot be done. */
  replace(content: Buffer): Promise<void>;
  /**
   * Puts it on another way: from then on `about`, `evidence` and `act` are those of what goes there.
   * Resolves to the content as it goes there. Throws `gateway.unroutable`.
   */
  reroute(way: Way, content: Buffer, decoded: Decoded): Promise<Buffer>;
  /** Calls back when the agent no longer waits. */
  onGone(callback: () => void): void;
  /** May open what `act` needs; nothing of the content leaves. */
  prepare(judgement: Judgement): void;
  /** Sends. Never throws: what goes wrong is an outcome, and the agent has been told. */
  act(): Promise<Outcome>;
  /** Tells the agent, in its protocol's form; undoes `prepare`. */
  refuse(fault: Fault, judgement: Judgement): void;
}

export type Outcome =
  | {
      readonly kind: "answered";
      readonly status: number;
      readonly address: string | null;
      readonly tlsPeer: string | null;
      readonly isComplete: boolean;
      readonly head: Buffer | null;
      readonly reply: Capture;
      readonly role: "response-body" | "frames";
      readonly contentType: string;
      readonly codings: readonly string[];
      /** What the reply says, where it was read on its way; else it is read from `reply`. */
      readonly reading?: Promise<ReplyReading | null>;
      /** Set when the agent did not get it, or not all of it, because of what it says. */
      readonly withheld?: Withheld;
    }
  | { readonly kind: "failed"; readonly fault: Fault; readonly mayHaveLeft: boolean };

/** A matter with its number and its verdict. */
export interface Verdicted {
  readonly id: ExchangeId;
  readonly startedAt: number;
  readonly judgement: Judgement;
  readonly matter: Matter;
}
