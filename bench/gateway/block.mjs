// The bare building block to compare with: node:http in front, undici's raw dispatch behind, the body buffered, nothing
// read, nothing recorded.  BENCH_UNDICI=<folder with node_modules> node bench/gateway/block.mjs <port> <upstream port>
import http from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";

const [port, upstream] = process.argv.slice(2);
const { Pool } = createRequire(join(process.env.BENCH_UNDICI ?? "", "x.js"))("undici");
const pool = new Pool(`http://127.0.0.1:${upstream}`, {
  connections: 256,
  pipelining: 1,
  bodyTimeout: 0,
  headersTimeout: 0,
  keepAliveTimeout: 60_000,
});
const HOP = new Set([
  "connection",
  "keep-alive",
  "transfer-encoding",
  "proxy-connection",
  "te",
  "trailer",
  "upgrade",
  "host",
  "content-length",
  "expect",
]);
const requestFields = (raw) => {
  const out = [];
  for (let i = 0; i < raw.length; i += 2) if (!HOP.has(raw[i].toLowerCase())) out.push(raw[i], raw[i + 1]);
  return out;
};
const replyFields = (raw) => {
  const out = [];
  for (let i = 0; i < raw.length; i += 2) {
    const name = String(raw[i]).toLowerCase();
    if (name !== "connection" && name !== "keep-alive" && name !== "transfer-encoding")
      out.push(String(raw[i]), String(raw[i + 1]));
  }
  return out;
};
http
  .createServer({ keepAliveTimeout: 65_000, noDelay: true, requestTimeout: 0 }, (request, response) => {
    const pieces = [];
    let bytes = 0;
    request.on("data", (piece) => {
      pieces.push(piece);
      bytes += piece.length;
    });
    request.on("end", () => {
      const body = pieces.length === 1 ? pieces[0] : Buffer.concat(pieces, bytes);
      let abort;
      let resume;
      response.on("close", () => {
        if (!response.writableFinished) abort?.();
      });
      pool.dispatch(
        { path: request.url, method: request.method, headers: requestFields(request.rawHeaders), body },
        {
          onConnect(stop) {
            abort = stop;
          },
          onHeaders(status, raw, go) {
            resume = go;
            if (status >= 200) response.writeHead(status, replyFields(raw));
            return true;
          },
          onData(piece) {
            if (response.write(piece)) return true;
            response.once("drain", resume);
            return false;
          },
          onComplete() {
            response.end();
          },
          onError() {
            if (response.headersSent) response.destroy();
            else response.writeHead(502).end();
          },
        },
      );
    });
  })
  .listen(Number(port), "127.0.0.1", 1024, () => console.log("ready"));
