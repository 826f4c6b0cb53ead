/** HTTP/1.1 framing for the two ends of the bench, as lean as can be: they must cost less than what is measured. */
const CRLF2 = Buffer.from("\r\n\r\n");

export interface Handlers {
  readonly onHead: (head: string) => void;
  readonly onBody?: (chunk: Buffer, from: number, to: number) => void;
  readonly onEnd: () => void;
}

type State = "head" | "length" | "size" | "chunk" | "trailer" | "close";

export class LeanReader {
  #state: State = "head";
  #left = 0;
  #pending: Buffer | null = null;
  readonly #handlers: Handlers;
  constructor(handlers: Handlers) {
    this.#handlers = handlers;
  }

  feed(piece: Buffer): void {
    let bytes = piece;
    if (this.#pending !== null) {
      bytes = Buffer.concat([this.#pending, piece]);
      this.#pending = null;
    }
    let at = 0;
    while (at < bytes.length) {
      const next = this.#step(bytes, at);
      if (next < 0) {
        this.#pending = bytes.subarray(at);
        return;
      }
      at = next;
    }
  }

  /** Takes one thing; where it ended, or -1 when more bytes are needed. */
  #step(bytes: Buffer, at: number): number {
    const { onHead, onBody, onEnd } = this.#handlers;
    if (this.#state === "head") {
      const end = bytes.indexOf(CRLF2, at);
      if (end < 0) return -1;
      const head = bytes.toString("latin1", at, end + 2);
      const length = /\r\ncontent-length: *(\d+)/i.exec(head);
      this.#left = Number(length?.[1] ?? 0);
      if (/\r\ntransfer-encoding:/i.test(head)) this.#state = "size";
      else if (this.#left > 0) this.#state = "length";
      onHead(head);
      if (this.#state === "head") onEnd();
      return end + 4;
    }
    if (this.#state === "length" || this.#state === "chunk") {
      const to = Math.min(bytes.length, at + this.#left);
      // Of a chunk, the line end that closes it counts with it.
      const content = this.#state === "chunk" ? Math.min(to, Math.max(at, at + this.#left - 2)) : to;
      if (content > at) onBody?.(bytes, at, content);
      this.#left -= to - at;
      if (this.#left === 0) {
        const isLast = this.#state === "length";
        this.#state = isLast ? "head" : "size";
        if (isLast) onEnd();
      }
      return to;
    }
    const end = bytes.indexOf("\r\n", at, "latin1");
    if (end < 0) return -1;
    if (this.#state === "size") {
      const size = Number.parseInt(bytes.toString("latin1", at, end), 16);
      this.#left = size + 2;
      this.#state = size === 0 ? "trailer" : "chunk";
    } else if (end === at) {
      this.#state = "head";
      onEnd();
    }
    return end + 2;
  }
}
