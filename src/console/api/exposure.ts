/**
 * Exposure: the four questions, one card per agent build × destination × period.
 *
 *   GET  /api/exposure              ExposureQuery → Rows<ExposureCard>   right `look`; greatest first; CSV and JSON
 *                                   Without from and to: the newest four periods there are.
 *   GET  /api/exposure/exchanges    { agent, destination, build?, from, to } → Rows<Sample>   what can be looked at; right `read-evidence`
 *   POST /api/exposure/exchanges/:id/bytes   { reason } → ExactBytes     right `read-evidence`
 */
import type { Count } from "./answer.ts";
import type { Masked } from "./sessions.ts";

export interface ExposureQuery {
  readonly from?: number;
  readonly to?: number;
  readonly agent?: string;
  readonly destination?: string;
  /** Default `week`. Weeks begin on Monday, UTC. */
  readonly period?: "day" | "week" | "month" | "all";
}

export interface ExposureCard {
  /** Stable: agent, build, destination and period. */
  readonly id: string;
  readonly agent: string;
  readonly version: string | null;
  readonly build: string | null;
  readonly destination: string;
  readonly from: number;
  readonly to: number;
  readonly filter: string;
  readonly transmitted: {
    /** Left. */
    readonly requests: number;
    readonly bytes: number;
    /** Did not: by policy. */
    readonly denied: number;
    readonly sessions: number;
    /** Requests in which a class was found, by class; a request counts under each. */
    readonly classes: readonly {
      readonly class: string;
      readonly requests: number;
      readonly filter: string;
    }[];
    /** Requests in which something was replaced by placeholders. */
    readonly redacted: number;
    /** With the number of sessions in each. */
    readonly workspaces: readonly Count[];
    /** Requests that were not understood: recorded whole all the same. */
    readonly notUnderstood: number;
    readonly models: readonly Count[];
  };
  readonly servers: {
    readonly hosts: readonly string[];
    /** The origins that were really reached. */
    readonly sentTo: readonly string[];
    /** Null: the register knows nothing of it. */
    readonly register: readonly Fact[] | null;
    /** What replies said of themselves, over all time: the model that answered and where, as far as they say it. */
    readonly reported: readonly {
      readonly model: string | null;
      readonly region: string | null;
      readonly requests: number;
    }[];
    /** SHA-256 fingerprints of the certificates that answered, over all time. */
    readonly tlsPeers: readonly string[];
    readonly addresses: readonly string[];
  };
  readonly terms: readonly Fact[] | null;
  readonly seen: {
    /** Who can come to see it, and by what. */
    readonly parties: readonly { readonly who: string; readonly by: string; readonly law: string | null }[];
    /** Laws that can compel whoever holds it. */
    readonly laws: readonly string[];
    /** Newest exchange whose exact bytes can be looked at; null without the right to. */
    readonly sample: string | null;
  };
}

/** One fact of the register, with where it is from. */
export interface Fact {
  readonly name: string;
  readonly value: string;
  readonly sources: readonly string[];
  /** A day. */
  readonly asOf: string;
  /** Nobody has looked for too long: policy takes it as unknown. */
  readonly isStale: boolean;
}

export interface Sample {
  readonly exchange: string;
  readonly session: string;
  readonly at: number;
  readonly requestBytes: number;
  readonly verdict: string;
  readonly classes: readonly string[];
  readonly redacted: number;
}

/** One request, as the recipient got it. */
export interface ExactBytes {
  readonly exchange: string;
  readonly recordedAt: readonly number[];
  readonly sentTo: string;
  /** Request line and headers; credentials are masked always. */
  readonly head: string | null;
  /** Null: it cannot be shown, and `withheld` says why. */
  readonly body: Body | null;
  /** `cannot-mask`: something was found in it that cannot be masked in place; `frames`: a WebSocket's, compressed with those before. */
  readonly withheld: "cannot-mask" | "erased" | "frames" | null;
  /** The whole body's SHA-256, hex. */
  readonly sha256: string;
  /**
   * Against what the agent wrote. The record keeps what left and nothing else: of a value that was replaced it holds class,
   * detector and number, never the value; of a request that was sent elsewhere in another format, not the original.
   */
  readonly against: {
    readonly kept: "same" | "placeholders" | "translated";
    /** Where a placeholder stands in the body; what stood there is on no disk. */
    readonly replaced: readonly Masked[];
    /** What the other format had no place for. */
    readonly dropped: readonly string[];
  };
}

export interface Body {
  readonly text: string;
  /** False: not UTF-8, and each byte that is not is shown as U+FFFD. */
  readonly isUtf8: boolean;
  readonly bytes: number;
  /** JSON that was set out over lines so that people can read it. */
  readonly isSetOut: boolean;
  /** Only the first two million characters are shown. */
  readonly isCut: boolean;
  readonly masked: readonly Masked[];
}
