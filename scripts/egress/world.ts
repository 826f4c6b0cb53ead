/**
 * The world behind the gateway, for a bench: one recording server on loopback that is every destination at once. It
 * answers TLS for any name, plain HTTP and WebSocket, on every port.
 *
 * The gateway runs as it is: it looks names up (in a table here), checks the addresses, and dials. Only then is the TCP
 * connection led to the recording server, as a router would, so that a private address that slipped through its check
 * would show as something that arrived. This changes `net.connect` of the process until `close`.
 */
import { createServer as httpServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as httpsServer } from "node:https";
import { syncBuiltinESMExports } from "node:module";
import net, { type AddressInfo, type Socket } from "node:net";
import { WebSocketServer } from "ws";
import { newLeafKey, SessionAuthority } from "../../src/gateway/certificate.ts";
import type { Said } from "./case.ts";

export interface Arrival {
  readonly what: "request" | "message";
  readonly host: string;
}

export interface World {
  /** PEM of the authority that vouches for every destination. */
  readonly root: string;
  /** What arrived since the last `clear`. */
  readonly arrived: readonly Arrival[];
  readonly lookup: (host: string) => Promise<readonly string[]>;
  /** Forgets what arrived; from now on requests are answered with these in turn, and then with the last. */
  clear(replies: readonly Said[], rebinds: boolean): void;
  close(): Promise<void>;
}

/** Any public unicast address: nothing is ever sent to it. */
const PUBLIC_ADDRESS = "93.184.215.14";
const TLS_HANDSHAKE = 0x16;
/** What every WebSocket message is answered with. */
export const RECEIVED = "received";

export async function openWorld(): Promise<World> {
  const authority = new SessionAuthority("destinations", newLeafKey(), () => Date.now(), 1000);
  const arrived: Arrival[] = [];
  let replies: readonly Said[] = [];
  let rebinds = false;
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    // Whatever begins to arrive has arrived, also if its end never does.
    const place = arrived.push({ what: "request", host: request.headers.host ?? "" }) - 1;
    request.resume().on("end", () => {
      const reply = replies[place] ?? replies.at(-1);
      const { type, body } = reply ?? { type: "text/plain", body: Buffer.alloc(0) };
      response.writeHead(200, { "content-type": type, "content-length": body.length }).end(body);
    });
  };
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  const plain = httpServer(answer);
  const secure = httpsServer(
    { SNICallback: (name, give) => give(null, authority.contextFor(name)), ALPNProtocols: ["http/1.1"] },
    answer,
  );
  for (const server of [plain, secure])
    server.on("upgrade", (request: IncomingMessage, socket: Socket, head: Buffer) =>
      sockets.handleUpgrade(request, socket, head, (webSocket) => {
        const host = request.headers.host ?? "";
        const take = (): void => {
          arrived.push({ what: "message", host });
          webSocket.send(RECEIVED);
        };
        webSocket.on("message", take);
        webSocket.on("ping", take);
        webSocket.on("pong", take);
        // A reason for closing can carry as much as a message of its length.
        webSocket.on("close", (_code, reason) => {
          if (reason.length > 0) arrived.push({ what: "message", host });
        });
        webSocket.on("error", () => {}); // a gateway that cuts a conversation is what the bench looks for
      }),
    );
  const open = new Set<Socket>();
  const front = net.createServer((socket) => {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    socket.on("error", () => {});
    socket.once("data", (first: Buffer) => {
      socket.pause();
      socket.unshift(first);
      const isSecure = first[0] === TLS_HANDSHAKE;
      (isSecure ? secure : plain).emit("connection", socket);
      // TLS takes what was put back by itself.
      if (!isSecure) process.nextTick(() => socket.resume());
    });
  });
  await new Promise<void>((resolve) => front.listen(0, "127.0.0.1", resolve));
  // A listening TCP server always has an AddressInfo.
  const restore = leadConnectionsTo((front.address() as AddressInfo).port);
  return {
    root: authority.certificate,
    arrived,
    lookup: async (host) => [rebinds ? "127.0.0.1" : addressOf(host)],
    clear: (next, doesRebind) => {
      arrived.length = 0;
      replies = next;
      rebinds = doesRebind;
    },
    close: async () => {
      restore();
      for (const socket of open) socket.destroy();
      sockets.close();
      await new Promise<void>((resolve) => front.close(() => resolve()));
    },
  };
}

/** What a resolver says: names of this machine (RFC 6761), names that spell an address, and everything else. */
function addressOf(host: string): string {
  if (/(^|\.)localhost$/.test(host)) return "127.0.0.1";
  if (/^metadata(\.google\.internal)?$/.test(host)) return "169.254.169.254";
  // Public names that lead to this machine, made for developers.
  if (/(^|\.)(?:localtest\.me|lvh\.me|vcap\.me)$/.test(host)) return "127.0.0.1";
  // Public name services that answer with the address in the name (nip.io, sslip.io and their like).
  const spelt = /(?:^|[.-])(\d{1,3})[.-](\d{1,3})[.-](\d{1,3})[.-](\d{1,3})\.(?:nip|sslip|xip)\.io$/.exec(
    host,
  );
  return spelt === null ? PUBLIC_ADDRESS : spelt.slice(1).join(".");
}

function leadConnectionsTo(port: number): () => void {
  const real = net.connect;
  const led = (...args: unknown[]): Socket => {
    const [options] = args;
    const isTcp = typeof options === "object" && options !== null && "host" in options && "port" in options;
    // The arguments are handed on as they came, or with another place to go.
    return Reflect.apply(real, net, isTcp ? [{ ...options, host: "127.0.0.1", port }] : args) as Socket;
  };
  Object.assign(net, { connect: led });
  syncBuiltinESMExports();
  return () => {
    Object.assign(net, { connect: real });
    syncBuiltinESMExports();
  };
}
