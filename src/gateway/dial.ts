/**
 * Opens connections to destinations. The gateway resolves names itself, checks every address, and dials the address it
 * checked. TLS is always verified: the system's roots, Node's, and those handed in.
 * Throws `gateway.unresolved`, `gateway.address-refused`, `gateway.unreachable`, `gateway.tls`, `gateway.timeout`.
 */
import { connect, isIP, type Socket } from "node:net";
import {
  createSecureContext,
  getCACertificates,
  type SecureContext,
  type TLSSocket,
  connect as tlsConnect,
} from "node:tls";
import { asFault, Fault } from "../core/index.ts";
import { reachOf } from "./address.ts";
import type { Deadlines } from "./deadlines.ts";
import { type ProxyChoice, passHop, proxyPort } from "./hop.ts";
import type { Limits } from "./limits.ts";

export interface Destination {
  readonly scheme: "http" | "https";
  readonly host: string;
  readonly port: number;
  /** Policy allows addresses of this machine and its networks for this host. */
  readonly privateAddresses: boolean;
  /** Named by the person as standing in for a vendor: any address will do. */
  readonly standsIn: boolean;
}

export interface Dialled {
  readonly socket: Socket | TLSSocket;
  readonly address: string;
  readonly tlsPeer: string | null;
  readonly protocol: "http/1.1" | "h2";
}

/** All addresses of a name, best first. */
export type Lookup = (host: string) => Promise<readonly string[]>;

/** getaddrinfo. The module is loaded at the first name: as an import it costs every start. */
export const systemLookup: Lookup = (host) =>
  new Promise((resolve, reject) => {
    process.getBuiltinModule("node:dns").lookup(host, { all: true, order: "verbatim" }, (error, found) => {
      if (error === null) resolve(found.map(({ address }) => address));
      else reject(error);
    });
  });

/** Owns the trusted roots and the TLS sessions for resumption. One per session of an agent. */
export class Dialler {
  readonly #lookup: Lookup;
  readonly #limits: Limits;
  readonly #deadlines: Deadlines;
  readonly #roots: () => SecureContext;
  readonly #proxy: ProxyChoice;
  readonly #tickets = new Map<string, Buffer>();

  constructor(o: {
    readonly lookup: Lookup;
    readonly proxy: ProxyChoice;
    readonly limits: Limits;
    readonly deadlines: Deadlines;
    readonly roots: () => SecureContext;
  }) {
    this.#lookup = o.lookup;
    this.#limits = o.limits;
    this.#deadlines = o.deadlines;
    this.#roots = o.roots;
    this.#proxy = o.proxy;
  }

  async dial(destination: Destination, protocols: readonly string[]): Promise<Dialled> {
    // Stopped when the connection stands: what it carries then has limits of its own.
    const late = new AbortController();
    const limit = this.#deadlines.start(this.#limits.connectMs, () => late.abort());
    try {
      return await this.#dial(destination, protocols, late.signal);
    } finally {
      limit.stop();
    }
  }

  async #dial(
    destination: Destination,
    protocols: readonly string[],
    deadline: AbortSignal,
  ): Promise<Dialled> {
    const proxy = destination.standsIn
      ? null
      : this.#proxy(destination.scheme, destination.host, destination.port);
    const addresses =
      proxy === null
        ? await this.#addresses(destination, deadline)
        : await this.#proxyAddresses(proxy, destination, deadline);
    let last: unknown;
    for (const address of addresses) {
      try {
        const opened = await this.#open(
          address,
          proxy === null ? destination.port : proxyPort(proxy),
          deadline,
        );
        const socket = proxy === null ? opened : await this.#pass(opened, proxy, destination, deadline);
        if (destination.scheme === "http") return { socket, address, tlsPeer: null, protocol: "http/1.1" };
        return await this.#secure(socket, address, destination, protocols, deadline);
      } catch (error) {
        // A peer whose certificate is wrong is not asked again at its next address: that is what an attacker needs.
        if (error instanceof Fault || deadline.aborted) throw error;
        last = error;
      }
    }
    throw new Fault("gateway.unreachable", {
      detail: proxy === null ? reasonOf(last) : `the proxy of your organisation: ${reasonOf(last)}`,
      at: proxy === null ? `${destination.host}:${destination.port}` : proxy.host,
      ...(proxy === null ? {} : { remedy: CHECK_PROXY }),
      cause: last,
    });
  }

  /** The proxy's own addresses; a destination that is itself an address is checked all the same. */
  async #proxyAddresses(
    proxy: URL,
    destination: Destination,
    deadline: AbortSignal,
  ): Promise<readonly string[]> {
    if (isIP(destination.host) !== 0) await this.#addresses(destination, deadline);
    const host = proxy.hostname.replace(/^\[|\]$/g, "");
    return isIP(host) !== 0 ? [host] : within(this.#resolve(host), deadline, host);
  }

  async #pass(opened: Socket, proxy: URL, destination: Destination, deadline: AbortSignal): Promise<Socket> {
    const host = proxy.hostname.replace(/^\[|\]$/g, "");
    const hop = {
      scheme: "https",
      host,
      port: proxyPort(proxy),
      privateAddresses: true,
      standsIn: true,
    } as const;
    const socket =
      proxy.protocol === "https:"
        ? (await this.#secure(opened, "", hop, ["http/1.1"], deadline).catch(asProxys)).socket
        : opened;
    const late = (): void => void socket.destroy();
    deadline.addEventListener("abort", late, { once: true });
    try {
      await passHop(socket, proxy, destination);
      return socket;
    } catch (error) {
      socket.destroy();
      throw deadline.aborted ? timeoutFault(host) : error;
    } finally {
      deadline.removeEventListener("abort", late);
    }
  }

  async #addresses(destination: Destination, deadline: AbortSignal): Promise<readonly string[]> {
    const { host } = destination;
    const all = isIP(host) !== 0 ? [host] : await within(this.#resolve(host), deadline, host);
    const allowed = destination.standsIn
      ? all
      : all.filter((address) => {
          const reach = reachOf(address);
          return reach === "public" || (reach === "private" && destination.privateAddresses);
        });
    if (allowed.length > 0) return allowed;
    const detail = all.length === 0 ? "the name has no address" : `${all[0]} is not a public address`;
    throw new Fault(all.length === 0 ? "gateway.unresolved" : "gateway.address-refused", {
      detail,
      at: host,
    });
  }

  async #resolve(host: string): Promise<readonly string[]> {
    try {
      return await this.#lookup(host);
    } catch (error) {
      throw new Fault("gateway.unresolved", { detail: reasonOf(error), at: host, cause: error });
    }
  }

  #open(address: string, port: number, deadline: AbortSignal): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: address, port, noDelay: true, autoSelectFamily: false });
      // For the moments in which it changes hands.
      socket.on("error", () => {});
      const stop = (): void => {
        one.stop();
        deadline.removeEventListener("abort", late);
        socket.removeListener("error", give);
      };
      const give = (error: Error): void => {
        stop();
        socket.destroy();
        reject(error);
      };
      const late = (): void => give(timeoutFault(address));
      const one = this.#deadlines.start(this.#limits.connectOneMs, () => give(new Error("no answer")));
      deadline.addEventListener("abort", late, { once: true });
      socket.once("error", give);
      socket.once("connect", () => {
        stop();
        resolve(socket);
      });
    });
  }

  #secure(
    raw: Socket,
    address: string,
    destination: Destination,
    protocols: readonly string[],
    deadline: AbortSignal,
  ): Promise<Dialled> {
    const { host, port } = destination;
    const key = `${host}:${port} ${protocols.join()}`;
    const ticket = this.#tickets.get(key);
    return new Promise((resolve, reject) => {
      const socket = tlsConnect({
        socket: raw,
        host,
        ...(isIP(host) === 0 ? { servername: host } : {}),
        secureContext: this.#roots(),
        ALPNProtocols: [...protocols],
        ...(ticket === undefined ? {} : { session: ticket }),
      });
      const give = (error: Error): void => {
        deadline.removeEventListener("abort", late);
        this.#tickets.delete(key);
        socket.destroy();
        reject(error);
      };
      const late = (): void => give(timeoutFault(host));
      const fail = (error: Error): void => give(tlsFault(error, `${host}:${port}`));
      deadline.addEventListener("abort", late, { once: true });
      socket.once("error", fail);
      socket.on("session", (session) => this.#tickets.set(key, session));
      socket.once("secureConnect", () => {
        deadline.removeEventListener("abort", late);
        socket.removeListener("error", fail);
        const tlsPeer =
          socket.getPeerX509Certificate()?.fingerprint256.replaceAll(":", "").toLowerCase() ?? null;
        resolve({ socket, address, tlsPeer, protocol: socket.alpnProtocol === "h2" ? "h2" : "http/1.1" });
      });
    });
  }
}

const CHECK_PROXY =
  "check the proxy variables (https_proxy, http_proxy, all_proxy, no_proxy), then `sallyport down`: the station reads them as it starts";

/** What went wrong with the proxy is not said of the destination. */
function asProxys(error: unknown): never {
  const { code, detail, at, remedy } = asFault(error);
  const because = { detail: `at the proxy of your organisation: ${detail ?? ""}`, cause: error, remedy };
  throw new Fault(code, at === undefined ? because : { ...because, at });
}

/** The roots that destinations are verified against: Node's, the system's, and `extra` (PEM). */
export function trustedRoots(extra: readonly string[]): SecureContext {
  return createSecureContext({
    ca: [...new Set([...getCACertificates("default"), ...getCACertificates("system"), ...extra])],
    minVersion: "TLSv1.2",
  });
}

const timeoutFault = (at: string): Fault =>
  new Fault("gateway.timeout", { detail: "no connection in time", at });

function tlsFault(error: Error, at: string): Fault {
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  const isReset = code === "ECONNRESET" || code === "EPIPE";
  return new Fault(isReset ? "gateway.broken" : "gateway.tls", { detail: reasonOf(error), at, cause: error });
}

/** One line of an error of the system: its code, or its message without what follows the first line. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown";
  return "code" in error && typeof error.code === "string"
    ? error.code
    : (error.message.split("\n")[0] ?? "unknown");
}

function within<T>(promise: Promise<T>, deadline: AbortSignal, at: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = (): void => reject(timeoutFault(at));
    deadline.addEventListener("abort", late, { once: true });
    promise.then(resolve, reject).finally(() => deadline.removeEventListener("abort", late));
  });
}
