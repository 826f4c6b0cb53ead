/**
 * The connections of one session to its destinations: kept for reuse within that session, never shared with another, as
 * some logins bind to the connection. Owns them all.
 */
import { authorityText } from "./authority.ts";
import type { Deadlines } from "./deadlines.ts";
import type { Destination, Dialled, Dialler } from "./dial.ts";
import type { Peer } from "./exchange.ts";
import type { Limits } from "./limits.ts";
import { PeerH1 } from "./peer-h1.ts";
import { PeerH2 } from "./peer-h2.ts";

interface Origin {
  readonly destination: Destination;
  /** The most recently used last: it is the least likely to be closed by the other side. */
  readonly idle: PeerH1[];
  /** Every connection, busy or idle. */
  readonly open: Set<PeerH1 | PeerH2>;
  h2: PeerH2 | null;
  /** An HTTP/2 dial under way that others wait for, so that fifty requests at once open one connection. */
  dialling: Promise<Peer | null> | null;
  /** It was asked by ALPN and does not offer HTTP/2. */
  isOnlyH1: boolean;
}

export class Peers {
  readonly #origins = new Map<string, Origin>();
  readonly #dialler: Dialler;
  readonly #limits: Limits;
  readonly #deadlines: Deadlines;
  #closed = false;

  constructor(dialler: Dialler, limits: Limits, deadlines: Deadlines) {
    this.#dialler = dialler;
    this.#limits = limits;
    this.#deadlines = deadlines;
  }

  /** A connection that can carry a request now. Throws what {@link Dialler.dial} throws. */
  take(destination: Destination, speaksH2: boolean): Peer | Promise<Peer> {
    const origin = this.#origin(destination);
    if (!speaksH2 || destination.scheme === "http" || origin.isOnlyH1) return this.#h1(origin);
    if (origin.h2?.isUsable === true) return origin.h2;
    origin.dialling ??= this.#openAny(origin).finally(() => {
      origin.dialling = null;
    });
    // Those who waited for HTTP/2 and found HTTP/1.1 need a connection each.
    return origin.dialling.then((h2) => h2 ?? this.#h1(origin));
  }

  #h1(origin: Origin): Peer | Promise<Peer> {
    for (let peer = origin.idle.pop(); peer !== undefined; peer = origin.idle.pop())
      if (peer.isUsable) return peer;
    return this.#dialler
      .dial(origin.destination, ["http/1.1"])
      .then((dialled) => this.#keepH1(origin, dialled));
  }

  /** An HTTP/2 connection; or null when the peer speaks HTTP/1.1, whose connection then lies idle. */
  async #openAny(origin: Origin): Promise<Peer | null> {
    const dialled = await this.#dialler.dial(origin.destination, ["h2", "http/1.1"]);
    if (dialled.protocol === "http/1.1") {
      origin.isOnlyH1 = true;
      origin.idle.push(this.#keepH1(origin, dialled));
      return null;
    }
    const { host, port } = origin.destination;
    const url = `https://${authorityText({ host, port }, 443)}`;
    const h2 = new PeerH2(dialled, url, this.#limits, this.#deadlines, (gone) => {
      if (origin.h2 === gone) origin.h2 = null;
      origin.open.delete(gone);
    });
    origin.h2 = h2;
    origin.open.add(h2);
    if (this.#closed) h2.close();
    return h2;
  }

  #keepH1(origin: Origin, dialled: Dialled): PeerH1 {
    const onIdle = (idle: PeerH1): void => void origin.idle.push(idle);
    const peer = new PeerH1(dialled, this.#limits, this.#deadlines, onIdle, (gone) => {
      origin.open.delete(gone);
      const at = origin.idle.indexOf(gone);
      if (at >= 0) origin.idle.splice(at, 1);
    });
    origin.open.add(peer);
    if (this.#closed) peer.close();
    return peer;
  }

  #origin(destination: Destination): Origin {
    const key = `${destination.scheme}://${destination.host}:${destination.port} ${destination.standsIn} ${destination.privateAddresses}`;
    let origin = this.#origins.get(key);
    if (origin === undefined) {
      origin = { destination, idle: [], open: new Set(), h2: null, dialling: null, isOnlyH1: false };
      this.#origins.set(key, origin);
    }
    return origin;
  }

  close(): void {
    this.#closed = true;
    for (const origin of this.#origins.values()) {
      for (const peer of origin.open) peer.close();
    }
    this.#origins.clear();
  }
}
