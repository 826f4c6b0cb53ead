/**
 * What the agent sends after CONNECT: TLS, answered with a certificate of the session's authority, plain HTTP, or SSH. The
 * authority is what CONNECT named; a server name, Host or `:authority` that says otherwise is refused, as one of them
 * would be what policy judged and another what the server serves (domain fronting).
 */
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import { Fault } from "../core/index.ts";
import type { Authority } from "./authority.ts";
import type { SessionAuthority } from "./certificate.ts";
import { reasonOf } from "./dial.ts";
import { type Desk, FrontH1 } from "./front-h1.ts";
import { FrontH2 } from "./front-h2.ts";
import { isSsh } from "./raw.ts";

/** First byte of a TLS record that holds a handshake message (RFC 8446 5.1). */
const TLS_HANDSHAKE = 0x16;
const NOTHING: Buffer = Buffer.alloc(0);

export function openTunnel(
  socket: Duplex,
  early: Buffer,
  authority: Authority,
  certificates: SessionAuthority,
  desk: Desk,
): void {
  const start = (first: Buffer): void => {
    deadline.stop();
    socket.pause();
    socket.removeListener("data", start);
    for (const event of ["end", "close", "error"]) socket.removeListener(event, drop);
    if (first[0] === TLS_HANDSHAKE) {
      socket.unshift(first);
      secure(socket, authority, certificates, desk);
    } else if (authority.port === desk.limits.sshPort && isSsh(first)) {
      desk.passRaw(authority, socket, first);
    } else {
      new FrontH1(socket, { door: "plain", authority, isSecure: false }, desk, first);
      socket.resume();
    }
  };
  // Some agents open a tunnel to spare and close it without a byte: no fault, no record.
  const drop = (): void => {
    deadline.stop();
    socket.destroy();
  };
  const deadline = desk.deadlines.start(desk.limits.clientIdleMs, drop);
  if (early.length > 0) {
    start(early);
    return;
  }
  socket.once("data", start);
  for (const event of ["end", "close", "error"]) socket.once(event, drop);
  socket.resume();
}

function secure(raw: Duplex, authority: Authority, certificates: SessionAuthority, desk: Desk): void {
  let misnamed = false;
  const socket = new TLSSocket(raw, {
    isServer: true,
    secureContext: certificates.contextFor(authority.host),
    ALPNProtocols: ["h2", "http/1.1"],
    SNICallback: (name, give) => {
      misnamed = name.toLowerCase() !== authority.host;
      give(misnamed ? new Error("misnamed") : null, undefined);
    },
  });
  const fail = (error: Error): void => {
    deadline.stop();
    socket.destroy();
    const alert = "code" in error && String(error.code).startsWith("ERR_SSL_");
    if (misnamed)
      void desk.reject(
        "tls",
        authority,
        new Fault("gateway.malformed", { detail: "the TLS server name is not the tunnel's host" }),
      );
    else if (alert)
      void desk.reject("tls", authority, new Fault("gateway.handshake", { detail: reasonOf(error) }));
  };
  const deadline = desk.deadlines.start(desk.limits.handshakeMs, () => socket.destroy());
  raw.on("error", () => socket.destroy());
  socket.on("error", () => {});
  socket.once("error", fail);
  socket.once("close", () => deadline.stop());
  socket.once("secure", () => {
    deadline.stop();
    socket.removeListener("error", fail);
    // What tls.Server does at this point; node:http2 would otherwise wait for a handshake that is over.
    Object.assign(socket, { secureConnecting: false });
    if (socket.alpnProtocol === "h2") new FrontH2(socket, authority, desk);
    else new FrontH1(socket, { door: "tls", authority, isSecure: true }, desk, NOTHING);
  });
}
