// What is kept of a WebSocket, as messages: one exchange's frames and no more.
import { constants, createDeflateRaw, deflateRawSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { messagesIn } from "./frames.ts";

function frame(payload: Buffer | string, o: { opcode?: number; fin?: boolean; rsv1?: boolean } = {}): Buffer {
  const bytes = Buffer.from(payload);
  const first = (o.fin === false ? 0 : 0x80) | (o.rsv1 === true ? 0x40 : 0) | (o.opcode ?? 1);
  const long = Buffer.alloc(10);
  long[0] = first;
  long[1] = 127;
  long.writeBigUInt64BE(BigInt(bytes.length), 2);
  return Buffer.concat([bytes.length < 126 ? Buffer.from([first, bytes.length]) : long, bytes]);
}
const MASK = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);
/** The masked frame of RFC 6455 5.7. */
const HELLO = Buffer.from([0x81, 0x85, ...MASK, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
const textsIn = (bytes: Buffer, from: "agent" | "server" = "server"): readonly string[] | undefined =>
  messagesIn(bytes, from)?.map((one) => one.toString("utf8"));
const squeezed = (text: string): Buffer =>
  deflateRawSync(text, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);

describe("messages", () => {
  it("RFC 6455 5.7: a masked `Hello` of an agent, fragments of a server", () => {
    expect(textsIn(HELLO, "agent")).toEqual(["Hello"]);
    const fragments = [frame("Hel", { fin: false }), frame("x", { opcode: 9 }), frame("lo", { opcode: 0 })];
    expect(textsIn(Buffer.concat(fragments))).toEqual(["Hello"]);
  });

  it("RFC 7692 7.2.3.2: a second message in the window of the first", () => {
    const first = Buffer.from("f248cdc9c90700", "hex");
    const second = Buffer.from("f200110000", "hex");
    expect(textsIn(Buffer.concat([frame(first, { rsv1: true }), frame(second, { rsv1: true })]))).toEqual([
      "Hello",
      "Hello",
    ]);
    expect(textsIn(frame(second, { rsv1: true })), "its window is in another exchange").toBeUndefined();
  });

  it("any messages, however they are fragmented and whichever are compressed, come back", () => {
    const message = fc.record({ text: fc.string({ maxLength: 400 }), at: fc.nat(), isSmall: fc.boolean() });
    fc.assert(
      fc.property(fc.array(message, { minLength: 1, maxLength: 8 }), (messages) => {
        const wire = messages.flatMap(({ text, at, isSmall }) => {
          const payload = isSmall ? squeezed(text) : Buffer.from(text);
          const cut = at % (payload.length + 1);
          return [
            frame(payload.subarray(0, cut), { fin: false, rsv1: isSmall }),
            frame(payload.subarray(cut), { opcode: 0 }),
          ];
        });
        expect(textsIn(Buffer.concat(wire))).toEqual(
          messages.map(({ text }) => Buffer.from(text).toString()),
        );
      }),
    );
  });

  it("one window through many messages, as an agreed compression has it", async () => {
    const stream = createDeflateRaw();
    const wire: Buffer[] = [];
    const texts = Array.from(
      { length: 20 },
      (_, i) => `{"type":"response.output_text.delta","delta":"word ${i}"}`,
    );
    for (const text of texts) {
      const pieces: Buffer[] = [];
      stream.on("data", (piece: Buffer) => pieces.push(piece));
      stream.write(text);
      await new Promise<void>((resolve) => stream.flush(constants.Z_SYNC_FLUSH, () => resolve()));
      stream.removeAllListeners("data");
      wire.push(frame(Buffer.concat(pieces).subarray(0, -4), { rsv1: true }));
    }
    expect(textsIn(Buffer.concat(wire))).toEqual(texts);
    expect(textsIn(Buffer.concat(wire.slice(1)))).toBeUndefined();
  });
});

describe("what cannot be read is said to be", () => {
  it.each([
    [
      "a bomb",
      frame(deflateRawSync(Buffer.alloc(20 << 20), { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4), {
        rsv1: true,
      }),
    ],
    ["damaged compression", frame(Buffer.alloc(300, 0xff), { rsv1: true })],
    ["the rest of a frame that began before", Buffer.from(`ext that goes on${"x".repeat(200)}`)],
    ["a frame that has no end", frame("x".repeat(500)).subarray(0, 400)],
  ])("%s", (_name, bytes) => {
    expect(messagesIn(bytes, "server")).toBeNull();
  });

  it("a status says nothing; the words of a control frame are its message", () => {
    const agent = (opcode: number, text: string): Buffer =>
      Buffer.from([0x80 | opcode, 0x80 | text.length, 0, 0, 0, 0, ...Buffer.from(text)]);
    expect(messagesIn(agent(8, "\u0003"), "agent")).toEqual([]);
    expect(textsIn(agent(9, "a note"), "agent")).toEqual(["a note"]);
    expect(messagesIn(Buffer.alloc(0), "server")).toEqual([]);
  });
});
