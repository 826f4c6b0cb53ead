/** For tests: a gateway with one session, a ledger that remembers, destinations that record what reaches them. */
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type SecureContext,
  type TLSSocket,
  connect as tlsConnect,
  createServer as tlsServer,
} from "node:tls";
import { asSessionId, type EventBody, type LedgerEvent, type SessionId, systemClock } from "../core/index.ts";
import { createInspector } from "../inspect/index.ts";
import type { EvidenceInput } from "../ledger/index.ts";
import { layer, type Policy, parseDocument } from "../policy/index.ts";
import { newLeafKey, SessionAuthority } from "./certificate.ts";
import { type Gateway, type GatewayDependencies, type GatewaySession, openGateway } from "./index.ts";

export const SESSION = asSessionId("0123abcd") as SessionId;

export function policyOf(
  o: {
    readonly hosts?: readonly string[];
    readonly ports?: readonly number[];
    readonly isPrivate?: boolean;
    readonly rules?: string;
    /** Further sections of the document. */
    readonly more?: string;
  } = {},
): Policy {
  const hosts = JSON.stringify(o.hosts ?? ["*.example.com", "api.anthropic.com"]);
  return layer([
    parseDocument(
      `apiVersion: sallyport/v1
kind: Profile
metadata: { name: test, title: { en: For tests, zh-CN: 测试 }, version: 1, owner: The tester, review: 2027-05-31 }
sandbox: { mode: bubblewrap }
${o.more ?? ""}
network:
  default: deny
  allow:
    - id: known
      title: { en: Known hosts, zh-CN: 已知主机 }
      because: { en: Tests speak to them, zh-CN: 测试需要 }
      hosts: ${hosts}
      ports: ${JSON.stringify(o.ports ?? [443])}
      private: ${o.isPrivate ?? true}
send:
  default: allow
${o.rules ?? ""}`,
      "test.yaml",
    ),
  ]);
}

export const SECRET_RULE = `  rules:
    - id: no-secrets
      title: { en: Secrets stay here, zh-CN: 机密不外发 }
      because: { en: a leaked key is a lost key, zh-CN: 泄露即失效 }
      owner: Security
      when: { data: [secret] }
      then: deny
`;

export interface Entry {
  readonly body: EventBody;
  readonly evidence: Readonly<Record<string, Buffer>>;
}

export interface Rig {
  readonly gateway: Gateway;
  readonly socketPath: string;
  readonly caCertificate: string;
  readonly entries: Entry[];
  of<K extends EventBody["kind"]>(
    kind: K,
  ): (Extract<EventBody, { kind: K }> & { readonly kept: Entry["evidence"] })[];
  /** Resolves when so many events of the kind are there. */
  seen(kind: EventBody["kind"], count?: number): Promise<void>;
  sweep(): void;
  /** Monotonic milliseconds are moved on by so many. */
  pass(ms: number): void;
  close(): Promise<void>;
}

export async function startRig(
  o: Partial<GatewayDependencies> &
    Partial<Omit<GatewaySession, "id" | "socketPath">> & {
      readonly now?: () => number;
      readonly beforeAppend?: (body: EventBody) => Promise<void> | void;
    } = {},
): Promise<Rig> {
  const folder = mkdtempSync(join(tmpdir(), "gate-"));
  const socketPath = join(folder, "out.sock");
  const entries: Entry[] = [];
  const waiting = new Set<() => void>();
  let sweep = (): void => {};
  let skipped = 0;
  const append = async (
    body: EventBody,
    evidence: readonly EvidenceInput[] = [],
  ): Promise<{ index: number; event: LedgerEvent }> => {
    const kept = Object.fromEntries(evidence.map(({ role, chunks }) => [role, Buffer.concat(chunks)]));
    await o.beforeAppend?.(body);
    entries.push({ body, evidence: kept });
    for (const check of [...waiting]) check();
    return { index: entries.length - 1, event: { v: 1, at: 0, ...body } };
  };
  const gateway = openGateway({
    clock: { now: o.now ?? systemClock.now, monotonic: () => systemClock.monotonic() + skipped },
    append: o.append ?? append,
    inspector: o.inspector ?? createInspector({ key: Buffer.alloc(32, 7) }),
    placeholderKey: o.placeholderKey ?? Buffer.alloc(32, 8),
    lookup: o.lookup ?? (async () => ["127.0.0.1"]),
    extraRoots: o.extraRoots ?? [],
    ...(o.limits === undefined ? {} : { limits: o.limits }),
    ...(o.proxy === undefined ? {} : { proxy: o.proxy }),
    ...(o.documents === undefined ? {} : { documents: o.documents }),
    ...(o.onFault === undefined ? {} : { onFault: o.onFault }),
    ...(o.exceptions === undefined ? {} : { exceptions: o.exceptions }),
    ...(o.earlierToday === undefined ? {} : { earlierToday: o.earlierToday }),
    ...(o.keepException === undefined ? {} : { keepException: o.keepException }),
    tick: (callback) => {
      sweep = callback;
      return () => {};
    },
  });
  const { caCertificate } = await gateway.openSession({
    id: SESSION,
    agent: o.agent ?? "claude",
    policy: o.policy ?? policyOf(),
    socketPath,
    workspace: o.workspace ?? "/work",
    upstream: o.upstream ?? null,
    credentials: o.credentials ?? [],
    ...(o.principal === undefined ? {} : { principal: o.principal }),
    ...(o.language === undefined ? {} : { language: o.language }),
    ...(o.destinations === undefined ? {} : { destinations: o.destinations }),
    ...(o.tracer === undefined ? {} : { tracer: o.tracer }),
    ...(o.sentinels === undefined ? {} : { sentinels: o.sentinels }),
    label:
      o.label ??
      ((host) => ({
        destination: host,
        channel: host === "api.anthropic.com" ? "llm" : "other",
        serverIn: "US",
        operatorLaw: "US",
        trains: "no",
        dpa: "unknown",
      })),
  });
  const rig: Rig = {
    gateway,
    socketPath,
    caCertificate,
    entries,
    of: (kind) =>
      entries.flatMap(({ body, evidence }) =>
        body.kind === kind
          ? [{ ...(body as Extract<EventBody, { kind: typeof kind }>), kept: evidence }]
          : [],
      ),
    seen: (kind, count = 1) =>
      new Promise((resolve) => {
        const check = (): void => {
          if (entries.filter(({ body }) => body.kind === kind).length < count) return;
          waiting.delete(check);
          resolve();
        };
        waiting.add(check);
        check();
      }),
    sweep: () => sweep(),
    pass: (ms) => {
      skipped += ms;
      sweep();
    },
    close: async () => {
      await gateway.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return rig;
}

/** A certificate authority for destinations. */
export class World {
  readonly #authority = new SessionAuthority("destinations", newLeafKey(), () => Date.now(), 100);
  get root(): string {
    return this.#authority.certificate;
  }
  contextFor(host: string): SecureContext {
    return this.#authority.contextFor(host);
  }
}

export interface Destination {
  readonly port: number;
  /** All that came, over all connections. */
  readonly received: Buffer[];
  readonly connections: number;
  close(): Promise<void>;
}

/** A server on loopback that hands each connection's bytes to `serve`; TLS for `host` when a world is given. */
export async function startDestination(
  serve: (socket: Socket | TLSSocket, chunk: Buffer, sofar: Buffer) => void,
  secure?: { readonly world: World; readonly host: string; readonly alpn?: readonly string[] },
): Promise<Destination> {
  const received: Buffer[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  const onSocket = (socket: Socket | TLSSocket): void => {
    connections++;
    socket.setNoDelay(true);
    sockets.add(socket);
    let sofar: Buffer = Buffer.alloc(0);
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => {
      received.push(chunk);
      sofar = Buffer.concat([sofar, chunk]);
      serve(socket, chunk, sofar);
    });
  };
  const server: Server =
    secure === undefined
      ? createServer(onSocket)
      : tlsServer(
          {
            SNICallback: (_name, give) => give(null, secure.world.contextFor(secure.host)),
            ALPNProtocols: [...(secure.alpn ?? ["http/1.1"])],
          },
          onSocket,
        );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    received,
    get connections() {
      return connections;
    },
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

/** A raw connection to the session's socket. */
export class Wire {
  readonly socket: Socket | TLSSocket;
  #received: Buffer = Buffer.alloc(0);
  #waiting: (() => void)[] = [];
  #closed = false;

  constructor(socket: Socket | TLSSocket) {
    this.socket = socket;
    const wake = (): void => {
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const check of waiting) check();
    };
    socket.on("data", (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      wake();
    });
    socket.on("error", () => {});
    for (const event of ["close", "end"])
      socket.on(event, () => {
        this.#closed = true;
        wake();
      });
  }

  static async open(path: string): Promise<Wire> {
    const socket = connect(path);
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    return new Wire(socket);
  }

  /** A tunnel to an authority; with `ca`, TLS inside. Throws the refusal's text. */
  static async tunnel(
    path: string,
    authority: string,
    tls?: { readonly ca: string; readonly servername?: string; readonly alpn?: readonly string[] },
  ): Promise<Wire> {
    const plain = await Wire.open(path);
    plain.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
    const answer = await plain.until("\r\n\r\n");
    if (!answer.startsWith("HTTP/1.1 200")) throw new Error(answer + (await plain.all()));
    if (tls === undefined) {
      plain.#received = Buffer.alloc(0);
      return plain;
    }
    plain.socket.removeAllListeners("data");
    const host = authority.replace(/:\d+$/, "");
    const socket = tlsConnect({
      socket: plain.socket,
      ca: tls.ca,
      servername: tls.servername ?? host,
      ALPNProtocols: [...(tls.alpn ?? ["http/1.1"])],
    });
    await new Promise<void>((resolve, reject) => {
      socket.once("secureConnect", resolve);
      socket.once("error", reject);
    });
    return new Wire(socket);
  }

  write(bytes: string | Buffer): void {
    this.socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
  }

  get text(): string {
    return this.#received.toString("latin1");
  }

  get bytes(): Buffer {
    return this.#received;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  async #while(isPending: () => boolean): Promise<void> {
    while (isPending() && !this.#closed) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Everything so far, once it holds `text`; or what there is when the other side closed. */
  async until(text: string): Promise<string> {
    await this.#while(() => !this.text.includes(text));
    return this.text;
  }

  async untilBytes(count: number): Promise<Buffer> {
    await this.#while(() => this.#received.length < count);
    return this.#received;
  }

  /** Everything, once the other side has closed. */
  async all(): Promise<string> {
    await this.#while(() => true);
    return this.text;
  }

  close(): void {
    this.socket.destroy();
  }
}
