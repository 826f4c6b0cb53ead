/**
 * A request and its reply between the wires: what a front hands to the pipeline, and what a peer hands back. Fronts and
 * peers know HTTP/1, HTTP/2 and WebSocket; the pipeline between them knows only these.
 */
import type { Duplex } from "node:stream";
import type { Door, Fault, WireProtocol } from "../core/index.ts";
import type { Authority } from "./authority.ts";
import type { Framing, RawHeaders, ReplyHead } from "./head.ts";

/** Where a request says it goes. */
export interface Target extends Authority {
  readonly scheme: "http" | "https";
  /** With its query, as sent. */
  readonly path: string;
}

export interface Inbound {
  readonly door: Door;
  readonly protocol: WireProtocol;
  readonly method: string;
  readonly target: Target;
  readonly headers: RawHeaders;
  readonly framing: Framing;
  readonly trailers: RawHeaders;
  /** Evidence: the head as it came. HTTP/2 heads as lines of text, pseudo-fields first. */
  readonly head: Buffer;
  readonly body: readonly Buffer[];
  readonly bodyBytes: number;
  /** A WebSocket handshake. */
  readonly upgrades: boolean;
  /** To be called, if at all, when nobody reads the body any more: its memory is then another's. */
  readonly recycle?: () => void;
}

export interface Refusal {
  readonly status: number;
  readonly headers: RawHeaders;
  readonly body: Uint8Array;
}

/** The agent's side of an exchange. After `end`, `cut` or `refuse` nothing more is called. */
export interface Reply {
  /** Whether a head has been written: from then on a failure can only be shown by cutting the stream. */
  readonly isBegun: boolean;
  /** The agent has left; writing is in vain. */
  readonly isGone: boolean;
  informational(head: ReplyHead): void;
  head(head: ReplyHead): void;
  /** `wire` is the piece as the peer framed it, `content` the same without framing. False: wait for `onDrain`. */
  data(wire: Buffer, content: readonly Buffer[]): boolean;
  /** Writes out what was held back to travel with what follows. */
  flush(): void;
  end(trailers: RawHeaders): void;
  cut(): void;
  refuse(refusal: Refusal): void;
  onDrain(callback: () => void): void;
  onGone(callback: () => void): void;
  /** Hands over the agent's connection for another protocol, with the bytes already read. */
  takeSocket(): { readonly socket: Duplex; readonly early: Buffer };
}

/** What a peer gets to send. */
export interface Outbound {
  readonly method: string;
  readonly path: string;
  readonly scheme: "http" | "https";
  readonly authority: string;
  /** Without Host and pseudo-fields; end-to-end only, save that a handshake keeps Connection and Upgrade. */
  readonly headers: RawHeaders;
  /** Where among `headers` Host stood. */
  readonly hostAt: number;
  /** Its spelling. */
  readonly hostName: string;
  readonly framing: Framing;
  readonly body: readonly Buffer[];
  readonly bodyBytes: number;
  readonly trailers: RawHeaders;
  readonly upgrades: boolean;
  readonly isFromH2: boolean;
}

/** Receives a peer's reply. `failed` may come at any time and is the last call. */
export interface Sink {
  informational(head: ReplyHead): void;
  head(head: ReplyHead): void;
  data(wire: Buffer, content: readonly Buffer[]): boolean;
  flush(): void;
  end(trailers: RawHeaders): void;
  failed(fault: Fault): void;
  /** After a 101: the connection is no longer HTTP. */
  switched(head: ReplyHead, socket: Duplex, early: Buffer): void;
}

/** A request under way at a peer. */
export interface Sending {
  /** All of the request has left, and the peer holds nothing of it any more. */
  readonly hasSent: boolean;
  abort(): void;
  resume(): void;
}

/** A connection to a destination that can carry a request now. */
export interface Peer {
  /** The address that was dialled. */
  readonly address: string;
  /** SHA-256 of the peer's certificate, hex; null without TLS. */
  readonly tlsPeer: string | null;
  send(request: Outbound, sink: Sink): Sending;
  /** Gives the connection back unused. */
  release(): void;
}
