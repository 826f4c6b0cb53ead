/**
 * What a server says over a WebSocket, read beside its way to the agent: to know where its frames end, what it says about
 * usage, and which tools it calls. Reading never holds up or changes anything; when it cannot go on it stops.
 */
import {
  createReplyReader,
  type DialectName,
  type ReplyReader,
  type ReplyReading,
} from "../dialect/index.ts";
import { type Compression, type Frame, FrameReader, MessageInflater, OPCODE } from "./frame.ts";

export class ServerReading {
  readonly #frames: FrameReader;
  readonly #inflater: MessageInflater | null;
  #fragments: Frame[] = [];
  #reader: ReplyReader | null = null;
  /** Messages are inflated one after the other. */
  #queue: Promise<void> = Promise.resolve();
  #hasStopped = false;
  #lastPing: Buffer | null = null;

  constructor(compression: Compression | null, mostBytes: number) {
    this.#frames = new FrameReader(mostBytes, "server");
    this.#inflater = compression === null ? null : new MessageInflater(compression, mostBytes);
  }

  /** Whether a frame of our own may be put in here. */
  get isBetweenMessages(): boolean {
    return !this.#hasStopped && this.#frames.isBetween && this.#fragments.length === 0;
  }

  /** Whether these are the words of the server's last ping. */
  isEcho(payload: Buffer): boolean {
    return this.#lastPing?.equals(payload) === true;
  }

  /** From here on the server answers a message of this dialect. */
  begin(dialect: DialectName): void {
    this.#reader = createReplyReader(dialect, "websocket");
  }

  feed(chunk: Buffer): void {
    if (this.#hasStopped) return;
    try {
      for (const frame of this.#frames.feed(chunk)) this.#take(frame);
    } catch {
      // The agent will see for itself that it is malformed.
      this.#hasStopped = true;
    }
  }

  #take(frame: Frame): void {
    if (frame.opcode === OPCODE.ping) this.#lastPing = frame.payload;
    if (frame.opcode >= OPCODE.close) return;
    this.#fragments.push(frame);
    if (!frame.isFinal) return;
    const [first] = this.#fragments;
    const payload = Buffer.concat(this.#fragments.map((fragment) => fragment.payload));
    this.#fragments = [];
    const reader = this.#reader;
    this.#queue = this.#queue
      .then(async () => {
        if (this.#hasStopped) return;
        const isDeflated = first?.isCompressed === true && this.#inflater !== null;
        const message = isDeflated ? await this.#inflater?.inflate(payload) : payload;
        if (first?.opcode === OPCODE.text && message !== undefined) reader?.feed(message);
      })
      .catch(() => {
        this.#hasStopped = true;
      });
  }

  /** What was said since `begin`, once all of it is read; null when it could not be, or when nothing was asked. */
  async end(): Promise<ReplyReading | null> {
    const reader = this.#reader;
    this.#reader = null;
    await this.#queue;
    return this.#hasStopped || reader === null ? null : reader.end();
  }

  close(): void {
    void this.#queue.then(() => this.#inflater?.close());
  }
}
