/** application/vnd.amazon.eventstream, as Bedrock's InvokeModelWithResponseStream sends it: one chunk event for each. */
import { crc32 } from "node:zlib";

const HEADERS = Buffer.concat(
  [
    [":event-type", "chunk"],
    [":content-type", "application/json"],
    [":message-type", "event"],
  ].map(([name = "", value = ""]) => {
    const length = Buffer.alloc(2);
    length.writeUInt16BE(value.length);
    return Buffer.concat([
      Buffer.of(name.length),
      Buffer.from(name),
      Buffer.of(7),
      length,
      Buffer.from(value),
    ]);
  }),
);

/** Total length, header length, their CRC; headers; payload; CRC of all before. */
export function chunkFrame(event: object | string): Buffer {
  const bytes = Buffer.from(typeof event === "string" ? event : JSON.stringify(event)).toString("base64");
  const payload = Buffer.from(JSON.stringify({ bytes }));
  const frame = Buffer.alloc(12 + HEADERS.length + payload.length + 4);
  frame.writeUInt32BE(frame.length, 0);
  frame.writeUInt32BE(HEADERS.length, 4);
  frame.writeUInt32BE(crc32(frame.subarray(0, 8)), 8);
  HEADERS.copy(frame, 12);
  payload.copy(frame, 12 + HEADERS.length);
  frame.writeUInt32BE(crc32(frame.subarray(0, -4)), frame.length - 4);
  return frame;
}
