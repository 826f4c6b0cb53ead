/**
 * Gateways side by side in one run: the model server and the load on core 1, the gateway that is measured on core 0.
 *
 *   node bench/gateway/run.ts [--only direct,nginx,block,sallyport,…] [--sizes 2048,200000,1000000] [--clients 1,16,64]
 *                             [--streams 0,1] [--ms 2000] [--repeats 2] [--fresh tail|all] [--out file.jsonl]
 *
 *                             [--captured claude.jsonl --turns 40-59] [--install]
 *
 * nginx from the system; undici, Portkey and claude-code-router as peers.ts has them: what is not there is left out, and said
 * so; --install fetches them first. With --captured, which bench/inspect/capture.ts makes, the turns of a real agent's session
 * take the place of made bodies. CPU per request is the figure that survives a noisy machine; the better of the repeats is
 * shown, as noise only adds.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs, promisify } from "node:util";
import { newLeafKey, SessionAuthority } from "../../src/gateway/certificate.ts";
import type { Captured } from "./bodies.ts";
import type { Task } from "./load.ts";
import { installPeer, peerFolder } from "./peers.ts";

const { values } = parseArgs({
  options: {
    only: {
      type: "string",
      default: "direct,nginx,block,portkey,ccr,sallyport,sallyport-unrecorded,sallyport-tls",
    },
    sizes: { type: "string", default: "2048,200000,1000000" },
    clients: { type: "string", default: "1,16,64" },
    streams: { type: "string", default: "0,1" },
    fresh: { type: "string", default: "tail" },
    ms: { type: "string", default: "2000" },
    repeats: { type: "string", default: "2" },
    gap: { type: "string", default: "0" },
    out: { type: "string", default: "" },
    keep: { type: "string", default: "" },
    captured: { type: "string", default: "" },
    turns: { type: "string", default: "40-59" },
    install: { type: "boolean", default: false },
  },
});
const HERE = import.meta.dirname;
const NODE = process.execPath;
const folder = mkdtempSync(join(values.keep === "" ? tmpdir() : values.keep, "bench-gateway-"));
const [PLAIN, SECURE] = [9700, 9701];
const children: ChildProcess[] = [];
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(1));
process.on("exit", () => {
  for (const child of children) child.kill("SIGTERM");
  rmSync(folder, { recursive: true, force: true });
});

interface Result {
  readonly n: number;
  readonly errors: number;
  readonly lastError: string;
  readonly rps: number;
  readonly p50: number | null;
  readonly p99: number | null;
  readonly first50: number | null;
  readonly first99: number | null;
  readonly delay50: number | null;
  readonly delay99: number | null;
  readonly cpuUs: number | null;
  readonly loadPercent: number;
  readonly rssMb: number | null;
}

interface Contestant {
  readonly name: string;
  readonly pid: number;
  readonly task: Pick<Task, "to" | "tunnel" | "ca" | "path" | "headers">;
}

function start(
  core: number,
  command: string,
  args: readonly string[],
  env: Record<string, string> = {},
  readyWord: string | null = "ready",
): Promise<number> {
  const child = spawn("taskset", ["-c", String(core), command, ...args], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", openSync(join(folder, "errors.log"), "a")],
  });
  children.push(child);
  return new Promise((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`${command} ${args[0]} left with ${code}`)));
    if (readyWord === null) setTimeout(() => resolve(child.pid ?? 0), 4000);
    child.stdout?.on(
      "data",
      (piece: Buffer) =>
        readyWord !== null && piece.toString().includes(readyWord) && resolve(child.pid ?? 0),
    );
  });
}

function certificates(): { key: string; cert: string; root: string } {
  const leafKey = newLeafKey();
  const authority = new SessionAuthority("bench", leafKey, () => Date.now(), 10);
  const write = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  return {
    key: write("key.pem", leafKey.pem),
    cert: write("cert.pem", authority.leaf("localhost")),
    root: write("root.pem", authority.certificate),
  };
}

const NGINX = `worker_processes 1; daemon off; pid @/nginx.pid; error_log @/error.log warn;
events { worker_connections 4096; }
http {
  access_log off; keepalive_timeout 75s; keepalive_requests 1000000; tcp_nodelay on; client_max_body_size 0; client_body_buffer_size 4m;
  client_body_temp_path @/a; proxy_temp_path @/b; fastcgi_temp_path @/c; uwsgi_temp_path @/d; scgi_temp_path @/e;
  upstream up { server 127.0.0.1:${PLAIN}; keepalive 256; keepalive_requests 1000000; }
  server { listen 127.0.0.1:9710 backlog=1024; location / { proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; proxy_request_buffering on; } }
}`;

async function contestant(name: string): Promise<Contestant | string> {
  const path = "/v1/messages";
  const ours = async (kind: string, upstream: string, mode: string): Promise<string | number> => {
    const place = join(folder, kind);
    const young = "--max-semi-space-size=4"; // as the station is started
    return start(0, NODE, [young, join(HERE, "sallyport.ts"), place, upstream, certs.root, mode]);
  };
  const base = "/api.anthropic.com/v1/messages";
  switch (name) {
    case "direct":
      return { name, pid: 0, task: { to: PLAIN, path } };
    case "nginx": {
      if (!existsSync("/usr/sbin/nginx")) return "nginx is not installed";
      const place = join(folder, "nginx");
      mkdirSync(place);
      writeFileSync(join(place, "nginx.conf"), NGINX.replaceAll("@", place));
      return {
        name,
        pid: await start(0, "/usr/sbin/nginx", ["-c", join(place, "nginx.conf")], {}, null),
        task: { to: 9710, path },
      };
    }
    case "block": {
      const undici = peerFolder("undici");
      if (undici === null) return "undici is not installed: --install";
      return {
        name,
        pid: await start(0, NODE, [join(HERE, "block.mjs"), "9711", String(PLAIN)], { BENCH_UNDICI: undici }),
        task: { to: 9711, path },
      };
    }
    case "portkey": {
      const portkey = peerFolder("@portkey-ai/gateway");
      if (portkey === null) return "Portkey is not installed: --install";
      const build = join(portkey, "node_modules/@portkey-ai/gateway/build");
      // As published, every streamed call answers 500 (its issues #1389, #1550): reading one property first mends it.
      const file = join(build, "start-server.mended.mjs");
      const text = readFileSync(join(build, "start-server.js"), "utf8");
      writeFileSync(
        file,
        text.replace(/updateHeaders\((\w+),[^)]*\)\{/, (found, response) => `${found}${response}.type;`),
      );
      const headers = `x-portkey-provider: anthropic\r\nx-portkey-custom-host: http://127.0.0.1:${PLAIN}/v1\r\n`;
      return {
        name,
        pid: await start(
          0,
          NODE,
          [file, "--port=9712", "--headless"],
          { HOME: folder, NODE_ENV: "production" },
          null,
        ),
        task: { to: 9712, path, headers },
      };
    }
    case "ccr": {
      const router = peerFolder("@musistudio/claude-code-router");
      if (router === null) return "claude-code-router is not installed: --install";
      const home = join(folder, "ccr");
      mkdirSync(join(home, ".claude-code-router"), { recursive: true });
      // Messages in, Messages out: the model server speaks nothing else.
      const provider = {
        name: "bench",
        api_base_url: `http://127.0.0.1:${PLAIN}/v1/messages`,
        api_key: "none",
      };
      const config = {
        ...{ LOG: false, HOST: "127.0.0.1", PORT: 9713, NON_INTERACTIVE_MODE: true },
        Providers: [{ ...provider, models: ["bench-model"], transformer: { use: ["Anthropic"] } }],
        Router: { default: "bench,bench-model" },
      };
      writeFileSync(join(home, ".claude-code-router/config.json"), JSON.stringify(config));
      const file = join(router, "node_modules/@musistudio/claude-code-router/dist/cli.js");
      return {
        name,
        pid: await start(0, NODE, [file, "start"], { HOME: home }, null),
        task: { to: 9713, path },
      };
    }
    case "sallyport":
      return {
        name,
        pid: Number(await ours(name, `http://127.0.0.1:${PLAIN}`, "")),
        task: { to: join(folder, name, "#.sock"), path: base },
      };
    case "sallyport-unrecorded":
      return {
        name,
        pid: Number(await ours(name, `http://127.0.0.1:${PLAIN}`, "null")),
        task: { to: join(folder, name, "#.sock"), path: base },
      };
    case "sallyport-tls":
      return {
        name,
        pid: Number(await ours(name, `https://localhost:${SECURE}`, "")),
        task: {
          to: join(folder, name, "#.sock"),
          tunnel: "api.anthropic.com:443",
          ca: join(folder, name, "#.pem"),
          path,
        },
      };
    default:
      return "nobody knows it";
  }
}

const run = promisify(execFile);
async function measure(
  one: Contestant,
  cell: Pick<Task, "size" | "clients" | "streams">,
  ms: number,
): Promise<Result> {
  const task: Task = {
    ...one.task,
    ...cell,
    fresh: values.fresh === "all" ? "all" : "tail",
    warmMs: 500,
    ms,
    pid: one.pid,
    paced: values.gap !== "0",
    ...(captured === null ? {} : { captured }),
  };
  const { stdout } = await run("taskset", ["-c", "1", NODE, join(HERE, "load.ts"), JSON.stringify(task)]);
  return JSON.parse(stdout) as Result;
}

if (values.install)
  for (const name of ["undici", "@portkey-ai/gateway", "@musistudio/claude-code-router"] as const)
    installPeer(name);
const [firstTurn = 0, lastTurn = 0] = values.turns.split("-").map(Number);
const captured: Captured | null =
  values.captured === "" ? null : { file: resolve(values.captured), turns: [firstTurn, lastTurn] };
const certs = certificates();
await start(1, NODE, [join(HERE, "destination.ts"), String(PLAIN), values.gap]);
await start(1, NODE, [join(HERE, "destination.ts"), String(SECURE), values.gap, certs.key, certs.cert]);
const contestants: Contestant[] = [];
for (const name of values.only.split(",")) {
  const made = await contestant(name);
  if (typeof made === "string") console.log(`${name} is left out: ${made}`);
  else contestants.push(made);
}
for (const one of contestants) await measure(one, { size: 20_000, clients: 8, streams: false }, 800);

const numbers = (text: string): number[] => text.split(",").map(Number);
// A captured session has its own sizes, and streams.
for (const streams of captured === null ? numbers(values.streams).map(Boolean) : [true])
  for (const size of captured === null ? numbers(values.sizes) : [0])
    for (const clients of numbers(values.clients)) {
      const best = new Map<string, Result>();
      for (let repeat = 0; repeat < Number(values.repeats); repeat++)
        for (const one of repeat % 2 === 0 ? contestants : contestants.toReversed()) {
          const result = await measure(one, { size, clients, streams }, Number(values.ms));
          const sofar = best.get(one.name);
          if (sofar === undefined || (result.cpuUs ?? -result.rps) < (sofar.cpuUs ?? -sofar.rps))
            best.set(one.name, result);
        }
      for (const { name } of contestants) {
        const result = best.get(name);
        if (result === undefined) continue;
        if (values.out !== "")
          appendFileSync(
            values.out,
            `${JSON.stringify({ name, size, clients, streams, fresh: values.fresh, ...result })}\n`,
          );
        console.log(
          `${name.padEnd(21)} ${streams ? "stream" : "json  "} ${String(size).padStart(7)} B ×${String(clients).padStart(2)}  cpu ${String(result.cpuUs ?? "-").padStart(8)} µs  ${String(result.rps).padStart(6)}/s  p50 ${result.p50} p99 ${result.p99}  first ${result.first50}${result.delay50 === null ? "" : `  delay ${result.delay50}/${result.delay99}`}  load ${result.loadPercent} %  rss ${result.rssMb ?? "-"}${result.errors > 0 ? `  ERRORS ${result.errors} ${result.lastError}` : ""}`,
        );
      }
    }
process.exit(0);
