/**
 * The pipeline without sockets: what one request costs between the wires, step by step, on one thread. The peer answers at
 * once and the ledger is a real one whose disk takes everything at once, so that what is left is computing.
 * µs of wall time, median and least of the rounds.
 *
 *   node bench/gateway/pipeline.ts [size] [stream: 0 or 1] [rounds] [--captured claude.jsonl [--turns 40-55]]
 *
 * With --captured (bench/inspect/capture.ts) the turns of a real agent's session take the place of made bodies.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { newSessionId, systemClock, Turns } from "../../src/core/index.ts";
import { createDecoder } from "../../src/dialect/index.ts";
import { Approvals } from "../../src/gateway/approvals.ts";
import { Custody } from "../../src/gateway/custody.ts";
import { Deadlines } from "../../src/gateway/deadlines.ts";
import { Documents } from "../../src/gateway/documents.ts";
import type { Inbound, Outbound, Peer, Reply, Sink } from "../../src/gateway/exchange.ts";
import { parseReplyHead, parseRequestHead } from "../../src/gateway/head.ts";
import { LIMITS } from "../../src/gateway/limits.ts";
import { Peers } from "../../src/gateway/peers.ts";
import { pass } from "../../src/gateway/pipeline.ts";
import { requestMatter } from "../../src/gateway/relay.ts";
import { Room } from "../../src/gateway/room.ts";
import { Reader, type Rooms, type Sitting } from "../../src/gateway/session.ts";
import { Spending } from "../../src/gateway/spending.ts";
import { Rulebook } from "../../src/gateway/standing.ts";
import { createInspector, createVault } from "../../src/inspect/index.ts";
import { openLedgerWith } from "../../src/ledger/ledger.ts";
import { layer, parseDocument, readyProfile } from "../../src/policy/index.ts";
import { capturedTurns, JSON_REPLY, requestBody, SSE_HEAD, SSE_TAIL, sseDelta } from "./bodies.ts";

const { positionals, values } = parseArgs({
  options: { captured: { type: "string", default: "" }, turns: { type: "string", default: "40-55" } },
  allowPositionals: true,
});
const [size = 2048, streams = 0, rounds = 20] = positionals.map(Number);
const folder = mkdtempSync(join(tmpdir(), "bench-pipeline-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

const ledger = await openLedgerWith(
  { directory: join(folder, "l"), keyDirectory: join(folder, "k"), clock: systemClock, program: "bench" },
  { io: { writeDurably: async () => {} } },
);
const policy = layer([parseDocument(readyProfile("default") ?? "", "default")]);
const inspector = createInspector({ key: Buffer.alloc(32, 1) });
const deadlines = new Deadlines(systemClock);
let lap = 0;
const spent = new Map<string, number>();
const clock = (): number => Number(process.hrtime.bigint()) / 1000;
const tick = (name: string): void => {
  const now = clock();
  spent.set(name, (spent.get(name) ?? 0) + now - lap);
  lap = clock();
};
const rooms: Rooms = {
  clock: systemClock,
  append: (body, evidence) => {
    tick("before append");
    const done = ledger.append(body, evidence);
    tick(`append ${body.kind}`);
    // An outcome waits for company in the ledger; here nobody waits for it.
    return body.kind === "exchange.answered"
      ? Promise.resolve({ index: 0, event: { v: 1 as const, at: 0, ...body } })
      : done;
  },
  inspector,
  limits: LIMITS,
  deadlines,
  turns: new Turns(systemClock),
  approvals: new Approvals({ clock: systemClock, append: ledger.append, deadlines, onFault: () => {} }),
  spending: new Spending(systemClock, async () => []),
  captured: new Room(LIMITS.capturedBytes),
  documents: new Documents(LIMITS.documentMs),
  onFault: (fault) => console.error(fault.message),
};
const id = newSessionId((bytes) => Buffer.alloc(bytes, 7));
const vault = createVault({ key: Buffer.alloc(32, 2) });
const reader = new Reader({
  newDecoder: () => createDecoder({ workspace: "/work", cwd: "/work" }),
  inspector,
  vault,
  waivers: [],
  now: systemClock.now,
});
const readTimed: Reader["read"] = reader.read.bind(reader);
reader.read = (decode, content, belongs) => {
  tick("to reader");
  const timed: typeof decode = (decoder, bytes) => {
    lap = clock();
    const decoded = decode(decoder, bytes);
    tick("decode");
    return decoded;
  };
  const reading = readTimed(timed, content, belongs);
  tick("inspect");
  return reading;
};

const replyHead = Buffer.from(
  streams === 1
    ? "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\nrequest-id: req_bench\r\ntransfer-encoding: chunked\r\n\r\n"
    : `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nrequest-id: req_bench\r\ncontent-length: ${JSON_REPLY.length}\r\n\r\n`,
);
const replyPieces =
  streams === 1
    ? [
        Buffer.from(SSE_HEAD.join("")),
        ...Array.from({ length: 50 }, (_, i) => Buffer.from(sseDelta(`@t=${12345678901234 + i}@`))),
        Buffer.from(SSE_TAIL.join("")),
      ]
    : [Buffer.from(JSON_REPLY)];

const peer: Peer = {
  address: "127.0.0.1",
  tlsPeer: null,
  send(_request: Outbound, sink: Sink) {
    sink.head(parseReplyHead(replyHead, "POST"));
    for (const piece of replyPieces) sink.data(piece, [piece]);
    sink.end([]);
    return { hasSent: true, abort: () => {}, resume: () => {} };
  },
  release: () => {},
};
const peers = new Peers(null as never, LIMITS, deadlines); // never dials: `take` is replaced
peers.take = () => peer;
const sitting: Sitting = {
  session: {
    id,
    agent: "claude",
    policy,
    socketPath: "",
    workspace: "/work",
    upstream: new URL("http://127.0.0.1:1"),
    label: (host) => ({
      destination: host,
      channel: "llm",
      serverIn: "US",
      operatorLaw: "US",
      trains: "no",
      dpa: "unknown",
    }),
  },
  reader,
  peers,
  custody: new Custody([]),
  rules: new Rulebook(policy, "en", systemClock),
  vault,
  tracing: null,
  masked: new Map(),
  exchanges: 0,
  underWay: new Set(),
};
rooms.spending.open(id, "local:0");
const reply: Reply = {
  isBegun: false,
  isGone: false,
  informational: () => {},
  head: () => {},
  data: () => true,
  flush: () => {},
  end: () => {},
  cut: () => {
    throw new Error("cut");
  },
  refuse: (refusal) => {
    throw new Error(Buffer.from(refusal.body).toString());
  },
  onDrain: () => {},
  onGone: () => {},
  takeSocket: () => {
    throw new Error("no socket");
  },
};

/** The next body, unlike any before. */
const nextBody: () => Buffer = values.captured === "" ? madeBodies() : turnsOf(values.captured);

function madeBodies(): () => Buffer {
  const { bytes, markAt } = requestBody(size, streams === 1, 1);
  let count = 0;
  return () => {
    const body = Buffer.from(bytes);
    body.write((++count).toString(16).padStart(16, "0"), markAt);
    return body;
  };
}

function turnsOf(file: string): () => Buffer {
  const [first = 40, last = first] = values.turns.split("-").map(Number);
  const turns = capturedTurns({ file, turns: [first, last] });
  let count = 0;
  return () => {
    const turn = turns[count % turns.length];
    if (turn === undefined) throw new Error(`${file} has no turns ${values.turns}`);
    return turn.withPass(Math.floor(count++ / turns.length));
  };
}

const headBytes = (length: number): Buffer =>
  Buffer.from(
    `POST /api.anthropic.com/v1/messages HTTP/1.1\r\nhost: 127.0.0.1:3128\r\ncontent-type: application/json\r\nx-api-key: sk-bench\r\nanthropic-version: 2023-06-01\r\nuser-agent: bench/1\r\naccept: application/json\r\ncontent-length: ${length}\r\n\r\n`,
  );
async function one(): Promise<void> {
  const body = nextBody();
  lap = clock();
  const head = parseRequestHead(headBytes(body.length));
  const inbound: Inbound = {
    door: "base",
    protocol: "http/1.1",
    method: "POST",
    target: { scheme: "https", host: "api.anthropic.com", port: 443, path: "/v1/messages" },
    headers: head.headers,
    framing: head.framing,
    trailers: [],
    head: head.wire,
    body: [body],
    bodyBytes: body.length,
    upgrades: false,
  };
  tick("head");
  await pass(requestMatter(inbound, reply, sitting, rooms), sitting, rooms);
  tick("after append");
}

const last = nextBody();
const perRound = last.length > 100_000 ? 100 : 1000;
for (let i = 0; i < perRound * 3; i++) await one();
const all: Record<string, number[]> = {};
for (let round = 0; round < rounds; round++) {
  spent.clear();
  for (let i = 0; i < perRound; i++) await one();
  let sum = 0;
  for (const [name, us] of spent) {
    const each = us / perRound;
    sum += each;
    all[name] = [...(all[name] ?? []), each];
  }
  all["sum"] = [...(all["sum"] ?? []), sum];
}
for (const [name, list] of Object.entries(all)) {
  const sorted = list.toSorted((a, b) => a - b);
  console.log(
    `${name.padEnd(28)} median ${sorted[sorted.length >> 1]?.toFixed(1).padStart(8)}   least ${sorted[0]?.toFixed(1).padStart(8)} µs`,
  );
}
// The floor for reading: parse the same body, and nothing else.
const parse: number[] = [];
for (let round = 0; round < rounds; round++) {
  const from = clock();
  for (let i = 0; i < perRound; i++) JSON.parse(last.toString("utf8"));
  parse.push((clock() - from) / perRound);
}
console.log(
  `${"floor: JSON.parse of the body".padEnd(28)} least ${Math.min(...parse).toFixed(1)} µs, ${last.length} bytes`,
);
process.exit(0);
