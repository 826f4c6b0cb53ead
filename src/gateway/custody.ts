/**
 * Credential custody: the agent holds a sentinel, good for one session and the hosts it is bound to; the real credential
 * is put in here, in the last step before the wire, and is in no record. Looked for in header values (Basic included)
 * and the request target.
 *
 * A sentinel in a header or target for any other host, or in a body for a host it is not bound to, is an incident: the
 * request is refused and recorded under `gateway.sentinel`. In a body for its own hosts it passes, as it is worth nothing.
 * To a server that stands in for the vendor's it goes as it is: the vendor's key is none of that server's business,
 * unless its host is named too.
 */
import { Fault, type Secret } from "../core/index.ts";
import type { RawHeaders } from "./head.ts";

export interface Credential {
  /** What the profile calls it. */
  readonly name: string;
  /** What the agent was given; made by {@link sentinelFor}. */
  readonly sentinel: string;
  readonly secret: Secret;
  /** Lower-case hosts it may be used for; `*.suffix` for every name below. */
  readonly hosts: readonly string[];
}

/** Common to all sentinels, so that one search finds any. */
const MARK = "sallyport0";
const MARK_BYTES = Buffer.from(MARK);

/**
 * The same end for all: Claude Code asks its user once about each key that it does not know, and knows keys by their last
 * 20 characters; with a random end it would ask in every session.
 */
const TAIL = "-held-by-the-gateway";

/**
 * A sentinel that looks like a key of its vendor to programs that check: `prefix` (for example `sk-ant-api03-`), the
 * mark, 32 hexadecimal digits, a fixed end. `random` gives cryptographic randomness.
 */
export function sentinelFor(prefix: string, random: (bytes: number) => Buffer): string {
  return `${prefix}${MARK}${random(16).toString("hex")}${TAIL}`;
}

export class Custody {
  readonly #credentials: readonly Credential[];

  constructor(credentials: readonly Credential[]) {
    for (const { sentinel, name } of credentials)
      if (!/^[\x21-\x7e]+$/.test(sentinel) || !sentinel.includes(MARK))
        throw new Fault("internal.bug", {
          detail: `the sentinel of \`${name}\` was not made by sentinelFor`,
        });
    this.#credentials = credentials;
  }

  /** Throws `gateway.sentinel` when one is on its way to where it does not belong. */
  check(host: string, path: string, headers: RawHeaders, content: Buffer): void {
    if (this.#credentials.length === 0) return;
    const texts = [path, decoded(path), ...headers.map(([, value]) => plainOf(value))].filter((text) =>
      text.includes(MARK),
    );
    const inBody = content.includes(MARK_BYTES);
    if (texts.length === 0 && !inBody) return;
    for (const { name, sentinel, hosts } of this.#credentials) {
      if (isBound(hosts, host)) continue;
      if (texts.some((text) => text.includes(sentinel)) || (inBody && content.includes(sentinel)))
        throw new Fault("gateway.sentinel", {
          detail: `\`${name}\` was sent to a host it is not for`,
          at: host,
        });
    }
  }

  /** Whether a sentinel stands in a header's value; that it may is for `check` to say. */
  isSentinel(value: string): boolean {
    return this.#credentials.length > 0 && plainOf(value).includes(MARK);
  }

  /** Headers and path with the real credentials of `host` in the place of their sentinels. */
  swap(
    host: string,
    path: string,
    headers: RawHeaders,
  ): { readonly path: string; readonly headers: RawHeaders } {
    const mine = this.#credentials.filter(({ hosts }) => isBound(hosts, host));
    if (mine.length === 0) return { path, headers };
    return {
      path: mine.reduce(
        (text, { sentinel, secret }) => text.replaceAll(sentinel, () => encodeURIComponent(secret.reveal())),
        path,
      ),
      headers: headers.map((field) => {
        const [name, value] = field;
        if (!plainOf(value).includes(MARK)) return field;
        const put = (text: string): string =>
          mine.reduce(
            (sofar, { sentinel, secret }) => sofar.replaceAll(sentinel, () => secret.reveal()),
            text,
          );
        const basic = BASIC.exec(value);
        return [
          name,
          basic === null ? put(value) : `${basic[1]}${toBase64(put(fromBase64(basic[2] ?? "")))}`,
        ] as const;
      }),
    };
  }
}

const BASIC = /^(basic +)([A-Za-z0-9+/=_-]+)$/i;
const fromBase64 = (text: string): string => Buffer.from(text, "base64").toString("latin1");
const toBase64 = (text: string): string => Buffer.from(text, "latin1").toString("base64");

/** A header value with Basic credentials in the clear. */
function plainOf(value: string): string {
  const basic = BASIC.exec(value);
  return basic === null ? value : fromBase64(basic[2] ?? "");
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    // Not an escape sequence: what stands there is searched as it is.
    return path;
  }
}

const isBound = (hosts: readonly string[], host: string): boolean =>
  hosts.some((pattern) => (pattern.startsWith("*.") ? host.endsWith(pattern.slice(1)) : host === pattern));
