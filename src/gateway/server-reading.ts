/**
 * What a server says over a WebSocket, read beside its way to the agent: to know where its frames end, what it says about
 * usage, and which tools it calls. Reading never holds up or changes anything; when it cannot go on it stops.
 *
 * Once placeholders were sent to the server, its messages go to the agent from here, with the values put back. From then
 * on they are not compressed: the agent's window would miss what was changed.
 */
import {
  createReplyReader,
  type DialectName,
  type ReplyReader,
  type ReplyReading,
} from "../dialect/index.ts";
import type { EventRestorer, RestorerOptions, Vault } from "../inspect/index.ts";
import { type Compression, type Frame, FrameReader, MessageInflater, OPCODE, serverFrame } from "./frame.ts";

/** Where restored messages go. */
interface Outlet {
  readonly vault: Vault;
  readonly options: RestorerOptions;
  readonly give: (bytes: Buffer) => void;
  /** The server's bytes cannot be followed any more. */
  readonly broken: () => void;
}

export class ServerReading {
  readonly #frames: FrameReader;
  readonly #inflater: MessageInflater | null;
  #fragments: Frame[] = [];
  #reader: ReplyReader | null = null;
  /** Messages are inflated one after the other. */
  #queue: Promise<void> = Promise.resolve();
  #hasStopped = false;
  #lastPing: Buffer | null = null;
  #outlet: Outlet | null = null;
  #restorer: EventRestorer | null = null;
  /** Bytes of the frame under way that had gone on before there was an outlet. */
  #goneOn = 0;
  /** The message under way had gone on in part: the rest follows as it comes. */
  #isRaw = false;

  constructor(compression: Compression | null, mostBytes: number) {
    this.#frames = new FrameReader(mostBytes, "server");
    this.#inflater = compression === null ? null : new MessageInflater(compression, mostBytes);
  }

  /** Whether a frame of our own may be put in here. */
  get isBetweenMessages(): boolean {
    return !this.#hasStopped && this.#frames.have === 0 && this.#fragments.length === 0;
  }

  /** Whether these are the words of the server's last ping. */
  isEcho(payload: Buffer): boolean {
    return this.#lastPing?.equals(payload) === true;
  }

  /** From here on the server answers a message of this dialect. */
  begin(dialect: DialectName): void {
    this.#reader = createReplyReader(dialect, "websocket");
    const outlet = this.#outlet;
    if (outlet === null) return;
    this.#enqueue(() => {
      this.#flush();
      this.#restorer = outlet.vault.eventRestorer(outlet.options);
    });
  }

  /** From the next message on, messages go to the outlet, restored. False: they cannot, and go on as they come. */
  restoreInto(outlet: Outlet): boolean {
    if (this.#hasStopped) return false;
    if (this.#outlet !== null) return true;
    this.#outlet = outlet;
    this.#restorer = outlet.vault.eventRestorer(outlet.options);
    this.#goneOn = this.#frames.have;
    this.#isRaw = this.#fragments.length > 0;
    return true;
  }

  /** Whether messages go to an outlet. */
  get isRestoring(): boolean {
    return this.#outlet !== null;
  }

  /** Resolves when all that was fed has been read, and given. */
  settled(): Promise<void> {
    return this.#queue;
  }

  feed(chunk: Buffer): void {
    if (this.#hasStopped) return;
    try {
      for (const frame of this.#frames.feed(chunk)) this.#take(frame);
    } catch {
      this.#stop();
    }
  }

  /** Without an outlet the agent will see for itself that it is malformed. */
  #stop(): void {
    this.#hasStopped = true;
    this.#outlet?.broken();
  }

  #enqueue(step: () => Promise<void> | void): void {
    this.#queue = this.#queue.then(() => (this.#hasStopped ? undefined : step())).catch(() => this.#stop());
  }

  #take(frame: Frame): void {
    if (frame.opcode === OPCODE.ping) this.#lastPing = frame.payload;
    const outlet = this.#passes(frame) ? null : this.#outlet;
    if (frame.opcode >= OPCODE.close) {
      if (outlet !== null)
        this.#enqueue(() => {
          if (frame.opcode === OPCODE.close) this.#flush();
          outlet.give(frame.wire);
        });
      return;
    }
    this.#fragments.push(frame);
    if (!frame.isFinal) return;
    const fragments = this.#fragments;
    const [first] = fragments;
    const payload = Buffer.concat(fragments.map((fragment) => fragment.payload));
    this.#fragments = [];
    const reader = this.#reader;
    this.#enqueue(async () => {
      const isDeflated = first?.isCompressed === true && this.#inflater !== null;
      const message = isDeflated ? await this.#inflater?.inflate(payload) : payload;
      if (message === undefined) return;
      if (first?.opcode === OPCODE.text) reader?.feed(message);
      if (outlet === null) return;
      const said =
        first?.opcode === OPCODE.text
          ? (this.#restorer?.event(message) ?? [{ data: message }])
          : [{ data: message }];
      if (!isDeflated && said.length === 1 && said[0]?.data === message)
        for (const { wire } of fragments) outlet.give(wire);
      else
        for (const { data } of said)
          outlet.give(serverFrame(first?.opcode ?? OPCODE.text, Buffer.from(data)));
    });
  }

  /** Gives the rest of what had gone on in part before there was an outlet; true when the frame belongs to it. */
  #passes(frame: Frame): boolean {
    const goneOn = this.#goneOn;
    this.#goneOn = 0;
    const isData = frame.opcode < OPCODE.close;
    if (goneOn === 0 && !(this.#isRaw && isData)) return false;
    this.#outlet?.give(frame.wire.subarray(goneOn));
    if (isData) this.#isRaw = !frame.isFinal;
    return true;
  }

  /** What was still held back of a value that did not come whole. */
  #flush(): void {
    for (const { data } of this.#restorer?.end() ?? [])
      this.#outlet?.give(serverFrame(OPCODE.text, Buffer.from(data)));
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
