/** A reply on its way to an HTTP/1 agent: the destination's bytes as they came, or a refusal of ours. */
import type { Duplex } from "node:stream";
import type { Refusal, Reply } from "./exchange.ts";
import { endToEnd, headText, isLast, type RawHeaders, type ReplyHead, type RequestHead } from "./head.ts";

interface ReplyCalls {
  /** The reply is complete; `stays`: the next request may be read. */
  readonly over: (stays: boolean) => void;
  readonly take: () => { socket: Duplex; early: Buffer };
}

export class ReplyH1 implements Reply {
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

/** A refusal as a whole reply. */
export function refusalBytes(refusal: Refusal, method: string, isLastOne: boolean): Buffer {
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
