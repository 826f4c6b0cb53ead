/**
 * One HTTP/1.1 connection to a destination: one request at a time, the reply handed on as it comes. The reply's bytes are
 * read for their framing and passed as they are. Anything that is not a well-formed reply fails the exchange and closes
 * the connection: a connection whose framing is in doubt is never used again (response smuggling).
 */
import type { Socket } from "node:net";
import { asFault, Fault } from "../core/index.ts";
import { BodyReader } from "./body.ts";
import type { Deadline, Deadlines } from "./deadlines.ts";
import { type Dialled, reasonOf } from "./dial.ts";
import type { Outbound, Peer, Sending, Sink } from "./exchange.ts";
import {
  headEnd,
  headersOf,
  headText,
  isLast,
  parseReplyHead,
  type RawHeaders,
  type ReplyHead,
} from "./head.ts";
import type { Limits } from "./limits.ts";

const SMALL_BODY = 16 * 1024;
const NOTHING: Buffer = Buffer.alloc(0);

interface Current {
  readonly request: Outbound;
  readonly sink: Sink;
  head: ReplyHead | null;
  reader: BodyReader | null;
  hasSent: boolean;
}

export class PeerH1 implements Peer {
  readonly address: string;
  readonly tlsPeer: string | null;
  readonly #socket: Socket;
  readonly #limits: Limits;
  readonly #deadline: Deadline;
  /** Called when the connection can carry the next request; not called after it is closed. */
  readonly #onIdle: (peer: PeerH1) => void;
  #current: Current | null = null;
  /** Bytes of a head that is not complete yet. */
  #partial: Buffer = NOTHING;
  #content: Buffer[] = [];
  readonly #onData = (chunk: Buffer): void => this.#read(chunk);
  readonly #onEnd = (): void => this.#ended();

  constructor(
    dialled: Dialled,
    limits: Limits,
    deadlines: Deadlines,
    onIdle: (peer: PeerH1) => void,
    onGone: (peer: PeerH1) => void,
  ) {
    this.#socket = dialled.socket;
    this.address = dialled.address;
    this.tlsPeer = dialled.tlsPeer;
    this.#limits = limits;
    this.#onIdle = onIdle;
    this.#deadline = deadlines.start(limits.peerIdleMs, () => this.#late());
    const socket = dialled.socket;
    socket.on("data", this.#onData);
    socket.on("end", this.#onEnd);
    socket.resume();
    socket.on("error", (error) =>
      this.#fail(new Fault("gateway.broken", { detail: reasonOf(error), cause: error })),
    );
    socket.on("close", () => {
      this.#deadline.stop();
      this.#fail(new Fault("gateway.broken", { detail: "the connection was closed" }));
      onGone(this);
    });
    // The agent may leave while the peer does not read: what is written must not wait for ever.
    socket.on("drain", () => this.#current && this.#deadline.move(limits.replyHeadMs));
  }

  get isUsable(): boolean {
    return (
      this.#current === null &&
      !this.#socket.destroyed &&
      this.#socket.writable &&
      !this.#socket.readableEnded
    );
  }

  send(request: Outbound, sink: Sink): Sending {
    const current: Current = { request, sink, head: null, reader: null, hasSent: false };
    this.#current = current;
    this.#deadline.move(this.#limits.replyHeadMs);
    if (this.#socket.destroyed)
      queueMicrotask(() => this.#fail(new Fault("gateway.broken", { detail: "the connection was closed" })));
    else writeRequest(this.#socket, request);
    return {
      get hasSent() {
        return current.hasSent;
      },
      abort: () => {
        if (this.#current !== current) return;
        this.#current = null;
        this.#socket.destroy();
      },
      resume: () => void (this.#current === current && this.#socket.resume()),
    };
  }

  release(): void {
    if (this.isUsable) this.#idle();
  }

  close(): void {
    this.#socket.destroy();
  }

  #idle(): void {
    this.#deadline.move(this.#limits.peerIdleMs);
    this.#onIdle(this);
  }

  #late(): void {
    this.#fail(new Fault("gateway.timeout", { detail: "the reply did not come in time" }));
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    const current = this.#current;
    // Bytes that nobody asked for would be taken as the answer to the next request.
    if (current === null) return void this.#socket.destroy();
    this.#deadline.move(current.head === null ? this.#limits.replyHeadMs : this.#limits.replyIdleMs);
    try {
      if (current.reader === null) this.#readHead(current, chunk);
      else this.#readBody(current, current.reader, chunk);
      current.sink.flush();
    } catch (error) {
      this.#fail(asFault(error));
      this.#socket.destroy();
    }
  }

  #readHead(current: Current, chunk: Buffer): void {
    let known = this.#partial.length;
    let rest = known === 0 ? chunk : Buffer.concat([this.#partial, chunk]);
    this.#partial = NOTHING;
    for (;;) {
      const end = headEnd(rest, this.#limits.headerBytes, "gateway.bad-reply", known);
      known = 0;
      if (end < 0) {
        this.#partial = rest;
        return;
      }
      const head = parseReplyHead(rest.subarray(0, end), current.request.method);
      rest = rest.subarray(end);
      if (head.status === 101) {
        this.#switch(current, head, rest);
        return;
      }
      if (head.status >= 200) {
        current.head = head;
        current.reader = new BodyReader(
          head.framing,
          (slice) => this.#content.push(slice),
          "gateway.bad-reply",
          this.#limits.headerBytes,
        );
        current.sink.head(head);
        this.#readBody(current, current.reader, rest);
        return;
      }
      current.sink.informational(head);
    }
  }

  #readBody(current: Current, reader: BodyReader, chunk: Buffer): void {
    const used = reader.feed(chunk, 0);
    const content = this.#content;
    if (used > 0) {
      this.#content = [];
      const wire = used === chunk.length ? chunk : chunk.subarray(0, used);
      if (!current.sink.data(wire, content)) this.#socket.pause();
    }
    if (reader.isDone) this.#finish(current, reader.trailers, chunk.length - used);
  }

  #finish(current: Current, trailers: RawHeaders, surplus: number): void {
    const { head } = current;
    this.#current = null;
    current.hasSent = this.#socket.writableLength === 0;
    const canStay =
      head !== null &&
      surplus === 0 &&
      head.framing.kind !== "close" &&
      !isLast(head.headers, head.minor) &&
      current.hasSent;
    this.#socket.resume();
    if (canStay) this.#idle();
    else this.#socket.destroy();
    current.sink.end(trailers);
  }

  #switch(current: Current, head: ReplyHead, early: Buffer): void {
    if (!current.request.upgrades)
      throw new Fault("gateway.bad-reply", { detail: "the protocol was switched without being asked" });
    this.#current = null;
    this.#deadline.stop();
    this.#socket.pause();
    this.#socket.removeListener("data", this.#onData);
    this.#socket.removeListener("end", this.#onEnd);
    current.sink.switched(head, this.#socket, early);
  }

  #ended(): void {
    const current = this.#current;
    const reader = current?.reader ?? null;
    if (current !== null && reader?.mayEndHere === true) this.#finish(current, reader.trailers, 0);
    else this.#fail(new Fault("gateway.broken", { detail: "the reply ended before it was complete" }));
    this.#socket.destroy();
  }

  #fail(fault: Fault): void {
    const current = this.#current;
    this.#current = null;
    current?.sink.failed(fault);
  }
}

function writeRequest(socket: Socket, request: Outbound): void {
  const fields = request.isFromH2 ? fieldsForH1(request) : [...request.headers];
  fields.splice(request.hostAt, 0, [request.hostName, request.authority]);
  const text = headText(`${request.method} ${request.path} HTTP/1.1`, fields);
  const isChunked = request.framing.kind === "chunked";
  if (!isChunked && request.bodyBytes <= SMALL_BODY) {
    // One write, one packet, one TLS record.
    if (request.bodyBytes === 0) return void socket.write(text, "latin1");
    const all = Buffer.allocUnsafe(text.length + request.bodyBytes);
    let at = all.write(text, "latin1");
    for (const piece of request.body) at += piece.copy(all, at);
    return void socket.write(all);
  }
  socket.cork();
  socket.write(text, "latin1");
  for (const piece of request.body) {
    if (isChunked) socket.write(`${piece.length.toString(16)}\r\n`, "latin1");
    socket.write(piece);
    if (isChunked) socket.write("\r\n", "latin1");
  }
  if (isChunked) socket.write(headText("0", request.trailers), "latin1");
  socket.uncork();
}

/** HTTP/2 splits cookies into crumbs and needs no framing fields (RFC 9113 8.2.3). */
function fieldsForH1(request: Outbound): (readonly [string, string])[] {
  const cookies = headersOf(request.headers, "cookie");
  const fields = request.headers.filter(([name]) => name !== "cookie");
  if (cookies.length > 0) fields.push(["cookie", cookies.join("; ")]);
  if (request.framing.kind === "chunked") fields.push(["transfer-encoding", "chunked"]);
  return fields;
}
