/**
 * Runs inside the sandbox of a demonstration session: sends one recorded request to its model server, by the way out that every
 * program there has, and waits for the answer: policy asks a person first. Plain Node, as old as 20.
 */
import { readFileSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import tls from "node:tls";

const { method, host, path, headers, body } = JSON.parse(readFileSync(new URL("request.json", import.meta.url), "utf8"));
const proxy = new URL(process.env.HTTPS_PROXY);
const plain = net.connect(Number(proxy.port), proxy.hostname);
plain.write(`CONNECT ${host}:443 HTTP/1.1\r\nHost: ${host}:443\r\n\r\n`);
plain.once("data", (answer) => {
  if (!answer.toString("latin1").startsWith("HTTP/1.1 200")) {
    console.error(answer.toString("latin1"));
    process.exit(1);
  }
  const ca = readFileSync(process.env.NODE_EXTRA_CA_CERTS);
  const secure = tls.connect({ socket: plain, ca, servername: host }, () => {
    const raw = ["Host", host, "Content-Length", String(Buffer.byteLength(body))];
    for (const line of headers) {
      const colon = line.indexOf(":");
      raw.push(line.slice(0, colon), line.slice(colon + 1).trim());
    }
    const request = http.request({ method, path, headers: raw, createConnection: () => secure }, (reply) => {
      console.log(`answered ${reply.statusCode}`);
      reply.resume().once("end", () => process.exit(0));
    });
    request.end(body);
  });
});
