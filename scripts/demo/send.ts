/** Sends through a session's gateway as a program in the sandbox would: CONNECT to the host, TLS inside, one request. */
import { request } from "node:http";
import net from "node:net";
import tls from "node:tls";

export interface Sent {
  readonly status: number;
}

/** Null: the gateway would not connect to that host at all. */
export async function connectTo(
  socketPath: string,
  host: string,
  port: number,
  ca: string,
): Promise<tls.TLSSocket | null> {
  const plain = net.connect(socketPath);
  const answer = await new Promise<string>((resolve, reject) => {
    let text = "";
    plain.once("error", reject);
    plain.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
      if (text.includes("\r\n\r\n")) resolve(text);
    });
    plain.once("close", () => resolve(text));
    plain.write(`CONNECT ${host}:${port} HTTP/1.1\r\nHost: ${host}:${port}\r\n\r\n`);
  });
  if (!answer.startsWith("HTTP/1.1 200")) {
    plain.destroy();
    return null;
  }
  plain.removeAllListeners();
  const secure = tls.connect({ socket: plain, ca, servername: host, ALPNProtocols: ["http/1.1"] });
  await new Promise<void>((resolve, reject) => {
    secure.once("secureConnect", resolve);
    secure.once("error", reject);
  });
  return secure;
}

/** Resolves when the reply was read to its end. */
export function sendOn(
  socket: tls.TLSSocket,
  o: {
    readonly method: string;
    readonly host: string;
    readonly path: string;
    readonly headers: readonly string[];
    readonly body: string;
  },
): Promise<Sent> {
  const headers: string[] = ["Host", o.host];
  for (const line of o.headers) {
    const colon = line.indexOf(":");
    if (colon > 0) headers.push(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  const body = Buffer.from(o.body);
  if (body.length > 0) headers.push("Content-Length", String(body.length));
  return new Promise((resolve, reject) => {
    const sent = request(
      { method: o.method, path: o.path, headers, createConnection: () => socket },
      (response) => {
        response.resume();
        response.once("end", () => resolve({ status: response.statusCode ?? 0 }));
        response.once("error", reject);
      },
    );
    sent.once("error", reject);
    sent.end(body);
  });
}
