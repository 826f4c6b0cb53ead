export type { AskedCall } from "./asked.ts";
export { chatToMessages, type ReplyTranslator } from "./chat-reply.ts";
export { messagesToChat, type TranslatedRequest } from "./chat-request.ts";
export { createDecoder } from "./decoder.ts";
export { type Refusal, refusal, websocketRefusal } from "./refusal.ts";
export { createReplyReader, type ReplyReader, type ReplyReading } from "./reply.ts";
export type {
  Decoded,
  Decoder,
  DecoderOptions,
  DialectName,
  Element,
  RawHeaders,
  RequestView,
  Role,
  TextPart,
} from "./request.ts";
export { workspacePath } from "./tool.ts";
export type { CalledTool } from "./unit.ts";
