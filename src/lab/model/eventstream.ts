/** application/vnd.amazon.eventstream, as Bedrock sends its streams. */
import { crc32 } from "node:zlib";

/** InvokeModelWithResponseStream wraps the model's own event in a chunk. */
export const chunkFrame = (event: object | string): Buffer => {
  const text = typeof event === "string" ? event : JSON.stringify(event);
  return eventFrame("chunk", { bytes: Buffer.from(text).toString("base64") });
};

/** Total length, header length, their CRC; headers; payload; CRC of all before. */
export function eventFrame(type: string, data: object | string): Buffer {
  const headers = Buffer.concat([
    header(":event-type", type),
    header(":content-type", "application/json"),
    header(":message-type", "event"),
  ]);
  const payload = Buffer.from(typeof data === "string" ? data : JSON.stringify(data));
  const frame = Buffer.alloc(12 + headers.length + payload.length + 4);
  frame.writeUInt32BE(frame.length, 0);
  frame.writeUInt32BE(headers.length, 4);
  frame.writeUInt32BE(crc32(frame.subarray(0, 8)), 8);
  headers.copy(frame, 12);
  payload.copy(frame, 12 + headers.length);
  frame.writeUInt32BE(crc32(frame.subarray(0, -4)), frame.length - 4);
  return frame;
}

/** Name, the type of a text (7), its length, the text. */
function header(name: string, value: string): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(value.length);
  return Buffer.concat([Buffer.of(name.length), Buffer.from(name), Buffer.of(7), length, Buffer.from(value)]);
}
