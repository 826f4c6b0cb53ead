/**
 * A reply on its way to an agent that speaks another protocol than the server: a `Reply` in front of the agent's own. The
 * server was asked for no content coding; whatever it sends is read, turned round and framed anew. What is kept as evidence
 * is taken before this.
 */
import { chatToMessages, type ReplyTranslator } from "../dialect/index.ts";
import type { Refusal, Reply } from "./exchange.ts";
import { headerOf, headText, type RawHeaders, type ReplyHead } from "./head.ts";

/** What is said of the server's bytes, or of its vendor's account, and not of the reply. */
const GOES = /^(?:content-|transfer-encoding|trailer|etag|openai-|x-ratelimit-)/i;

export function translating(reply: Reply, model: string | null): Reply {
  let translator: ReplyTranslator | null = null;
  let isCut = false;
  const write = (text: string): boolean => {
    if (text === "") return true;
    const content = Buffer.from(text);
    const wire = Buffer.concat([
      Buffer.from(`${content.length.toString(16)}\r\n`, "latin1"),
      content,
      Buffer.from("\r\n", "latin1"),
    ]);
    const goesOn = reply.data(wire, [content]);
    reply.flush();
    return goesOn;
  };
  return {
    get isBegun() {
      return reply.isBegun;
    },
    get isGone() {
      return reply.isGone;
    },
    informational: () => {},
    head: (head: ReplyHead) => {
      translator = chatToMessages(head.status, headerOf(head.headers, "content-type") ?? "", model);
      const headers: RawHeaders = [
        ...head.headers.filter(([name]) => !GOES.test(name)),
        ["Content-Type", translator.contentType],
        ["Transfer-Encoding", "chunked"],
      ];
      reply.head({ ...head, headers, framing: { kind: "chunked" } });
    },
    data: (_wire, content) => {
      let goesOn = true;
      for (const piece of content) goesOn = write(translator?.push(piece) ?? "") && goesOn;
      return goesOn;
    },
    flush: () => reply.flush(),
    end: () => {
      const rest = translator?.end() ?? { text: "", isWhole: false };
      write(rest.text);
      // An agent must not take half a reply for a whole one: after the error event the stream is cut.
      if (!rest.isWhole) {
        isCut = true;
        reply.cut();
        return;
      }
      reply.data(Buffer.from(headText("0", []), "latin1"), []);
      reply.end([]);
    },
    cut: () => void (isCut || reply.cut()),
    refuse: (refusal: Refusal) => reply.refuse(refusal),
    onDrain: (callback) => reply.onDrain(callback),
    onGone: (callback) => reply.onGone(callback),
    takeSocket: () => reply.takeSocket(),
  };
}
