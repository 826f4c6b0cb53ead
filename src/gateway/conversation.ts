/**
 * A WebSocket after its handshake. The agent's frames are gathered to whole messages; each message passes the pipeline,
 * and its frames go on, byte for byte, when its verdict is durable; a redacted message in one new frame. Control frames pass, in their order. The server's
 * bytes stream through as they come and are kept as evidence of the exchange that was last begun: a message is answered
 * by what the server sends until the next message.
 *
 * After a refused message the conversation ends: the two compression windows no longer agree.
 */
import { randomBytes } from "node:crypto";
import type { Duplex } from "node:stream";
import { asFault, Fault } from "../core/index.ts";
import { type ReplyReading, websocketRefusal } from "../dialect/index.ts";
import type { RestorerOptions } from "../inspect/index.ts";
import type { Inbound, Reply } from "./exchange.ts";
import {
  type Agreement,
  agentFrame,
  agreementOf,
  type Frame,
  FrameReader,
  MessageInflater,
  OPCODE,
  serverFrame,
} from "./frame.ts";
import { headersOf, type ReplyHead } from "./head.ts";
import type { Judgement } from "./judge.ts";
import type { Matter, Outcome } from "./matter.ts";
import { pass } from "./pipeline.ts";
import { restoringOf } from "./redact.ts";
import { refusalFor, refusalText } from "./refuse.ts";
import { Capture } from "./room.ts";
import { ServerReading } from "./server-reading.ts";
import type { Rooms, Sitting } from "./session.ts";

interface PeerEnd {
  readonly socket: Duplex;
  readonly early: Buffer;
  readonly address: string;
  readonly tlsPeer: string | null;
}

/** Resolves when the handshake's own exchange is over: at the agent's first message, or at the end. */
export function converse(
  inbound: Inbound,
  head: ReplyHead,
  reply: Reply,
  peer: PeerEnd,
  capture: Capture,
  restores: RestorerOptions | null,
  sitting: Sitting,
  rooms: Rooms,
): Promise<Outcome> {
  let agreement: Agreement | null;
  try {
    agreement = agreementOf(headersOf(head.headers, "sec-websocket-extensions"));
  } catch (error) {
    peer.socket.destroy();
    reply.refuse(refusalFor("opaque", asFault(error), sitting.rules.language));
    return Promise.resolve({ kind: "failed", fault: asFault(error), mayHaveLeft: true });
  }
  reply.head(head);
  const agent = reply.takeSocket();
  return new Promise((resolve) => {
    const conversation = new Conversation(
      inbound,
      head,
      agent.socket,
      peer,
      agreement,
      { capture, resolve },
      sitting,
      rooms,
    );
    if (restores !== null) conversation.restore(restores);
    conversation.start(agent.early);
  });
}

/** What the server's bytes answer now. */
interface Open {
  readonly capture: Capture;
  readonly resolve: (outcome: Outcome) => void;
}

class Conversation {
  readonly #inbound: Inbound;
  readonly #agent: Duplex;
  readonly #peer: PeerEnd;
  readonly #sitting: Sitting;
  readonly #rooms: Rooms;
  readonly #reader: FrameReader;
  readonly #inflater: MessageInflater | null;
  readonly #reading: ServerReading;
  /** Frames of the message that is not complete yet. */
  #fragments: Frame[] = [];
  #fragmentBytes = 0;
  #queue: Promise<void> = Promise.resolve();
  #queued = 0;
  #open: Open;
  #handshake: ReplyHead | null;
  #isOver = false;
  /** A message went on changed: the server's window lacks it, so that compressed ones go on undone from then on. */
  #reframes = false;
  /** What the server said to the last message, when it had to be read before that exchange's end. */
  #read: Promise<ReplyReading | null> | null = null;

  constructor(
    inbound: Inbound,
    head: ReplyHead,
    agent: Duplex,
    peer: PeerEnd,
    agreement: Agreement | null,
    open: Open,
    sitting: Sitting,
    rooms: Rooms,
  ) {
    this.#inbound = inbound;
    this.#handshake = head;
    this.#agent = agent;
    this.#peer = peer;
    this.#open = open;
    this.#sitting = sitting;
    this.#rooms = rooms;
    this.#reader = new FrameReader(rooms.limits.bodyBytes, "agent");
    this.#reading = new ServerReading(agreement?.server ?? null, rooms.limits.capturedReplyBytes);
    this.#inflater =
      agreement === null ? null : new MessageInflater(agreement.agent, rooms.limits.decodedBytes);
  }

  start(early: Buffer): void {
    const { socket } = this.#peer;
    socket.on("data", (chunk: Buffer) => this.#fromServer(chunk));
    this.#agent.on("data", (chunk: Buffer) => this.#fromAgent(chunk));
    for (const end of [this.#agent, socket]) {
      end.on("end", () => this.#over(true));
      end.on("error", () => this.#over(false));
      end.on("close", () => this.#over(false));
    }
    this.#agent.on("drain", () => socket.resume());
    socket.on("drain", () => this.#queued === 0 && this.#agent.resume());
    if (this.#peer.early.length > 0) this.#fromServer(this.#peer.early);
    if (early.length > 0) this.#fromAgent(early);
    socket.resume();
    this.#agent.resume();
  }

  #fromServer(chunk: Buffer): void {
    this.#open.capture.add(chunk);
    const isRestoring = this.#reading.isRestoring;
    this.#reading.feed(chunk);
    if (!isRestoring) this.#give(chunk);
  }

  #give(bytes: Buffer): void {
    if (this.#agent.destroyed || this.#agent.writableEnded) return;
    if (!this.#agent.write(bytes)) this.#peer.socket.pause();
  }

  /** The server was sent placeholders: in what it says they become values again. */
  restore(options: RestorerOptions): void {
    this.#reading.restoreInto({
      vault: this.#sitting.vault,
      options,
      give: (bytes) => this.#give(bytes),
      broken: () => this.#over(false),
    });
  }

  #fromAgent(chunk: Buffer): void {
    if (this.#isOver) return;
    try {
      for (const frame of this.#reader.feed(chunk)) this.#take(frame);
    } catch (error) {
      this.#enqueue(() => this.#refuse(asFault(error)));
    }
  }

  #take(frame: Frame): void {
    if (frame.opcode >= OPCODE.close) {
      // Queued like the messages, so that a close does not overtake what was said before it. What a control frame says is
      // judged like a message; a status, or an answer to the server's own ping, says nothing of the agent's.
      const saysNothing =
        frame.payload.length <= 2 || (frame.opcode === OPCODE.pong && this.#reading.isEcho(frame.payload));
      this.#enqueue(() => (saysNothing ? this.#forward([frame.wire]) : this.#judge([frame])));
      return;
    }
    const isFirst = this.#fragments.length === 0;
    if (isFirst === (frame.opcode === OPCODE.continuation))
      throw new Fault("gateway.malformed", { detail: "WebSocket fragments out of order" });
    if (frame.isCompressed && (!isFirst || this.#inflater === null))
      throw new Fault("gateway.malformed", {
        detail: "a WebSocket frame is compressed where none was agreed",
      });
    this.#fragments.push(frame);
    this.#fragmentBytes += frame.wire.length;
    if (
      this.#fragmentBytes > this.#rooms.limits.bodyBytes ||
      this.#fragments.length > this.#rooms.limits.fragments
    )
      throw new Fault("gateway.too-large", { detail: "a WebSocket message is too long" });
    if (!frame.isFinal) return;
    const frames = this.#fragments;
    this.#fragments = [];
    this.#fragmentBytes = 0;
    this.#enqueue(() => this.#judge(frames));
  }

  /** One after the other; the agent is not read while something waits. */
  #enqueue(step: () => Promise<void> | void): void {
    this.#queued++;
    this.#agent.pause();
    this.#queue = this.#queue.then(async () => {
      if (!this.#isOver) await step();
      if (--this.#queued === 0 && !this.#isOver && !this.#peer.socket.writableNeedDrain) this.#agent.resume();
    });
  }

  #forward(wire: readonly Buffer[]): void {
    for (const bytes of wire) this.#peer.socket.write(bytes);
  }

  /** Resolves when the message has been forwarded or refused; its outcome comes later. */
  #judge(frames: readonly Frame[]): Promise<void> {
    return new Promise((settled) => {
      const work = pass(this.#matter(frames, settled), this.#sitting, this.#rooms)
        .catch((error: unknown) => {
          this.#refuse(asFault(error));
          settled();
        })
        .finally(() => this.#sitting.underWay.delete(work));
      this.#sitting.underWay.add(work);
    });
  }

  #matter(came: readonly Frame[], settled: () => void): Matter {
    const { door, target } = this.#inbound;
    const [first] = came;
    const opcode = first?.opcode ?? OPCODE.text;
    const isCompressed = first?.isCompressed === true;
    let judgement: Judgement | null = null;
    const payload =
      came.length === 1
        ? (first?.payload ?? Buffer.alloc(0))
        : Buffer.concat(came.map((frame) => frame.payload));
    /** What leaves, as it is on the wire. */
    let wire: readonly Buffer[] = came.map((frame) => frame.wire);
    let bytes = payload.length;
    const reframe = (content: Buffer): void => {
      wire = [agentFrame(opcode, content, randomBytes(4))];
      bytes = content.length;
    };
    return {
      get about() {
        return { door, protocol: "websocket" as const, method: "MESSAGE", target, way: null, bytes };
      },
      get evidence() {
        return [{ role: "frames" as const, chunks: wire }];
      },
      content: async () => {
        const content =
          isCompressed && this.#inflater !== null ? await this.#inflater.inflate(payload) : payload;
        this.#sitting.custody.check(target.host, "", [], content);
        await this.#learned();
        if (isCompressed && this.#reframes) reframe(content);
        return content;
      },
      replace: async (content) => {
        reframe(content);
        this.#reframes = true;
      },
      reroute: async () => {
        throw new Fault("gateway.unroutable", { detail: "a WebSocket goes on with whom it began" });
      },
      onGone: (callback) => void this.#agent.once("close", callback),
      decode: (decoder, content) => decoder.decodeMessage(content),
      prepare: (judged) => {
        judgement = judged;
      },
      refuse: (fault, judged) => {
        this.#refuse(fault, judged);
        settled();
      },
      act: () =>
        new Promise((resolve) => {
          this.#close(true);
          this.#open = {
            capture: new Capture(this.#rooms.captured, this.#rooms.limits.capturedReplyBytes),
            resolve,
          };
          this.#handshake = null;
          const restores =
            judgement === null ? null : restoringOf(judgement, { target, way: null }, this.#sitting);
          if (restores !== null) this.restore(restores);
          this.#reading.begin(judgement?.dialect ?? "opaque");
          this.#forward(wire);
          if (this.#isOver) this.#close(false);
          settled();
        }),
    };
  }

  #refuse(fault: Fault, judgement?: Judgement): void {
    // What the server said before is not overtaken.
    if (this.#reading.isRestoring)
      void this.#reading.settled().then(() => this.#sayRefusal(fault, judgement));
    else this.#sayRefusal(fault, judgement);
  }

  #sayRefusal(fault: Fault, judgement: Judgement | undefined): void {
    const dialect = judgement?.dialect ?? "opaque";
    // In the middle of a message of the server's a frame of ours would be read as part of it.
    if (!this.#agent.destroyed && this.#reading.isBetweenMessages) {
      this.#agent.write(
        serverFrame(
          OPCODE.text,
          Buffer.from(websocketRefusal(dialect, refusalText(fault, this.#sitting.rules.language))),
        ),
      );
      const status = Buffer.from([0x03, 0xf0]); // 1008, policy violation
      this.#agent.write(serverFrame(OPCODE.close, Buffer.concat([status, Buffer.from(fault.code)])));
    }
    this.#over(false);
  }

  /** A message may hold nothing but results of the tools that the server's last words called: they are read first. */
  async #learned(): Promise<void> {
    this.#read ??= this.#reading.end();
    const reading = await this.#read;
    if (reading !== null) this.#sitting.reader.learn(reading);
  }

  /** Ends the exchange that the server's bytes belong to. */
  #close(isComplete: boolean): void {
    this.#open.resolve({
      kind: "answered",
      status: 101,
      address: this.#peer.address,
      tlsPeer: this.#peer.tlsPeer,
      isComplete,
      head: this.#handshake?.wire ?? null,
      reply: this.#open.capture,
      role: "frames",
      contentType: "",
      codings: [],
      reading: this.#read ?? this.#reading.end(),
    });
    this.#read = null;
  }

  #over(isComplete: boolean): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#inflater?.close();
    this.#close(isComplete);
    this.#reading.close();
    if (this.#reading.isRestoring) void this.#reading.settled().then(() => this.#agent.end());
    else this.#agent.end();
    this.#peer.socket.end();
    // What was written still goes out; a side that does not close by itself is closed at the sweep.
    const deadline = this.#rooms.deadlines.start(this.#rooms.limits.connectMs, () => {
      this.#agent.destroy();
      this.#peer.socket.destroy();
    });
    let open = 2;
    for (const end of [this.#agent, this.#peer.socket]) {
      end.resume();
      if (end.destroyed) open--;
      else end.once("close", () => --open === 0 && deadline.stop());
    }
    if (open === 0) deadline.stop();
  }
}
