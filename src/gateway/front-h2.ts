/**
 * HTTP/2 on the agent's side, inside an intercepted tunnel. One stream, one exchange. node:http2 (nghttp2) refuses what
 * RFC 9113 calls malformed; here remains what concerns the destination: every stream must be for the tunnel's authority.
 */
import { performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { asFault, Fault } from "../core/index.ts";
import { type Authority, isSameAuthority, parseAuthority } from "./authority.ts";
import type { Deadline } from "./deadlines.ts";
import type { Refusal, Reply } from "./exchange.ts";
import type { Desk } from "./front-h1.ts";
import { endToEnd, type Framing, headerOf, type RawHeaders, type ReplyHead } from "./head.ts";
import { pairs } from "./peer-h2.ts";
import { Gather } from "./room.ts";
import { type Handshake, handshakeOf } from "./websocket-h2.ts";

export class FrontH2 {
  readonly #session: ServerHttp2Session;
  readonly #authority: Authority;
  readonly #desk: Desk;
  readonly #deadline: Deadline;
  #streams = 0;

  constructor(socket: TLSSocket, authority: Authority, desk: Desk) {
    this.#authority = authority;
    this.#desk = desk;
    this.#deadline = desk.deadlines.start(desk.limits.headMs, () => this.#session.destroy());
    this.#session = performServerHandshake(socket, {
      maxSessionMemory: 64,
      settings: {
        maxConcurrentStreams: desk.limits.streamsPerConnection,
        maxHeaderListSize: desk.limits.headerBytes,
        initialWindowSize: desk.limits.streamWindowBytes,
        enablePush: false,
        enableConnectProtocol: true,
      },
    });
    this.#session.setLocalWindowSize(desk.limits.windowBytes);
    this.#session.on("error", () => {
      // The streams are told one by one.
    });
    this.#session.on("stream", (stream, _headers, _flags, raw) => this.#open(stream, pairs(raw ?? [])));
    this.#session.once("close", () => this.#deadline.stop());
  }

  #open(stream: ServerHttp2Stream, fields: RawHeaders): void {
    this.#streams++;
    this.#deadline.rest();
    stream.once("close", () => {
      if (--this.#streams === 0) this.#deadline.move(this.#desk.limits.clientIdleMs);
    });
    stream.on("error", () => {
      // `close` follows and tells.
    });
    const reply = new ReplyH2(stream, fields);
    this.#receive(stream, fields, reply).catch((error: unknown) => {
      void this.#desk.reject("tls", this.#authority, asFault(error)).then((refusal) => reply.refuse(refusal));
    });
  }

  async #receive(stream: ServerHttp2Stream, fields: RawHeaders, reply: ReplyH2): Promise<void> {
    const pseudo = new Map(fields.filter(([name]) => name.startsWith(":")));
    const headers = fields.filter(([name]) => !name.startsWith(":"));
    for (const [name, value] of fields)
      if (!PLAIN.test(value) || !NAME.test(name))
        throw new Fault("gateway.malformed", { detail: "a field holds what no field may hold" });
    const path = pathFor(pseudo, headers, this.#authority);
    const protocol = pseudo.get(":protocol");
    if (protocol !== undefined) return this.#upgrade(handshakeOf(protocol, headers), path, fields, reply);
    if (headerOf(headers, "expect")?.toLowerCase() === "100-continue")
      stream.additionalHeaders({ ":status": 100 });
    let trailers: RawHeaders = [];
    // The types of node:http2 leave the raw fields out here.
    stream.on("trailers", (_trailers: unknown, _flags: unknown, raw: readonly string[] | undefined) => {
      trailers = pairs(raw ?? []);
    });
    const body = await this.#collect(stream);
    if (body === null) return;
    const bodyBytes = body.reduce((sum, piece) => sum + piece.length, 0);
    const framing: Framing =
      headerOf(headers, "content-length") !== null
        ? { kind: "length", length: bodyBytes }
        : bodyBytes > 0
          ? { kind: "chunked" }
          : { kind: "none" };
    this.#desk.exchange(
      {
        door: "tls",
        protocol: "h2",
        method: pseudo.get(":method") ?? "",
        target: { ...this.#authority, scheme: "https", path },
        headers,
        framing,
        trailers,
        head: headLines(fields),
        body,
        bodyBytes,
        upgrades: false,
      },
      reply,
    );
  }

  #upgrade({ headers, isAnswered }: Handshake, path: string, fields: RawHeaders, reply: ReplyH2): void {
    reply.switchesIf(isAnswered);
    this.#desk.exchange(
      {
        door: "tls",
        protocol: "websocket",
        method: "GET",
        target: { ...this.#authority, scheme: "https", path },
        headers,
        framing: { kind: "none" },
        trailers: [],
        head: headLines(fields),
        body: [],
        bodyBytes: 0,
        upgrades: true,
      },
      reply,
    );
  }

  /** The whole body; null when the agent took it back. Throws over a limit; what was held is then let go. */
  #collect(stream: ServerHttp2Stream): Promise<readonly Buffer[] | null> {
    const { limits, deadlines } = this.#desk;
    return new Promise((resolve, reject) => {
      const body = new Gather();
      let bytes = 0;
      let isSettled = false;
      const settle = (give: () => void, keeps: boolean): void => {
        if (isSettled) return;
        isSettled = true;
        deadline.stop();
        if (!keeps) this.#desk.letGo(bytes);
        give();
      };
      const fail = (fault: Fault): void => settle(() => reject(fault), false);
      const deadline = deadlines.start(limits.bodyIdleMs, () =>
        fail(new Fault("gateway.malformed", { detail: "the request did not arrive in time" })),
      );
      stream.on("data", (chunk: Buffer) => {
        deadline.move(limits.bodyIdleMs);
        if (isSettled || chunk.length === 0) return;
        if (bytes + chunk.length > limits.bodyBytes)
          return fail(
            new Fault("gateway.too-large", { detail: `the body is longer than ${limits.bodyBytes} bytes` }),
          );
        if (!this.#desk.hold(chunk.length))
          return fail(new Fault("gateway.busy", { detail: "too many request bytes are held" }));
        bytes += chunk.length;
        body.add(chunk);
      });
      stream.once("end", () => settle(() => resolve(stream.aborted ? null : body.joined()), !stream.aborted));
      stream.once("close", () => settle(() => resolve(null), false));
    });
  }

  close(): void {
    this.#session.close();
  }
}

/** For the evidence: pseudo-fields first. */
const headLines = (fields: RawHeaders): Buffer =>
  Buffer.from(fields.map(([name, value]) => `${name}: ${value}\r\n`).join(""), "latin1");

/** nghttp2 checks them too; but what goes on as HTTP/1 must not hang on another program's diligence. */
const PLAIN = /^[\t\x20-\x7e\x80-\xff]*$/;
const NAME = /^:?[!#$%&'*+\-.^_`|~0-9a-z]+$/;
const METHOD = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}$/;

function pathFor(pseudo: ReadonlyMap<string, string>, headers: RawHeaders, authority: Authority): string {
  const path = pseudo.get(":path") ?? "";
  if (!METHOD.test(pseudo.get(":method") ?? ""))
    throw new Fault("gateway.malformed", { detail: "the method is no token" });
  // With `:protocol` it is a handshake (RFC 8441), whose other pseudo-fields are those of a request.
  if ((pseudo.get(":method") === "CONNECT") !== pseudo.has(":protocol"))
    throw new Fault("gateway.malformed", { detail: "CONNECT within a tunnel is not served" });
  if (pseudo.get(":scheme") !== "https" || !/^\/[\x21-\x7e]*$/.test(path) || path.includes("#"))
    throw new Fault("gateway.malformed", { detail: "the request target has no form that is served" });
  for (const named of [pseudo.get(":authority"), headerOf(headers, "host")])
    if (named !== undefined && named !== null && !isSameAuthority(parseAuthority(named, 443), authority))
      throw new Fault("gateway.malformed", { detail: "the request names another authority than its tunnel" });
  if (pseudo.get(":authority") === undefined && headerOf(headers, "host") === null)
    throw new Fault("gateway.malformed", { detail: "the authority is missing" });
  return path;
}

class ReplyH2 implements Reply {
  readonly #stream: ServerHttp2Stream;
  readonly #method: string;
  #isAnswered: Handshake["isAnswered"] | null = null;
  isBegun = false;

  constructor(stream: ServerHttp2Stream, fields: RawHeaders) {
    this.#stream = stream;
    this.#method = fields.find(([name]) => name === ":method")?.[1] ?? "";
  }

  get isGone(): boolean {
    return this.#stream.destroyed || this.#stream.closed;
  }

  informational(head: ReplyHead): void {
    if (!this.isGone)
      this.#stream.additionalHeaders({ ":status": head.status, ...Object.fromEntries(fieldsFor(head)) });
  }

  /** It is to become a WebSocket, if this says so of the destination's answer. */
  switchesIf(isAnswered: Handshake["isAnswered"]): void {
    this.#isAnswered = isAnswered;
  }

  head(head: ReplyHead): void {
    this.isBegun = true;
    if (this.isGone) return;
    if (head.status === 101) {
      this.#switch(head);
      return;
    }
    const endStream = head.framing.kind === "none";
    // `sendDate` is missing from the types; a field that the destination did not send is not added.
    const options: { endStream: boolean; waitForTrailers: boolean; sendDate: false } = {
      endStream,
      waitForTrailers: !endStream,
      sendDate: false,
    };
    this.#stream.respond([":status", String(head.status), ...fieldsFor(head).flat()], options);
    if (!endStream) this.#stream.once("wantTrailers", () => this.#trail());
  }

  #switch(head: ReplyHead): void {
    if (this.#isAnswered?.(head) !== true) {
      this.cut();
      return;
    }
    const fields = fieldsFor(head).filter(([name]) => name !== "sec-websocket-accept");
    // `sendDate` is missing from the types, as above.
    const options: { endStream: false; sendDate: false } = { endStream: false, sendDate: false };
    this.#stream.respond([":status", "200", ...fields.flat()], options);
  }

  #trailers: RawHeaders = [];
  #trail(): void {
    // Without trailers node:http2 sends an empty DATA frame that ends the stream.
    this.#stream.sendTrailers(Object.fromEntries(this.#trailers));
  }

  data(_wire: Buffer, content: readonly Buffer[]): boolean {
    if (this.isGone) return true;
    let goesOn = true;
    for (const piece of content) goesOn = this.#stream.write(piece);
    return goesOn;
  }

  flush(): void {
    // node:http2 gathers frames by itself.
  }

  end(trailers: RawHeaders): void {
    this.#trailers = trailers.map(([name, value]) => [name.toLowerCase(), value]);
    if (!this.isGone) this.#stream.end();
  }

  cut(): void {
    // Not close(code): Node sends END_STREAM before the reset, and half a reply would look whole.
    this.#stream.destroy(new Error("cut"));
  }

  refuse(refusal: Refusal): void {
    if (this.isGone) return;
    this.isBegun = true;
    const fields = refusal.headers.filter(
      ([name]) => !/^(?:content-length|connection|transfer-encoding)$/i.test(name),
    );
    this.#stream.respond([
      ":status",
      String(refusal.status),
      ...fields.flatMap(([name, value]) => [name.toLowerCase(), value]),
      "content-length",
      String(refusal.body.length),
    ]);
    this.#stream.end(this.#method === "HEAD" ? undefined : refusal.body);
    // The rest of the request is not wanted.
    this.#stream.resume();
  }

  onDrain(callback: () => void): void {
    this.#stream.once("drain", callback);
  }

  onGone(callback: () => void): void {
    if (this.isGone) callback();
    else this.#stream.once("close", callback);
  }

  takeSocket(): { readonly socket: Duplex; readonly early: Buffer } {
    if (this.#isAnswered === null)
      throw new Fault("internal.bug", { detail: "the stream did not ask for another protocol" });
    return { socket: this.#stream, early: Buffer.alloc(0) };
  }
}

const fieldsFor = (head: ReplyHead): (readonly [string, string])[] =>
  endToEnd(head.headers)
    .filter(([name]) => name.toLowerCase() !== "transfer-encoding")
    .map(([name, value]) => [name.toLowerCase(), value] as const);
