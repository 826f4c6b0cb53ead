/**
 * The model server of the bench: answers at once, JSON or a stream of 55 events, one socket write each.
 * `node bench/gateway/destination.ts <port> [gapMs] [key.pem cert.pem]`
 */
import { readFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { createServer as createTls } from "node:tls";
import { JSON_REPLY, SSE_HEAD, SSE_TAIL, sseDelta } from "./bodies.ts";
import { LeanReader } from "./lean.ts";

const EVENTS = 50;
const [port, gap = "0", key, cert] = process.argv.slice(2);
const gapMs = Number(gap);
const json = Buffer.from(
  `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nrequest-id: req_bench\r\ncontent-length: ${JSON_REPLY.length}\r\n\r\n${JSON_REPLY}`,
);
const head =
  "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\nrequest-id: req_bench\r\ntransfer-encoding: chunked\r\n\r\n";
const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;
const stamp = (): string => `@t=${process.hrtime.bigint()}@`;
const begin = head + SSE_HEAD.map(chunk).join("");
const finish = `${SSE_TAIL.map(chunk).join("")}0\r\n\r\n`;

function stream(socket: Socket): void {
  socket.write(begin, "latin1");
  if (gapMs === 0) {
    const at = stamp();
    for (let i = 0; i < EVENTS; i++) socket.write(chunk(sseDelta(at)), "latin1");
    socket.write(finish, "latin1");
    return;
  }
  let sent = 0;
  const timer = setInterval(() => {
    if (socket.destroyed || sent++ === EVENTS) {
      clearInterval(timer);
      socket.write(finish, "latin1");
    } else socket.write(chunk(sseDelta(stamp())), "latin1");
  }, gapMs);
}

function serve(socket: Socket): void {
  socket.setNoDelay(true);
  let streams = false;
  const reader = new LeanReader({
    onHead: (text) => {
      streams = /\r\nx-stream: 1/i.test(text);
    },
    onEnd: () => (streams ? stream(socket) : void socket.write(json)),
  });
  socket.on("data", (piece: Buffer) => reader.feed(piece));
  socket.on("error", () => socket.destroy());
}

const server =
  key === undefined || cert === undefined
    ? createServer(serve)
    : createTls({ key: readFileSync(key), cert: readFileSync(cert), ALPNProtocols: ["http/1.1"] }, serve);
server.listen(Number(port), "127.0.0.1", 1024, () => console.log("ready"));
