/**
 * A request put on another way: to a model server of our own, in the protocol the agent speaks, or translated where the
 * server speaks another. Else three things differ from what came: where it goes, the model it names, and whose credential
 * it bears. The agent's own credentials, its cookies
 * and what only its vendor's service understands do not go there.
 */
import { Fault } from "../core/index.ts";
import { type Decoded, messagesToChat } from "../dialect/index.ts";
import type { Inbound } from "./exchange.ts";
import { headText, type RawHeaders } from "./head.ts";
import type { Way } from "./reroute.ts";
import { hostText } from "./target.ts";

/** Credentials of the agent's, and switches of its vendor's service. */
const STAYS =
  /^(?:authorization|proxy-authorization|x-api-key|api-key|x-goog-api-key|cookie|openai-organization|openai-project|chatgpt-account-id|anthropic-beta|expect)$/i;

/** Says something of the protocol that is left, or asks for a coding that the translator would have to undo. */
const OTHER_PROTOCOL = /^(?:anthropic-|accept-encoding$)/i;

export function detour(
  inbound: Inbound,
  way: Way,
  content: Buffer,
  decoded: Decoded,
): { readonly inbound: Inbound; readonly content: Buffer; readonly way: Way } {
  const { target, sentinel } = way;
  const kept = inbound.headers.filter(
    ([name]) =>
      !STAYS.test(name) && name.toLowerCase() !== "host" && !(way.translates && OTHER_PROTOCOL.test(name)),
  );
  const headers: RawHeaders = [
    ["Host", hostText(target)],
    ...kept,
    ...(sentinel === null ? [] : credential(way.speech, sentinel)),
  ];
  const gone = { ...inbound, door: "plain" as const, target, headers };
  if (!way.translates) return { inbound: gone, content: withModel(content, decoded, way.model), way };
  const { body, dropped } = messagesToChat(content, way.model);
  return { inbound: gone, content: body, way: { ...way, dropped } };
}

/** Evidence is the head as it goes there, not the one that came. */
export const withOwnHead = (inbound: Inbound): Inbound => ({
  ...inbound,
  head: Buffer.from(headText(`${inbound.method} ${inbound.target.path} HTTP/1.1`, inbound.headers), "latin1"),
});

const credential = (speech: Way["speech"], sentinel: string): RawHeaders => [
  // Servers that speak Messages look for either; a bearer token is what all of them take.
  ["Authorization", `Bearer ${sentinel}`],
  ...(speech === "anthropic-messages" ? ([["x-api-key", sentinel]] as const) : []),
];

/** The body with another model's name, all other bytes as they were. */
function withModel(content: Buffer, decoded: Decoded, model: string | null): Buffer {
  if (model === null || model === decoded.model) return content;
  const at = decoded.elements.find(({ pointer }) => pointer === "/model");
  if (at === undefined)
    throw new Fault("gateway.unroutable", { detail: "the body names no model that could be changed" });
  return Buffer.concat([
    content.subarray(0, at.start),
    Buffer.from(JSON.stringify(model)),
    content.subarray(at.end),
  ]);
}
