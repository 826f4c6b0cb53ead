/**
 * A reply whose placeholders become values again on its way to the agent. Only for replies of a model that placeholders
 * were sent to, and only of forms that values can be put into: event streams and JSON. All others pass as they came.
 *
 * The reply's length changes, so it is framed anew (chunked, or by the end of the connection where it was that); content
 * codings are undone as it streams, as asking the server for none would be another request than the agent's.
 * What is kept as evidence is taken before this.
 */
import type { Transform } from "node:stream";
import type { Restorer } from "../inspect/index.ts";
import { codingsOf, undoingStream } from "./coding.ts";
import type { Reply } from "./exchange.ts";
import { headerOf, headText, type RawHeaders, type ReplyHead } from "./head.ts";

const RESTORED = /^(?:text\/event-stream|application\/json|application\/vnd\.amazon\.eventstream)\s*(?:;|$)/i;
/** Fields that say something of bytes that are no longer those. */
const ABOUT_BYTES =
  /^(?:content-encoding|content-length|transfer-encoding|content-md5|content-digest|digest)$/i;

export class Restoring {
  /** What the agent is told in the place of the reply's own head. */
  readonly head: ReplyHead;
  readonly #reply: Reply;
  readonly #restorer: Restorer;
  readonly #coding: string | null;
  readonly #isChunked: boolean;
  #stream: Transform | null = null;
  /** Tells the sender to go on. */
  readonly #resume: () => void;
  /** The reply cannot be read on. */
  readonly #broken: () => void;
  #finish: (() => void) | null = null;

  /** null: this reply passes as it came. */
  static of(
    head: ReplyHead,
    restorer: (contentType: string) => Restorer,
    reply: Reply,
    calls: { readonly resume: () => void; readonly broken: () => void },
  ): Restoring | null {
    const type = headerOf(head.headers, "content-type") ?? "";
    const codings = codingsOf(head.headers);
    if (head.framing.kind === "none" || !RESTORED.test(type) || codings.length > 1) return null;
    const [coding = null] = codings;
    if (coding !== null && undoingStream(coding, Buffer.from([8])) === null) return null;
    return new Restoring(head, restorer(type), coding, reply, calls);
  }

  private constructor(
    head: ReplyHead,
    restorer: Restorer,
    coding: string | null,
    reply: Reply,
    calls: { readonly resume: () => void; readonly broken: () => void },
  ) {
    this.#restorer = restorer;
    this.#coding = coding;
    this.#reply = reply;
    this.#resume = calls.resume;
    this.#broken = calls.broken;
    this.#isChunked = head.framing.kind !== "close";
    const at = head.headers.findIndex(([name]) => /^(?:content-length|transfer-encoding)$/i.test(name));
    const headers = head.headers.flatMap((field, index): RawHeaders => {
      if (this.#isChunked && index === at) return [["Transfer-Encoding", "chunked"]];
      return ABOUT_BYTES.test(field[0]) ? [] : [field];
    });
    this.head = { ...head, headers, framing: { kind: this.#isChunked ? "chunked" : "close" } };
  }

  /** False: no more until `resume`. */
  push(content: readonly Buffer[]): boolean {
    let goesOn = true;
    for (const piece of content) {
      if (piece.length === 0) continue;
      if (this.#coding === null) goesOn = this.#give(this.#restorer.push(piece)) && goesOn;
      else goesOn = this.#undoing(this.#coding, piece).write(piece) && goesOn;
    }
    if (goesOn) return true;
    if (this.#stream === null) this.#reply.onDrain(this.#resume);
    else this.#stream.once("drain", this.#resume);
    return false;
  }

  /** `done` is called once all has been given to the reply. */
  end(trailers: RawHeaders, done: () => void): void {
    this.#finish = () => {
      this.#give(this.#restorer.end());
      if (this.#isChunked) this.#reply.data(Buffer.from(headText("0", trailers), "latin1"), []);
      done();
    };
    if (this.#stream === null) this.#finish();
    else this.#stream.end();
  }

  close(): void {
    this.#stream?.destroy();
  }

  #undoing(coding: string, first: Buffer): Transform {
    const made = this.#stream ?? undoingStream(coding, first);
    if (made === null) throw new Error("a coding that was known is not");
    if (this.#stream !== null) return made;
    this.#stream = made;
    made.on("data", (piece: Buffer) => {
      if (this.#give(this.#restorer.push(piece))) return;
      made.pause();
      this.#reply.onDrain(() => made.resume());
    });
    made.once("end", () => this.#finish?.());
    made.once("error", this.#broken);
    return made;
  }

  #give(pieces: readonly Uint8Array[]): boolean {
    const content = Buffer.concat(pieces);
    if (content.length === 0) return true;
    const wire = this.#isChunked
      ? Buffer.concat([
          Buffer.from(`${content.length.toString(16)}\r\n`, "latin1"),
          content,
          Buffer.from("\r\n", "latin1"),
        ])
      : content;
    const goesOn = this.#reply.data(wire, [content]);
    this.#reply.flush();
    return goesOn;
  }
}
