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
import { type Authority, authorityText, isSameAuthority, parseAuthority } from "./authority.ts";
import { BodyReader } from "./body.ts";
import type { Deadline, Deadlines } from "./deadlines.ts";
import type { Inbound, Refusal, Reply, Target } from "./exchange.ts";
import {
  endToEnd,
  headEnd,
  headerOf,
  headersOf,
  headText,
  isLast,
  parseRequestHead,
  type RawHeaders,
  type ReplyHead,
  type RequestHead,
} from "./head.ts";
import type { Limits } from "./limits.ts";
import { Gather } from "./room.ts";

/** Where a connection comes from: the proxy socket itself (`authority` null), or a tunnel to one authority. */
export interface Arrival {
  readonly door: Door;
  readonly authority: Authority | null;
  readonly isSecure: boolean;
}

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
  exchange(inbound: Inbound, reply: Reply): void;
  connect(authority: Authority, socket: Duplex, early: Buffer): void;
}

const NOTHING: Buffer = Buffer.alloc(0);
const CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n";
const ESTABLISHED = "HTTP/1.1 200 Connection Established\r\n\r\n";

interface Reading {
  readonly head: RequestHead;
  readonly door: Door;
  readonly target: Target;
  readonly reader: BodyReader;
  readonly body: Gather;
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
    socket.on("data", this.#onData);
    for (const event of ["end", "close", "error"]) socket.on(event, this.#onLeft);
    if (early.length > 0) this.#read(early);
  }

  #detach(): void {
    this.#deadline.stop();
    this.#socket.pause();
    this.#socket.removeListener("data", this.#onData);
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

  #read(chunk: Buffer): void {
    if (this.#isBusy) {
      this.#ahead.push(chunk);
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
          this.#partial = all;
          return;
        }
        this.#partial = NOTHING;
        rest = all.subarray(end);
        if (!this.#begin(parseRequestHead(all.subarray(0, end)), rest)) return;
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
    const body = new Gather();
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
    if (rest.length > 0) this.#ahead = [rest];
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
      body: body.joined(),
      bodyBytes: bytes,
      upgrades,
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
    this.#desk.connect(authority, this.#socket, early);
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

/** Where a request goes, and by which door it came. Throws `gateway.malformed` when its parts disagree. */
function targetOf(head: RequestHead, arrival: Arrival): { door: Door; target: Target } {
  const host = hostOf(head);
  const absolute = /^(https?):\/\/([^/?#]+)(\/[^#]*)?$/i.exec(head.target);
  if (absolute) {
    const scheme = absolute[1]?.toLowerCase() === "https" ? "https" : "http";
    const authority = parseAuthority(absolute[2] ?? "", scheme === "https" ? 443 : 80);
    mustAgree(authority, arrival, host, scheme);
    return {
      door: arrival.authority === null ? "plain" : arrival.door,
      target: { ...authority, scheme, path: absolute[3] ?? "/" },
    };
  }
  if (!head.target.startsWith("/") || head.target.includes("#"))
    throw new Fault("gateway.malformed", { detail: "the request target has no form that is served" });
  if (arrival.authority !== null) {
    const scheme = arrival.isSecure ? "https" : "http";
    mustAgree(arrival.authority, arrival, host, scheme);
    return { door: arrival.door, target: { ...arrival.authority, scheme, path: head.target } };
  }
  const base = /^\/([^/?]+)(\/.*)?$/.exec(head.target);
  if (!base)
    throw new Fault("gateway.malformed", { detail: "a base URL names its host first: /<host>/<path>" });
  const authority = parseAuthority(decodeBase(base[1] ?? ""), 443);
  return { door: "base", target: { ...authority, scheme: "https", path: base[2] ?? "/" } };
}

/** Some clients escape the colon of `host:port` in a path. */
const decodeBase = (text: string): string => text.replace(/%3A/i, ":");

function hostOf(head: RequestHead): string | null {
  const hosts = headersOf(head.headers, "host");
  if (hosts.length > 1) throw new Fault("gateway.malformed", { detail: "more than one host field" });
  if (hosts.length === 0 && head.minor === 1)
    throw new Fault("gateway.malformed", { detail: "the host field is missing" });
  return hosts[0] ?? null;
}

/** A request may not name one host to the gateway and another to the server behind the same connection. */
function mustAgree(
  authority: Authority,
  arrival: Arrival,
  host: string | null,
  scheme: "http" | "https",
): void {
  if (
    arrival.authority !== null &&
    (!isSameAuthority(authority, arrival.authority) || (scheme === "https") !== arrival.isSecure)
  )
    throw new Fault("gateway.malformed", { detail: "the request names another authority than its tunnel" });
  if (host !== null && !isSameAuthority(parseAuthority(host, scheme === "https" ? 443 : 80), authority))
    throw new Fault("gateway.malformed", {
      detail: "the host field names another authority than the connection",
    });
}

/** The text that stands for a target in a Host field. */
export const hostText = (target: Target): string =>
  authorityText(target, target.scheme === "https" ? 443 : 80);

interface ReplyCalls {
  /** The reply is complete; `stays`: the next request may be read. */
  readonly over: (stays: boolean) => void;
  readonly take: () => { socket: Duplex; early: Buffer };
}

class ReplyH1 implements Reply {
  readonly #socket: Duplex;
  readonly #request: RequestHead;
  readonly #calls: ReplyCalls;
  readonly #onGone: (() => void)[] = [];
  #held = "";
  #stays: boolean;
  #unframes = false;
  #isOver = false;
  isBegun = false;
  isGone = false;

  constructor(socket: Duplex, request: RequestHead, calls: ReplyCalls) {
    this.#socket = socket;
    this.#request = request;
    this.#calls = calls;
    // HTTP/1.0 clients get a connection per request: framing by its end is all they all know.
    this.#stays = request.minor === 1 && !isLast(request.headers, 1);
  }

  informational(head: ReplyHead): void {
    if (this.#request.minor === 1)
      this.#socket.write(
        headText(`HTTP/1.1 ${head.status} ${head.reason}`, endToEnd(head.headers)),
        "latin1",
      );
  }

  head(head: ReplyHead): void {
    this.isBegun = true;
    let headers: RawHeaders = head.status === 101 ? head.headers : endToEnd(head.headers);
    if (head.framing.kind === "close") this.#stays = false;
    if (head.framing.kind === "chunked" && this.#request.minor === 0) {
      this.#unframes = true;
      headers = headers.filter(([name]) => name.toLowerCase() !== "transfer-encoding");
    }
    if (!this.#stays && head.status !== 101) headers = [...headers, ["Connection", "close"]];
    this.#held = headText(`HTTP/1.1 ${head.status} ${head.reason}`, headers);
  }

  data(wire: Buffer, content: readonly Buffer[]): boolean {
    if (this.isGone) return true;
    const socket = this.#socket;
    if (this.#unframes) {
      this.flush();
      for (const piece of content) socket.write(piece);
    } else if (this.#held === "") socket.write(wire);
    else {
      // Head and first bytes in one write: one packet, one TLS record.
      const both = Buffer.allocUnsafe(this.#held.length + wire.length);
      wire.copy(both, both.write(this.#held, "latin1"));
      this.#held = "";
      socket.write(both);
    }
    return !socket.writableNeedDrain;
  }

  flush(): void {
    if (this.#held === "" || this.isGone) return;
    this.#socket.write(this.#held, "latin1");
    this.#held = "";
  }

  end(_trailers: RawHeaders): void {
    this.flush();
    this.#done(this.#stays);
  }

  cut(): void {
    this.#socket.destroy();
    this.gone();
  }

  refuse(refusal: Refusal): void {
    if (!this.isGone) this.#socket.write(refusalBytes(refusal, this.#request.method, !this.#stays));
    this.isBegun = true;
    this.#done(this.#stays);
  }

  #done(stays: boolean): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#calls.over(stays && !this.isGone);
  }

  onDrain(callback: () => void): void {
    this.#socket.once("drain", callback);
  }

  onGone(callback: () => void): void {
    if (this.isGone) callback();
    else this.#onGone.push(callback);
  }

  gone(): void {
    if (this.isGone) return;
    this.isGone = true;
    for (const callback of this.#onGone) callback();
  }

  takeSocket(): { socket: Duplex; early: Buffer } {
    this.flush();
    this.#isOver = true;
    return this.#calls.take();
  }
}

function refusalBytes(refusal: Refusal, method: string, isLastOne: boolean): Buffer {
  const fields: (readonly [string, string])[] = [
    ...refusal.headers.filter(([name]) => !/^(?:content-length|connection|transfer-encoding)$/i.test(name)),
    ["content-length", String(refusal.body.length)],
  ];
  if (isLastOne) fields.push(["connection", "close"]);
  const head = Buffer.from(
    headText(`HTTP/1.1 ${refusal.status} ${reasonPhrase(refusal.status)}`, fields),
    "latin1",
  );
  return method === "HEAD" ? head : Buffer.concat([head, refusal.body]);
}

/** Of the fault table's statuses. Not node:http's list: importing it loads Node's whole fetch, a third of a second. */
const REASONS: Readonly<Record<number, string>> = {
  400: "Bad Request",
  403: "Forbidden",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  500: "Internal Server Error",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
};
const reasonPhrase = (status: number): string => REASONS[status] ?? "Refused";
