/**
 * Recorded WebSocket frames as the messages that they bear. What one exchange has is all that is looked at: a compressed
 * message whose window began in an earlier exchange cannot be read alone, and is said to be missing.
 */
import { inflateRawSync, constants as zlib } from "node:zlib";
import { Fault } from "../core/index.ts";
import { type Frame, FrameReader, OPCODE } from "../gateway/index.ts";

/** Undone, all messages of one exchange; more is not shown. */
const MAX_BYTES = 16 << 20;
/** A control frame with its head: RFC 6455 5.5. */
const MAX_CONTROL_BYTES = 131;
/** RFC 7692 7.2.2: what a sender leaves out at a message's end. */
const TAIL = Buffer.from([0, 0, 0xff, 0xff]);

/** In order, without what control frames say. Null: they cannot be read, or are too much. */
export function messagesIn(bytes: Buffer, from: "agent" | "server"): readonly Buffer[] | null {
  const window: Buffer[] = [];
  let undone = 0; // of the window
  let total = 0;
  const inflated = (compressed: Buffer): Buffer | null => {
    const alone = inflate(compressed);
    window.push(compressed, TAIL);
    if (alone !== null) {
      undone += alone.length;
      return alone;
    }
    const all = inflate(Buffer.concat(window));
    const own = all?.subarray(undone) ?? null;
    undone = all?.length ?? undone;
    return own;
  };
  const messages: Buffer[] = [];
  for (const frames of framesIn(wholeFrames(bytes, from))) {
    const payload = Buffer.concat(frames.map((frame) => frame.payload));
    const message = frames[0]?.isCompressed === true ? inflated(payload) : payload;
    total += message?.length ?? 0;
    if (message === null || total > MAX_BYTES) return null;
    messages.push(message);
  }
  return messages.length === 0 && bytes.length > MAX_CONTROL_BYTES ? null : messages;
}

/** The frames of each message. Of an exchange that is one control frame, what that says; a status says nothing. */
function framesIn(frames: readonly Frame[]): readonly (readonly Frame[])[] {
  const [only, ...others] = frames;
  if (only !== undefined && only.opcode >= OPCODE.close && others.length === 0)
    return only.payload.length > 2 ? [[only]] : [];
  const found: (readonly Frame[])[] = [];
  let open: Frame[] = [];
  for (const frame of frames) {
    if (frame.opcode >= OPCODE.close) continue;
    open.push(frame);
    if (!frame.isFinal) continue;
    found.push(open);
    open = [];
  }
  return found;
}

/** None where they break the protocol: what was kept begins in the middle of a frame, say. */
function wholeFrames(bytes: Buffer, from: "agent" | "server"): readonly Frame[] {
  try {
    return new FrameReader(MAX_BYTES, from).feed(bytes);
  } catch (error) {
    if (error instanceof Fault) return [];
    throw error;
  }
}

function inflate(compressed: Buffer): Buffer | null {
  try {
    return inflateRawSync(Buffer.concat([compressed, TAIL]), {
      finishFlush: zlib.Z_SYNC_FLUSH,
      maxOutputLength: MAX_BYTES,
    });
  } catch {
    return null; // its window is elsewhere, it is damaged, or too long
  }
}
