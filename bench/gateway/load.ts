/**
 * Closed-loop load over raw sockets: `clients` connections, each sends its next request when the last is answered.
 * One JSON line out. Arguments are one JSON object: see {@link Task}.
 */
import { readdirSync, readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { type Body, type Captured, capturedTurns, requestBody } from "./bodies.ts";
import { LeanReader } from "./lean.ts";

export interface Task {
  /** A port on loopback, or the path of a unix socket; `#` in it is the client's number: a session for each. */
  readonly to: number | string;
  /** With it: CONNECT there, then TLS trusting `ca` (PEM file). */
  readonly tunnel?: string;
  readonly ca?: string;
  readonly path: string;
  readonly headers?: string;
  readonly size: number;
  readonly clients: number;
  readonly streams: boolean;
  /** What is new in each request: its last message, or every byte. */
  readonly fresh: "tail" | "all";
  readonly warmMs: number;
  readonly ms: number;
  /** The process tree that is measured. */
  readonly pid: number;
  /** Each client rests so long between an answer and its next request. */
  readonly pauseMs?: number;
  /** Events carry the time they were sent: measure their delay. */
  readonly paced?: boolean;
  /** Bodies of a real agent's session instead of made ones: `size` and `fresh` say nothing then. */
  readonly captured?: Captured;
}

const task = JSON.parse(process.argv[2] ?? "{}") as Task;
const latencies: number[] = [];
const firsts: number[] = [];
const delays: number[] = [];
let errors = 0;
let lastError = "";
let isMeasuring = false;
let isOver = false;
let serial = 0;
/** Answers each client has had: what is measured is a conversation under way, not its first sight. */
const answered: number[] = [];
const WARM_ANSWERS = 3;
const MOST_WARM_MS = 30_000;
const STAMP = Buffer.from("@t=");

/** The next request, whose bytes nobody else writes to. */
type Next = () => Buffer;

const headOf = (length: number, streams: boolean): string =>
  `POST ${task.path} HTTP/1.1\r\nHost: ${task.tunnel ?? "127.0.0.1"}\r\ncontent-type: application/json\r\nx-api-key: sk-bench\r\nanthropic-version: 2023-06-01\r\nuser-agent: claude-cli/2.1.0 (external, cli)\r\naccept: application/json\r\n${streams ? "x-stream: 1\r\n" : ""}${task.headers ?? ""}content-length: ${length}\r\n\r\n`;

function madeRequests(n: number): Next {
  const { bytes: template, markAt }: Body = requestBody(task.size, task.streams, n);
  const head = headOf(template.length, task.streams);
  const request = Buffer.concat([Buffer.from(head), template]);
  const mark = head.length + markAt;
  return () => {
    serial++;
    const code = `${serial.toString(16).padStart(8, "0")}${n.toString(16).padStart(8, "0")}`;
    request.write(code, mark, "latin1");
    if (task.fresh === "all") freshen(request, head.length, serial);
    // The gateway may be slower than the load: what is sent must not change while it is on its way.
    return Buffer.from(request);
  };
}

/** The turns of the session one after the other, and again with other words in what is new in them. */
function capturedRequests(captured: Captured, n: number): Next {
  const turns = capturedTurns(captured);
  let at = n % turns.length;
  let pass = n;
  return () => {
    const turn = turns[at++ % turns.length];
    if (turn === undefined) throw new Error("no turns");
    if (at % turns.length === 0) pass += task.clients;
    const body = turn.withPass(pass);
    return Buffer.concat([Buffer.from(headOf(body.length, true)), body]);
  };
}

function client(n: number): void {
  const next = task.captured === undefined ? madeRequests(n) : capturedRequests(task.captured, n);
  let sentAt = 0;
  let firstAt = 0;
  let isFine = true;
  let socket: Socket | null = null;
  const send = (): void => {
    if (isOver) return;
    const request = next();
    firstAt = 0;
    sentAt = performance.now();
    socket?.write(request);
  };
  const done = (): void => {
    const now = performance.now();
    answered[n] = (answered[n] ?? 0) + 1;
    if (isMeasuring) {
      if (isFine) {
        latencies.push(now - sentAt);
        firsts.push(firstAt - sentAt);
      } else errors++;
    }
    if (task.pauseMs === undefined) send();
    else setTimeout(send, task.pauseMs);
  };
  const reader = new LeanReader({
    onHead: (text) => {
      isFine = text.startsWith("HTTP/1.1 2");
      if (!isFine) lastError = text.slice(0, 80);
    },
    onBody: (chunk, from, to) => {
      if (firstAt === 0) firstAt = performance.now();
      if (!isFine && lastError.length < 300)
        lastError += chunk.toString("latin1", from, Math.min(to, from + 200));
      if (task.paced === true && isMeasuring) readStamps(chunk, from, to);
    },
    onEnd: done,
  });
  const ready = (open: Socket): void => {
    socket = open;
    open.setNoDelay(true);
    open.on("data", (piece: Buffer) => reader.feed(piece));
    open.on("error", () => {});
    open.on("close", () => {
      if (!isOver) errors++;
    });
    send();
  };
  open(n, ready);
}

function open(n: number, ready: (socket: Socket) => void): void {
  const raw =
    typeof task.to === "number" ? connect(task.to, "127.0.0.1") : connect(task.to.replace("#", String(n)));
  raw.on("error", (error) => {
    lastError = error.message;
    errors++;
  });
  raw.once("connect", () => {
    const { tunnel } = task;
    if (tunnel === undefined) return ready(raw);
    raw.write(`CONNECT ${tunnel} HTTP/1.1\r\nHost: ${tunnel}\r\n\r\n`);
    raw.once("data", () => {
      const secure = connectTls(
        {
          socket: raw,
          servername: tunnel.split(":")[0] ?? "",
          ca: readFileSync((task.ca ?? "").replace("#", String(n))),
          ALPNProtocols: ["http/1.1"],
        },
        () => ready(secure),
      );
      secure.on("error", (error) => {
        lastError = error.message;
        errors++;
      });
    });
  });
}

function readStamps(chunk: Buffer, from: number, to: number): void {
  const now = process.hrtime.bigint();
  for (let at = chunk.indexOf(STAMP, from); at >= 0 && at < to; at = chunk.indexOf(STAMP, at + 3)) {
    const end = chunk.indexOf("@", at + 3, "latin1");
    if (end < 0) return;
    delays.push(Number(now - BigInt(chunk.toString("latin1", at + 3, end))) / 1e6);
  }
}

/** Eight digits into every file name of the conversation, so that no element of it was ever seen. */
function freshen(request: Buffer, from: number, n: number): void {
  const digits = n.toString(16).padStart(6, "0").slice(-6);
  for (
    let at = request.indexOf("walk", from, "latin1");
    at >= 0;
    at = request.indexOf("walk", at + 10, "latin1")
  )
    request.write(digits, at + 6, "latin1");
}

function treeOf(root: number): number[] {
  const found: number[] = [];
  const queue = root > 0 ? [root] : [];
  for (let pid = queue.pop(); pid !== undefined; pid = queue.pop()) {
    found.push(pid);
    try {
      for (const thread of readdirSync(`/proc/${pid}/task`)) {
        const children = readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").trim();
        if (children !== "") queue.push(...children.split(" ").map(Number));
      }
    } catch {
      // It has left.
    }
  }
  return found;
}

/** CPU time of a process tree in microseconds (schedstat: nanoseconds). */
function cpuUs(pids: readonly number[]): number {
  let sum = 0;
  for (const pid of pids)
    try {
      for (const thread of readdirSync(`/proc/${pid}/task`))
        sum += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]) / 1000;
    } catch {
      // It has left.
    }
  return sum;
}

const rssOf = (pids: readonly number[]): number =>
  pids.reduce(
    (sum, pid) =>
      sum + Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024,
    0,
  );

const at = (sorted: readonly number[], share: number): number | null => {
  const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  return value === undefined ? null : Number(value.toFixed(3));
};

for (let n = 0; n < task.clients; n++) client(n);
const started = performance.now();
const waiting = setInterval(() => {
  const waited = performance.now() - started;
  const isWarm = answered.length === task.clients && answered.every((count) => count >= WARM_ANSWERS);
  if (waited < task.warmMs || (!isWarm && waited < MOST_WARM_MS)) return;
  clearInterval(waiting);
  const pids = treeOf(task.pid);
  const before = cpuUs(pids);
  const own = process.cpuUsage();
  const began = performance.now();
  isMeasuring = true;
  setTimeout(() => {
    isMeasuring = false;
    isOver = true;
    const ms = performance.now() - began;
    const used = cpuUs(pids) - before;
    const mine = process.cpuUsage(own);
    const n = latencies.length;
    for (const list of [latencies, firsts, delays]) list.sort((a, b) => a - b);
    console.log(
      JSON.stringify({
        n,
        errors,
        lastError,
        rps: Math.round((n / ms) * 1000),
        p50: at(latencies, 0.5),
        p99: at(latencies, 0.99),
        first50: at(firsts, 0.5),
        first99: at(firsts, 0.99),
        delay50: at(delays, 0.5),
        delay99: at(delays, 0.99),
        cpuUs: n === 0 || pids.length === 0 ? null : Number((used / n).toFixed(1)),
        loadPercent: Math.round((mine.user + mine.system) / 10 / ms),
        rssMb: pids.length === 0 ? null : Math.round(rssOf(pids)),
      }),
    );
    process.exit(0);
  }, task.ms);
}, 20);
