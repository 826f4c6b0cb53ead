/**
 * Memory of an idle intercepted connection: CONNECT, TLS, one request, then silence. The gateway runs in a process of its
 * own.  node --expose-gc bench/gateway/idle.ts [connections]
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls, type TLSSocket } from "node:tls";

const count = Number(process.argv[2] ?? 1000);
const folder = mkdtempSync(join(tmpdir(), "bench-idle-"));
const start = (args: readonly string[]): Promise<number> => {
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  process.on("exit", () => child.kill("SIGTERM"));
  return new Promise((resolve) => child.stdout.once("data", () => resolve(child.pid ?? 0)));
};
await start([join(import.meta.dirname, "destination.ts"), "9705"]);
const pid = await start([
  "--expose-gc",
  join(import.meta.dirname, "sallyport.ts"),
  folder,
  "http://127.0.0.1:9705",
  "",
  "null",
]);
const ca = readFileSync(join(folder, "0.pem"));
const rssKb = (): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);

const open = (): Promise<TLSSocket> =>
  new Promise((resolve, reject) => {
    const raw = connect(join(folder, "0.sock"));
    raw.on("error", reject);
    raw.write("CONNECT api.anthropic.com:443 HTTP/1.1\r\nHost: api.anthropic.com\r\n\r\n");
    raw.once("data", () => {
      const socket = connectTls({ socket: raw, ca, servername: "api.anthropic.com" }, () =>
        socket.write("POST /v1/messages HTTP/1.1\r\nHost: api.anthropic.com\r\ncontent-length: 2\r\n\r\n{}"),
      );
      socket.once("data", () => resolve(socket));
      socket.on("error", reject);
    });
  });

const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 2000));
const sockets: TLSSocket[] = [];
for (let i = 0; i < 100; i++) sockets.push(await open());
process.kill(pid, "SIGUSR2");
await settle();
const before = rssKb();
for (let i = 0; i < count; i += 20) sockets.push(...(await Promise.all(Array.from({ length: 20 }, open))));
process.kill(pid, "SIGUSR2");
await settle();
console.log(
  `${count} idle intercepted connections: ${((rssKb() - before) / count).toFixed(1)} KB each, ${Math.round(rssKb() / 1024)} MB in all`,
);
rmSync(folder, { recursive: true, force: true });
process.exit(0);
