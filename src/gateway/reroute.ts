/**
 * Another way for what may not go where the agent meant it to: one of our own model servers, which the policy's rule
 * names. Found here; judged again with that server's labels, and carried out by detour.ts.
 */
import { Fault, type Secret } from "../core/index.ts";
import type { Decoded, DialectName } from "../dialect/index.ts";
import type { Target } from "./exchange.ts";
import type { About } from "./matter.ts";
import type { DestinationLabels, GatewaySession } from "./session.ts";
import type { Standing } from "./standing.ts";

/** What a model server of our own may be spoken to in. */
export type Speech = Extract<DialectName, "anthropic-messages" | "openai-chat" | "openai-responses">;

/** A model server of the organisation's own, under the name that rules give in `rerouteTo`. */
export interface OwnDestination {
  readonly name: string;
  /** What stands before `/v1/messages`, `/v1/chat/completions`, `/v1/responses`. */
  readonly url: URL;
  /** In the order of preference. */
  readonly speaks: readonly Speech[];
  /** The model to ask for in the place of the one the agent names; null: the same name. */
  readonly model: (asked: string | null) => string | null;
  readonly labels: DestinationLabels;
  /** Its credential; null: it wants none. */
  readonly secret: Secret | null;
}

/** Where it goes instead, and how it is spoken to there. */
export interface Way {
  readonly name: string;
  readonly target: Target;
  readonly labels: DestinationLabels;
  readonly model: string | null;
  /** What it is spoken to in. */
  readonly speech: Speech;
  /** The agent speaks Messages and the server Chat Completions: both ways are translated. */
  readonly translates: boolean;
  /** What of the request has no word there and was left out; known once it is translated. */
  readonly dropped: readonly string[];
  /** Bearer token to send; a sentinel that custody swaps. */
  readonly sentinel: string | null;
}

const PATHS: Readonly<Record<Speech, string>> = {
  "anthropic-messages": "/v1/messages",
  "openai-chat": "/v1/chat/completions",
  "openai-responses": "/v1/responses",
};
const COUNTS = /\/messages\/count_tokens$/;

/** The first of `names` that there is, that can be spoken to, and that no rule of policy keeps out of reach; or why none. */
export function findWay(
  names: readonly string[],
  about: About,
  decoded: Decoded,
  session: GatewaySession,
  standing: Standing,
): Way | Fault {
  const reasons: string[] = [];
  for (const name of names) {
    const own = session.destinations?.get(name);
    const found =
      own === undefined
        ? `no own server is set up under the name \`${name}\``
        : wayTo(own, about, decoded, session.sentinels?.get(name) ?? null, standing);
    if (typeof found !== "string") return found;
    reasons.push(found);
  }
  return new Fault("gateway.unroutable", { detail: reasons.join("; ") });
}

function wayTo(
  own: OwnDestination,
  about: About,
  decoded: Decoded,
  sentinel: string | null,
  standing: Standing,
): Way | string {
  const { host, port, scheme } = originOf(own.url);
  const connection = standing.connection(host, port);
  // The rule that names the server is what lets it be reached; a rule that names the host and denies it still counts.
  if (connection.verdict === "deny" && !connection.rules.every(({ id }) => id === "network.default"))
    return `\`${own.name}\` is refused by rule \`${connection.rules[0]?.id ?? ""}\``;
  const speech = speechFor(own, about, decoded);
  if (speech === null)
    return `\`${own.name}\` speaks ${own.speaks.join(", ")}, which ${wordOf(decoded.dialect, about)} cannot be put into`;
  const counts = COUNTS.test(about.target.path.split("?", 1)[0] ?? "");
  return {
    name: own.name,
    target: {
      scheme,
      host,
      port,
      path: `${own.url.pathname.replace(/\/(v1\/?)?$/, "")}${PATHS[speech]}${counts ? "/count_tokens" : ""}`,
    },
    labels: own.labels,
    model: own.model(decoded.model) ?? decoded.model,
    speech,
    translates: speech !== decoded.dialect,
    dropped: [],
    sentinel,
  };
}

const wordOf = (dialect: DialectName, about: About): string =>
  about.protocol === "websocket" ? "a WebSocket" : dialect === "opaque" ? "such a request" : `\`${dialect}\``;

function speechFor(own: OwnDestination, about: About, decoded: Decoded): Speech | null {
  if (about.protocol === "websocket" || !decoded.understood) return null;
  const path = about.target.path.split("?", 1)[0] ?? "";
  if (
    about.method !== "POST" ||
    !/\/(messages|messages\/count_tokens|chat\/completions|responses)$/.test(path)
  )
    return null;
  const same = own.speaks.find((speech) => speech === decoded.dialect);
  if (same !== undefined) return same;
  // Counting is the server's own business: there is nothing to translate it into.
  const translates = decoded.dialect === "anthropic-messages" && !COUNTS.test(path);
  return translates && own.speaks.includes("openai-chat") ? "openai-chat" : null;
}

export function originOf(url: URL): Pick<Target, "scheme" | "host" | "port"> {
  const scheme = url.protocol === "https:" ? "https" : "http";
  return {
    scheme,
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? (scheme === "https" ? 443 : 80) : Number(url.port),
  };
}
