/**
 * One HTTP/2 connection to a destination, carrying the requests of one session of an agent that itself speaks HTTP/2.
 * Field order and case (lower) are kept; back-pressure is the stream's own flow control.
 */
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import type { Socket } from "node:net";
import { Fault } from "../core/index.ts";
import type { Deadline, Deadlines } from "./deadlines.ts";
import { type Dialled, reasonOf } from "./dial.ts";
import type { Outbound, Peer, Sending, Sink } from "./exchange.ts";
import type { RawHeaders, ReplyHead } from "./head.ts";
import type { Limits } from "./limits.ts";

export class PeerH2 implements Peer {
  readonly address: string;
  readonly tlsPeer: string | null;
  readonly #session: ClientHttp2Session;
  readonly #limits: Limits;
  readonly #deadlines: Deadlines;
  readonly #deadline: Deadline;
  #streams = 0;

  constructor(
    dialled: Dialled,
    origin: string,
    limits: Limits,
    deadlines: Deadlines,
    onGone: (peer: PeerH2) => void,
  ) {
    this.address = dialled.address;
    this.tlsPeer = dialled.tlsPeer;
    this.#limits = limits;
    this.#deadlines = deadlines;
    this.#deadline = deadlines.start(limits.peerIdleMs, () => this.close());
    this.#session = connect(origin, {
      createConnection: (): Socket => dialled.socket,
      maxSessionMemory: 64,
      settings: { enablePush: false, initialWindowSize: limits.streamWindowBytes },
    });
    // The window of the whole connection: one slow stream must not hold up the others.
    this.#session.once("connect", () => {
      if (this.isUsable) this.#session.setLocalWindowSize(limits.windowBytes);
    });
    this.#session.on("error", () => {
      // Every stream gets its own error; the session's is their sum.
    });
    this.#session.once("goaway", () => onGone(this));
    this.#session.once("close", () => {
      this.#deadline.stop();
      onGone(this);
    });
  }

  get isUsable(): boolean {
    return !this.#session.closed && !this.#session.destroyed;
  }

  send(request: Outbound, sink: Sink): Sending {
    this.#streams++;
    this.#deadline.rest();
    let stream: ClientHttp2Stream;
    try {
      stream = this.#session.request(fieldsOf(request), {
        endStream: request.bodyBytes === 0 && request.trailers.length === 0,
        waitForTrailers: request.trailers.length > 0,
      });
    } catch (error) {
      this.#done();
      queueMicrotask(() =>
        sink.failed(new Fault("gateway.broken", { detail: reasonOf(error), cause: error })),
      );
      return { hasSent: false, abort: () => {}, resume: () => {} };
    }
    this.#listen(stream, sink);
    if (request.trailers.length > 0)
      stream.on("wantTrailers", () => stream.sendTrailers(Object.fromEntries(request.trailers)));
    stream.cork();
    for (const piece of request.body) stream.write(piece);
    stream.uncork();
    stream.end();
    return {
      // nghttp2 does not say when it is done with what it was given.
      hasSent: false,
      abort: () => {
        sink.failed = () => {};
        stream.close(constants.NGHTTP2_CANCEL);
      },
      resume: () => void stream.resume(),
    };
  }

  #listen(stream: ClientHttp2Stream, sink: Sink): void {
    const deadline = this.#deadlines.start(this.#limits.replyHeadMs, () => {
      fail(new Fault("gateway.timeout", { detail: "the reply did not come in time" }));
      stream.close(constants.NGHTTP2_CANCEL);
    });
    let over = false;
    let trailers: RawHeaders = [];
    const fail = (fault: Fault): void => {
      if (!over) sink.failed(fault);
      over = true;
    };
    stream.on("headers", (_headers, _flags, raw) => sink.informational(headOf(raw)));
    stream.on("response", (_headers, _flags, raw) => {
      deadline.move(this.#limits.replyIdleMs);
      sink.head(headOf(raw));
      sink.flush();
    });
    stream.on("trailers", (_headers, _flags, raw) => {
      trailers = pairs(raw);
    });
    stream.on("data", (chunk: Buffer) => {
      deadline.move(this.#limits.replyIdleMs);
      if (!sink.data(chunk, [chunk])) stream.pause();
      sink.flush();
    });
    stream.on("end", () => {
      // A stream that was reset also ends; only its code tells.
      if (over || stream.rstCode !== constants.NGHTTP2_NO_ERROR) return;
      over = true;
      sink.end(trailers);
    });
    stream.on("error", (error) =>
      fail(new Fault("gateway.broken", { detail: reasonOf(error), cause: error })),
    );
    stream.on("close", () => {
      deadline.stop();
      fail(new Fault("gateway.broken", { detail: `the stream was closed with code ${stream.rstCode}` }));
      this.#done();
    });
  }

  #done(): void {
    if (--this.#streams === 0) this.#deadline.move(this.#limits.peerIdleMs);
  }

  release(): void {
    // Shared by all requests of the session: nothing to give back.
  }

  close(): void {
    this.#session.destroy();
  }
}

/** Names and values in turn, as node:http2 takes and gives them. */
function fieldsOf(request: Outbound): string[] {
  const fields = [
    ":method",
    request.method,
    ":authority",
    request.authority,
    ":scheme",
    request.scheme,
    ":path",
    request.path,
  ];
  for (const [name, value] of request.headers) fields.push(name.toLowerCase(), value);
  return fields;
}

export function pairs(raw: readonly string[]): RawHeaders {
  const fields: (readonly [string, string])[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) fields.push([raw[i] ?? "", raw[i + 1] ?? ""]);
  return fields;
}

function headOf(raw: readonly string[]): ReplyHead {
  const all = pairs(raw);
  const text = all.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return {
    status: Number(all.find(([name]) => name === ":status")?.[1] ?? 0),
    reason: "",
    minor: 1,
    headers: all.filter(([name]) => !name.startsWith(":")),
    framing: { kind: "close" },
    wire: Buffer.from(text, "latin1"),
  };
}
