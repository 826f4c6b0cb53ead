/**
 * The whole internet, as one observed run sees it: every name resolves, every address answers, every TLS handshake
 * succeeds under the lab's own authority, and behind all of it is the scripted model. What came in is kept as it came:
 * the bytes of the ClientHello, the bytes of each connection after TLS was taken off, with the time of each piece.
 *
 * HTTP/1.1 only: where a client offers `h2` by ALPN, `http/1.1` is chosen, so that header order and case are on the
 * wire to be seen. What a client sends without asking (HTTP/2 prior knowledge, other protocols) is kept as bytes.
 *
 * Owns the connections of one run; `close` breaks them.
 */
import type { Socket as NameSocket } from "node:dgram";
import type { Server } from "node:net";
import { type Duplex, duplexPair } from "node:stream";
import { TLSSocket } from "node:tls";
import type { SessionAuthority } from "../../gateway/index.ts";
import type { ScriptedModel } from "../model/server.ts";
import { helloName } from "./hello.ts";

export interface Piece {
  /** Milliseconds since the run began. */
  readonly at: number;
  readonly bytes: Buffer;
}

/** One TCP connection that a program inside opened. Filled while the run lasts. */
export interface Connection {
  readonly port: number;
  readonly at: number;
  /** A datagram (UDP), which nobody answers. */
  readonly isDatagram: boolean;
  /** `host:port` of a CONNECT that came first, and its head. */
  tunnel: { readonly to: string; readonly head: Buffer } | null;
  /** The ClientHello's record bytes; null without TLS. */
  hello: Buffer | null;
  /** The ClientHello's server name. */
  name: string | null;
  /** Why the client ended the handshake, in OpenSSL's words. */
  tlsError: string | null;
  /** After TLS. */
  readonly sent: Piece[];
  /** When something went back. */
  readonly answered: number[];
}

export interface Witnessed {
  readonly connections: readonly Connection[];
  /** Names asked for as they were spelt, in order, without repetitions; other records than addresses with their type. */
  readonly names: readonly string[];
}

/** More than any agent's session; what comes after is dropped and the run is marked by a failed read of its requests. */
const MAX_CONNECTION_BYTES = 256 * 1024 * 1024;
const MAX_HEAD_BYTES = 64 * 1024;
const TLS_HANDSHAKE = 0x16;
const MAX_DNS_BYTES = 512;
/** Record types (RFC 1035, RFC 3596). */
const [ADDRESS, ADDRESS_6] = [1, 28];

export class World {
  readonly #model: ScriptedModel;
  readonly #authority: SessionAuthority;
  readonly #now: () => number;
  readonly #connections: Connection[] = [];
  readonly #names = new Set<string>();
  readonly #open = new Set<Duplex>();
  readonly #servers = new Set<Server | NameSocket>();

  /** `now`: milliseconds since the run began. */
  constructor(model: ScriptedModel, authority: SessionAuthority, now: () => number) {
    this.#model = model;
    this.#authority = authority;
    this.#now = now;
  }

  witnessed(): Witnessed {
    return { connections: this.#connections, names: [...this.#names] };
  }

  /** Takes a listener from inside. */
  serve(server: Server, port: number): void {
    this.#servers.add(server);
    server.on("connection", (socket) => this.#begin(socket, port, null));
  }

  /** Takes the name service's socket from inside: every A question is answered. */
  answerNames(socket: NameSocket): void {
    this.#servers.add(socket);
    socket.on("message", (question, peer) => {
      const read = nameAnswer(question);
      if (read === null) return;
      this.#names.add(read.name);
      socket.send(read.answer, peer.port, peer.address, () => {}); // whoever asked may have gone
    });
    socket.on("error", () => {});
  }

  /** Takes a datagram socket from inside: what comes is kept, and not answered. */
  hear(socket: NameSocket, port: number): void {
    this.#servers.add(socket);
    socket.on("message", (bytes) => {
      const at = this.#now();
      this.#connections.push({
        ...{ port, at, isDatagram: true, tunnel: null, hello: null, name: null, tlsError: null },
        ...{ sent: [{ at, bytes }], answered: [] },
      });
    });
    socket.on("error", () => {}); // whoever sent it may have gone
  }

  close(): void {
    for (const server of this.#servers) server.close();
    for (const socket of this.#open) socket.destroy();
  }

  #begin(socket: Duplex, port: number, tunnel: Connection["tunnel"]): void {
    const connection: Connection = {
      ...{ port, at: this.#now(), isDatagram: false, tunnel, hello: null, name: null, tlsError: null },
      ...{ sent: [], answered: [] },
    };
    this.#connections.push(connection);
    this.#own(socket);
    let early = Buffer.alloc(0);
    const look = (chunk: Buffer): void => {
      early = Buffer.concat([early, chunk]);
      const next = readBeginning(early);
      if (next === "more") return;
      socket.off("data", look);
      socket.pause();
      if (next === "tls") this.#secure(socket, early, connection);
      else if (next === "connect") this.#tunnel(socket, early, connection);
      else this.#play(socket, early, connection);
    };
    socket.on("data", look);
  }

  #own(socket: Duplex): void {
    this.#open.add(socket);
    socket.on("error", () => {}); // a client that goes away is no news here
    socket.on("close", () => this.#open.delete(socket));
  }

  #secure(socket: Duplex, early: Buffer, connection: Connection): void {
    connection.hello = early;
    socket.unshift(early);
    connection.name = helloName(early);
    const name = connection.name ?? connection.tunnel?.to.replace(/:\d+$/, "") ?? "127.0.0.1";
    let context: ReturnType<SessionAuthority["contextFor"]>;
    try {
      context = this.#authority.contextFor(name);
    } catch (error) {
      connection.tlsError = error instanceof Error ? error.message : "no certificate";
      socket.destroy();
      return;
    }
    const inner = new TLSSocket(socket, {
      isServer: true,
      secureContext: context,
      ALPNProtocols: ["http/1.1"],
    });
    this.#own(inner);
    inner.on("error", (error) => {
      connection.tlsError ??= error.message;
    });
    this.#play(inner, Buffer.alloc(0), connection);
  }

  #tunnel(socket: Duplex, early: Buffer, connection: Connection): void {
    const end = early.indexOf("\r\n\r\n") + 4;
    const to = /^CONNECT (\S+)/i.exec(early.toString("latin1"))?.[1] ?? "";
    const head = early.subarray(0, end);
    connection.sent.push({ at: this.#now(), bytes: head });
    socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
    if (end < early.length) socket.unshift(early.subarray(end));
    this.#begin(socket, connection.port, { to, head });
    socket.resume();
  }

  /** The model is at the other end; everything is noted in passing. */
  #play(socket: Duplex, early: Buffer, connection: Connection): void {
    const [here, there] = duplexPair();
    this.#own(here);
    this.#own(there);
    let size = 0;
    const note = (bytes: Buffer): void => {
      size += bytes.length;
      if (size <= MAX_CONNECTION_BYTES) connection.sent.push({ at: this.#now(), bytes });
      here.write(bytes);
    };
    if (early.length > 0) note(early);
    socket.on("data", note);
    socket.on("end", () => here.end());
    socket.on("close", () => here.destroy());
    here.on("data", (chunk: Buffer) => {
      connection.answered.push(this.#now());
      socket.write(chunk);
    });
    here.on("end", () => socket.end());
    here.on("close", () => socket.destroy());
    this.#model.accept(there);
    socket.resume();
  }
}

function readBeginning(bytes: Buffer): "more" | "tls" | "connect" | "plain" {
  if (bytes.length === 0) return "more";
  if (bytes[0] === TLS_HANDSHAKE) {
    if (bytes.length < 5) return "more";
    return bytes.length < 5 + bytes.readUInt16BE(3) ? "more" : "tls";
  }
  const start = bytes.toString("latin1", 0, 8).toUpperCase();
  if (!start.startsWith("CONNECT ".slice(0, start.length))) return "plain";
  return bytes.includes("\r\n\r\n") || bytes.length > MAX_HEAD_BYTES ? "connect" : "more";
}

/**
 * The name and the answer to one DNS question (RFC 1035 4.1): an A record in 198.18.0.0/15 (RFC 2544, never a real host)
 * for A, nothing for other types. Null for what is no question.
 */
function nameAnswer(question: Buffer): { readonly name: string; readonly answer: Buffer } | null {
  if (question.length < 17 || question.length > MAX_DNS_BYTES || question.readUInt16BE(4) !== 1) return null;
  const labels: string[] = [];
  let at = 12;
  for (let length = question[at] ?? 0; length > 0; length = question[at] ?? 0) {
    if (length > 63 || at + length + 1 >= question.length) return null;
    labels.push(question.toString("latin1", at + 1, at + 1 + length));
    at += length + 1;
  }
  const end = at + 5;
  if (end > question.length) return null;
  const name = labels.join(".");
  const type = question.readUInt16BE(at + 1);
  const isAddress = type === ADDRESS;
  const head = Buffer.from(question.subarray(0, end));
  head.writeUInt16BE(0x8180, 2);
  head.writeUInt16BE(isAddress ? 1 : 0, 6);
  head.writeUInt16BE(0, 8);
  head.writeUInt16BE(0, 10);
  const record = Buffer.from([0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 198, 18, 0, 1]);
  const asked = type === ADDRESS || type === ADDRESS_6 ? name : `${name} (record type ${type})`;
  return { name: asked, answer: isAddress ? Buffer.concat([head, record]) : head };
}
