/**
 * What a request says, in one neutral form for every protocol.
 *
 * Cost: an agent sends its whole conversation again with every turn. A decoder remembers what its session has sent, so
 * a turn costs one comparison of bytes plus the reading of what is new (bench/dialect).
 */
import type { SourceTally } from "../core/index.ts";
import type { CalledTool } from "./unit.ts";

export type DialectName =
  | "anthropic-messages"
  | "openai-chat"
  | "openai-responses"
  | "gemini"
  /** Bedrock InvokeModel and Converse: Anthropic's or Amazon's body in AWS' envelope and errors. */
  | "bedrock"
  | "mcp"
  | "telemetry"
  /** multipart/form-data. */
  | "upload"
  /** Protobuf, gRPC and Connect without a public schema (Cursor and others). */
  | "protobuf"
  /** Anything else, also requests without a body. */
  | "opaque";

/** In wire order and case. */
export type RawHeaders = readonly (readonly [name: string, value: string])[];

export interface RequestView {
  readonly method: string;
  readonly host: string;
  /** With its query. */
  readonly path: string;
  readonly headers: RawHeaders;
  /** Content-decoded. The decoder keeps copies of what it needs later. */
  readonly body: Uint8Array;
}

/**
 * `tool`: the result of a tool call, which is where workspace content travels. `definition`: what tools the agent
 * offers. `metadata`: every other field, header-like. `opaque`: text of a body in no known form. `encoded`: what says
 * nothing when read as text: media in base64, providers' signatures and ciphertext. `target`: host, blank, path and query
 * as they are on the wire. `credential`: a header field that credentials belong in. `fragment`: two of these beside each
 * other are what earlier requests or messages of the session ended with, and what this one goes on with; they stand
 * elsewhere among the parts, too.
 */
export type Role =
  | "system"
  | "user"
  | "assistant"
  | "tool"
  | "definition"
  | "metadata"
  | "opaque"
  | "encoded"
  | "target"
  | "credential"
  | "fragment";

export interface TextPart {
  /** RFC 6901 into the JSON body; "" for a body that is no JSON, and for the request target. */
  readonly pointer: string;
  readonly role: Role;
  readonly text: string;
  /** False when the session has sent this content before, wherever in a body it stood. */
  readonly isNew: boolean;
  /** Whose content it is: workspace-relative paths of the files it shows. Absent: none, or not known. */
  readonly files?: readonly string[];
  /** Paths that the command named whose output it is: it may hold any, all or none of them. */
  readonly named?: readonly string[];
}

/**
 * A slice of the body: an element of a top-level list (a message, an input item, a tool), or the value of another
 * top-level member. Elements stand in body order and do not overlap; between them are only names, brackets and commas.
 */
export interface Element {
  /** RFC 6901 into the body. */
  readonly pointer: string;
  readonly start: number;
  readonly end: number;
  /** SHA-256 of the bytes, hex; "" in a body so small that it is read whole each time. */
  readonly hash: string;
  /** False when the session has sent an element of exactly these bytes in the same place of a body. */
  readonly isNew: boolean;
  /** Its share of `Decoded.parts`; the same array object as in earlier turns when nothing in it changed. */
  readonly parts: readonly TextPart[];
}

export interface Decoded {
  readonly dialect: DialectName;
  /**
   * The body is what its protocol says: strict JSON (no duplicate names, no trailing bytes, bounded depth) with the
   * members the protocol demands. When false, `parts` still hold every text that could be found.
   */
  readonly understood: boolean;
  readonly model: string | null;
  /** The reply is asked for as a stream. */
  readonly streaming: boolean;
  /** All text of the request, old and new; old parts are the very string objects of earlier turns. */
  readonly parts: readonly TextPart[];
  /** Tool results whose content is new in the session. */
  readonly sources: SourceTally;
  /** Empty for a body that is no JSON. */
  readonly elements: readonly Element[];
}

/** Owns what one session has sent. Not for sharing between sessions. Never throws. */
export interface Decoder {
  decode(request: RequestView): Decoded;
  /**
   * Reads a large body ahead in small steps, each of which yields the texts of an element that was not read before; `from`:
   * of a request, null of a message. To be decoded afterwards as the very same object, which is then quicker, and tells
   * what it would have told.
   */
  foresee(
    body: Uint8Array,
    from: Pick<RequestView, "host" | "path"> | null,
  ): Iterable<readonly Pick<TextPart, "role" | "text">[]>;
  /** One WebSocket message of the agent, whole and unmasked: OpenAI Responses, JSON-RPC, else `opaque`. */
  decodeMessage(payload: Uint8Array): Decoded;
  /** Hears of tool calls in a reply, so that their results are known: over a WebSocket the agent sends results alone. */
  learn(reply: { readonly calls: readonly CalledTool[] }): void;
  /** What was decoded did not leave: what was new in it is new again next time. */
  withdraw(decoded: Decoded): void;
}

export interface DecoderOptions {
  /** The workspace's absolute path as the agent sees it; without it, paths are told as the agent gave them. */
  readonly workspace?: string;
  /** Where the agent was started: what its relative paths are relative to; without it they are told as they are. */
  readonly cwd?: string;
  /** Bound of what is kept for comparison; default 32 MiB. Forgetting makes content new again, never old. */
  readonly maxRememberedBytes?: number;
  /** Bodies below this are read whole each time, which is quicker than comparing; default 4 KiB. */
  readonly minComparedBytes?: number;
}
