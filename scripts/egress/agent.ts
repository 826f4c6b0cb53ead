/**
 * An agent, as far as the gateway can tell: it writes to the session's socket what a program behind a proxy writes.
 * By hand, as a client library would put a URL into its usual form, and some cases are about the unusual ones.
 */
import { connect, isIP, type Socket } from "node:net";
import { type TLSSocket, connect as tlsConnect } from "node:tls";
import { WebSocket } from "ws";
import type { Ask, Errand, Frame, Way } from "./case.ts";
import { RECEIVED } from "./world.ts";

export interface Door {
  readonly socketPath: string;
  readonly ca: string;
}

export interface Answer {
  /** 0: the connection ended without a reply. */
  readonly status: number;
  readonly body: Buffer;
}

/** A reply takes milliseconds here; what hangs is a fault of the gateway or of the bench. */
const PATIENCE_MS = 10_000;

interface Place {
  readonly scheme: string;
  /** As written. */
  readonly authority: string;
  readonly path: string;
  readonly login: string | null;
}

/** A URL taken apart and left as it is, save what no client puts on the wire: spaces, letters beyond ASCII. */
function placeOf(url: string): Place {
  const [, scheme = "", login = null, authority = "", rest = ""] =
    /^([a-z]+):\/\/(?:([^/?#@]*)@)?([^/?#]*)([^#]*)/i.exec(url) ?? [];
  const path = rest.startsWith("/") ? rest : `/${rest}`;
  const isAscii = /^[\x21-\x7e]*$/.test(authority);
  return {
    scheme: scheme.toLowerCase(),
    authority: isAscii ? authority : new URL(`https://${authority}/`).host,
    path: path.replace(/[^\x21-\x7e]+/gu, (run) => encodeURIComponent(run)),
    login,
  };
}

/** One request by the way that its URL and the case ask for. */
export async function ask(door: Door, way: Way, { url, method, headers, body }: Ask): Promise<Answer> {
  const { scheme, authority, path, login } = placeOf(url);
  const isBase = scheme === "https" && way === "base";
  const socket = scheme === "https" && !isBase ? await tunnel(door, authority, true) : await open(door);
  if (!("write" in socket)) return socket;
  const target = isBase
    ? `/${authority}${path}`
    : scheme === "https"
      ? path
      : `${scheme}://${authority}${path}`;
  const has = (name: string): boolean => Object.keys(headers).some((key) => key.toLowerCase() === name);
  const lines = [
    `${method} ${target} HTTP/1.1`,
    `Host: ${isBase ? "localhost" : authority}`,
    ...(has("user-agent") ? [] : ["User-Agent: agent/1"]),
    ...(login === null ? [] : [`Authorization: Basic ${Buffer.from(login).toString("base64")}`]),
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    ...(body === null && method === "GET" ? [] : [`Content-Length: ${body?.length ?? 0}`]),
    "Connection: close",
  ];
  socket.write(Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`), body ?? Buffer.alloc(0)]));
  return answerOf(await all(socket));
}

function open(door: Door): Promise<Socket> {
  const socket = connect(door.socketPath);
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.once("connect", () => resolve(socket));
  });
}

/** CONNECT, and TLS inside where the port is for it; the refusal, where the tunnel is refused. */
async function tunnel(
  door: Door,
  authority: string,
  isSecure: boolean,
): Promise<Socket | TLSSocket | Answer> {
  const named = /:\d+$/.test(authority) ? authority : `${authority}:${isSecure ? 443 : 80}`;
  const socket = await open(door);
  socket.write(`CONNECT ${named} HTTP/1.1\r\nHost: ${named}\r\n\r\n`);
  const head = await until(socket, "\r\n\r\n");
  if (!head.startsWith("HTTP/1.1 200"))
    return answerOf(Buffer.concat([Buffer.from(head), await all(socket)]));
  if (!isSecure) return socket;
  const host = named.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
  const secure = tlsConnect({
    socket,
    ca: door.ca,
    ...(isIP(host) === 0 ? { servername: host } : { host }),
    ALPNProtocols: ["http/1.1"],
  });
  return new Promise((resolve) => {
    secure.once("secureConnect", () => resolve(secure));
    secure.once("error", () => resolve({ status: 0, body: Buffer.alloc(0) }));
  });
}

function until(socket: Socket, text: string): Promise<string> {
  return new Promise((resolve) => {
    let sofar = "";
    const done = (): void => {
      socket.removeListener("data", take);
      socket.pause();
      resolve(sofar);
    };
    const take = (chunk: Buffer): void => {
      sofar += chunk.toString("latin1");
      if (sofar.includes(text)) done();
    };
    socket.on("data", take);
    socket.once("close", done);
  });
}

function all(socket: Socket | TLSSocket): Promise<Buffer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const late = setTimeout(() => socket.destroy(), PATIENCE_MS);
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("error", () => {}); // a cut is told by what is missing
    socket.once("close", () => {
      clearTimeout(late);
      resolve(Buffer.concat(chunks));
    });
    socket.resume();
  });
}

function answerOf(bytes: Buffer): Answer {
  const end = bytes.indexOf("\r\n\r\n");
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(bytes.toString("latin1", 0, 20))?.[1];
  return { status: Number(status ?? 0), body: end < 0 ? Buffer.alloc(0) : bytes.subarray(end + 4) };
}

/** Sends the frames one after the other, each message when the one before has been answered; ends early when cut off. */
export async function chat(door: Door, errand: Errand & { kind: "websocket" }): Promise<boolean> {
  const { scheme, authority, path } = placeOf(errand.url);
  const socket = await tunnel(door, authority, scheme === "wss");
  if (!("write" in socket)) return false;
  const client = new WebSocket(`ws://${authority}${path}`, {
    createConnection: () => socket,
    perMessageDeflate: false,
    handshakeTimeout: PATIENCE_MS,
  });
  // Paused since the tunnel's head was read; a client that is handed a connection expects it to flow.
  if (scheme !== "wss") process.nextTick(() => socket.resume());
  const late = setTimeout(() => client.terminate(), PATIENCE_MS);
  const closed = new Promise<"closed">((resolve) => client.once("close", () => resolve("closed")));
  client.on("error", () => {}); // followed by close
  const opened = new Promise<"open">((resolve) => client.once("open", () => resolve("open")));
  let isCut = (await Promise.race([closed, opened])) === "closed";
  for (const frame of errand.frames) {
    if (isCut) break;
    const answered = new Promise<string>((resolve) =>
      client.once("message", (data: Buffer) => resolve(data.toString("utf8"))),
    );
    put(client, frame);
    if (frame.opcode === "close") {
      // Whether what it says arrived is for the destination to tell.
      await closed;
      break;
    }
    // Anything but the destination's own word is the gateway's refusal.
    if (frame.fin) isCut = (await Promise.race([closed, answered])) !== RECEIVED;
  }
  client.terminate();
  clearTimeout(late);
  await closed;
  return !isCut;
}

function put(client: WebSocket, { opcode, fin, encoding, payload }: Frame): void {
  const bytes =
    encoding === "base64" || encoding === "hex" ? Buffer.from(payload, encoding) : Buffer.from(payload);
  if (opcode === "ping") client.ping(bytes);
  else if (opcode === "pong") client.pong(bytes);
  else if (opcode === "close") client.close(1000, bytes);
  // A frame that goes on with a message keeps the kind that the message began with.
  else client.send(bytes, { binary: opcode === "binary", fin, compress: false });
}
