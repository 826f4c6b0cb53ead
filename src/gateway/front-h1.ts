/**
 * HTTP/1 on the agent's side: reads one request after the other from a connection, whole (head and body), and writes the
 * replies. The same code reads the proxy socket itself and what comes out of a TLS or plain tunnel.
 *
 * A connection is closed after anything malformed: what follows cannot be framed. Client bytes that come during an
 * exchange are read ahead up to a bound, so that the agent's leaving is seen; a client that closes its sending side is
 * taken to have left, as an abandoned model call must stop (it is billed).
 */
import type { Duplex } from "node:stream";
import { asFault, type Door, Fault } from "../core/index.ts";
import { type Authority, parseAuthority } from "./authority.ts";
import { BodyReader } from "./body.ts";
import type { Deadline, Deadlines } from "./deadlines.ts";
import type { Inbound, Refusal, Reply, Target } from "./exchange.ts";
import { headEnd, headerOf, parseRequestHead, type RequestHead } from "./head.ts";
import { DirectSocket } from "./intake.ts";
import type { Limits } from "./limits.ts";
import { ReplyH1, refusalBytes } from "./reply-h1.ts";
import { type Slabs, Whole } from "./room.ts";
import { type Arrival, targetOf } from "./target.ts";

/** What a front hands its findings to. */
export interface Desk {
  readonly limits: Limits;
  readonly deadlines: Deadlines;
  /** null: the destination may be spoken to. Otherwise the refusal, once it is recorded. */
  admit(door: Door, authority: Authority): Promise<Refusal> | null;
  /** Records what cannot be served, and words the answer. */
  reject(door: Door, authority: Authority | null, fault: Fault): Promise<Refusal>;
  /** Room for request bodies, all sessions together. */
  hold(bytes: number): boolean;
  letGo(bytes: number): void;
  /** The session's. */
  readonly slabs: Slabs;
  exchange(inbound: Inbound, reply: Reply): void;
  connect(authority: Authority, socket: Duplex, early: Buffer): void;
  /** SSH: what cannot be read is passed on where policy allows just that. */
  passRaw(authority: Authority, socket: Duplex, first: Buffer): void;
}

const NOTHING: Buffer = Buffer.alloc(0);
const CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n";
const ESTABLISHED = "HTTP/1.1 200 Connection Established\r\n\r\n";

interface Reading {
  readonly head: RequestHead;
  readonly door: Door;
  readonly target: Target;
  readonly reader: BodyReader;
  readonly body: Whole;
  bytes: number;
}

export class FrontH1 {
  readonly #socket: Duplex;
  readonly #arrival: Arrival;
  readonly #desk: Desk;
  readonly #deadline: Deadline;
  #reading: Reading | null = null;
  /** While an exchange or a refusal is under way; client bytes wait in `#ahead`. */
  #isBusy = false;
  #ahead: Buffer[] = [];
  #aheadBytes = 0;
  #partial: Buffer = NOTHING;
  #reply: ReplyH1 | null = null;
  readonly #onData = (chunk: Buffer): void => this.#read(chunk);
  readonly #onLeft = (): void => this.#left();

  constructor(socket: Duplex, arrival: Arrival, desk: Desk, early: Buffer) {
    this.#socket = socket;
    this.#arrival = arrival;
    this.#desk = desk;
    this.#deadline = desk.deadlines.start(desk.limits.headMs, () => this.#late());
    if (socket instanceof DirectSocket) socket.sink = this.#onData;
    else socket.on("data", this.#onData);
    for (const event of ["end", "close", "error"]) socket.on(event, this.#onLeft);
    if (early.length > 0) this.#read(early);
  }

  #detach(): void {
    this.#deadline.stop();
    this.#socket.pause();
    if (this.#socket instanceof DirectSocket) this.#socket.sink = null;
    else this.#socket.removeListener("data", this.#onData);
    for (const event of ["end", "close", "error"]) this.#socket.removeListener(event, this.#onLeft);
  }

  #left(): void {
    this.#deadline.stop();
    if (this.#reading !== null) this.#desk.letGo(this.#reading.bytes);
    this.#reading = null;
    this.#reply?.gone();
    this.#socket.destroy();
  }

  #late(): void {
    const isInside = this.#reading !== null || this.#partial.length > 0;
    if (!isInside || this.#isBusy) this.#left();
    else this.#reject(new Fault("gateway.malformed", { detail: "the request did not arrive in time" }));
  }

  /** The chunk's memory is another read's after this call: what stays is copied. */
  #read(chunk: Buffer): void {
    if (this.#isBusy) {
      this.#ahead.push(Buffer.from(chunk));
      this.#aheadBytes += chunk.length;
      if (this.#aheadBytes > this.#desk.limits.readAheadBytes) this.#socket.pause();
      return;
    }
    try {
      this.#consume(chunk);
    } catch (error) {
      this.#reject(asFault(error));
    }
  }

  #consume(chunk: Buffer): void {
    let rest = chunk;
    while (!this.#isBusy) {
      if (this.#reading === null) {
        const all = this.#partial.length === 0 ? rest : Buffer.concat([this.#partial, rest]);
        const end =
          all.length === 0
            ? -1
            : headEnd(all, this.#desk.limits.headerBytes, "gateway.malformed", this.#partial.length);
        if (end < 0) {
          // From a head's first byte on the time runs; further bytes do not buy more of it.
          if (this.#partial.length === 0 && all.length > 0) this.#deadline.move(this.#desk.limits.headMs);
          this.#partial = all === rest ? Buffer.from(all) : all;
          return;
        }
        this.#partial = NOTHING;
        rest = all.subarray(end);
        if (!this.#begin(parseRequestHead(Buffer.from(all.subarray(0, end))), rest)) return;
      }
      const reading = this.#reading;
      if (reading === null) return;
      rest = rest.subarray(reading.reader.feed(rest, 0));
      if (!reading.reader.isDone) {
        this.#deadline.move(this.#desk.limits.bodyIdleMs);
        return;
      }
      this.#complete(reading, rest);
    }
  }

  /** Takes a head. False when the connection has gone another way; `rest` is then taken care of. */
  #begin(head: RequestHead, rest: Buffer): boolean {
    if (head.method === "CONNECT") {
      this.#connect(head, rest);
      return false;
    }
    const { door, target } = targetOf(head, this.#arrival);
    const refused = this.#arrival.authority === null ? this.#desk.admit(door, target) : null;
    if (refused !== null) {
      this.#isBusy = true;
      void refused.then((refusal) => this.#close(refusal, head.method));
      return false;
    }
    const { limits } = this.#desk;
    if (head.framing.kind === "length" && head.framing.length > limits.bodyBytes)
      throw tooLarge(limits.bodyBytes);
    const { framing } = head;
    const body = new Whole(
      this.#desk.slabs,
      framing.kind === "length" ? framing.length : framing.kind === "none" ? 0 : null,
    );
    const reader = new BodyReader(
      head.framing,
      (slice) => this.#hold(reading, slice),
      "gateway.malformed",
      limits.headerBytes,
    );
    const reading: Reading = { head, door, target, reader, body, bytes: 0 };
    this.#reading = reading;
    if (!reader.isDone && headerOf(head.headers, "expect")?.toLowerCase() === "100-continue")
      this.#socket.write(CONTINUE);
    return true;
  }

  #hold(reading: Reading, slice: Buffer): void {
    if (reading.bytes + slice.length > this.#desk.limits.bodyBytes)
      throw tooLarge(this.#desk.limits.bodyBytes);
    if (!this.#desk.hold(slice.length))
      throw new Fault("gateway.busy", { detail: "too many request bytes are held" });
    reading.body.add(slice);
    reading.bytes += slice.length;
  }

  #complete(reading: Reading, rest: Buffer): void {
    const { head, door, target, reader, body, bytes } = reading;
    this.#reading = null;
    this.#isBusy = true;
    this.#deadline.rest();
    if (rest.length > 0) this.#ahead = [Buffer.from(rest)];
    this.#aheadBytes = rest.length;
    const upgrades =
      head.method === "GET" &&
      head.framing.kind === "none" &&
      headerOf(head.headers, "upgrade")?.toLowerCase() === "websocket";
    this.#reply = new ReplyH1(this.#socket, head, {
      over: (stays) => this.#over(stays),
      take: () => this.#take(),
    });
    const inbound: Inbound = {
      door,
      protocol: upgrades ? "websocket" : "http/1.1",
      method: head.method,
      target,
      headers: head.headers,
      framing: head.framing,
      trailers: reader.trailers,
      head: head.wire,
      body: bytes === 0 ? [] : [body.bytes],
      bodyBytes: bytes,
      upgrades,
      recycle: () => body.recycle(),
    };
    this.#desk.exchange(inbound, this.#reply);
  }

  #over(stays: boolean): void {
    this.#reply = null;
    if (!stays) {
      this.#deadline.move(this.#desk.limits.headMs);
      this.#socket.end();
      return;
    }
    this.#isBusy = false;
    this.#deadline.move(this.#desk.limits.clientIdleMs);
    if (this.#aheadBytes === 0) return;
    const ahead = this.#ahead.length === 1 ? this.#ahead[0] : Buffer.concat(this.#ahead);
    this.#ahead = [];
    this.#aheadBytes = 0;
    this.#socket.resume();
    if (ahead !== undefined) this.#read(ahead);
  }

  #take(): { socket: Duplex; early: Buffer } {
    this.#detach();
    return { socket: this.#socket, early: Buffer.concat(this.#ahead) };
  }

  #connect(head: RequestHead, early: Buffer): void {
    if (this.#arrival.authority !== null)
      throw new Fault("gateway.malformed", { detail: "CONNECT inside a tunnel" });
    if (head.framing.kind !== "none") throw new Fault("gateway.malformed", { detail: "CONNECT with a body" });
    const authority = parseAuthority(head.target, null);
    this.#isBusy = true;
    const refused = this.#desk.admit("tls", authority);
    if (refused !== null) {
      void refused.then((refusal) => this.#close(refusal, "CONNECT"));
      return;
    }
    this.#detach();
    this.#socket.write(ESTABLISHED);
    this.#desk.connect(authority, this.#socket, Buffer.from(early));
  }

  /** Nothing more can be read from this connection: record, answer, close. */
  #reject(fault: Fault): void {
    const { authority } = this.#arrival;
    const about = authority ?? this.#reading?.target ?? null;
    if (this.#reading !== null) this.#desk.letGo(this.#reading.bytes);
    this.#reading = null;
    this.#isBusy = true;
    this.#deadline.rest();
    void this.#desk.reject(this.#arrival.door, about, fault).then((refusal) => this.#close(refusal, ""));
  }

  #close(refusal: Refusal, method: string): void {
    this.#deadline.move(this.#desk.limits.headMs);
    if (this.#socket.destroyed) return;
    this.#socket.write(refusalBytes(refusal, method, true));
    this.#socket.end();
  }
}

const tooLarge = (limit: number): Fault =>
  new Fault("gateway.too-large", { detail: `the body is longer than ${limit} bytes` });
