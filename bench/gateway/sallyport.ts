/**
 * The gateway as a station runs it, for the bench: its own process, 64 sessions, the real ledger on a real disk, the full
 * pipeline. `node bench/gateway/sallyport.ts <folder> <stand-in url> [roots.pem] [null]`; prints `ready` when it listens at
 * <folder>/<n>.sock, each session's certificate in <folder>/<n>.pem. `null`: a ledger that only counts, to tell its share.
 */
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type EventBody, newSessionId, systemClock } from "../../src/core/index.ts";
import { openGateway } from "../../src/gateway/index.ts";
import { createInspector } from "../../src/inspect/index.ts";
import { type EvidenceInput, openLedger } from "../../src/ledger/index.ts";
import { layer, parseDocument, readyProfile } from "../../src/policy/index.ts";

const [folder = "", upstream = "", roots, mode] = process.argv.slice(2);
mkdirSync(folder, { recursive: true, mode: 0o700 });
const ledger =
  mode === "null"
    ? null
    : await openLedger({
        directory: join(folder, "ledger"),
        keyDirectory: join(folder, "keys"),
        clock: systemClock,
        program: "bench",
      });
let count = 0;
const append =
  ledger === null
    ? async (body: EventBody, _evidence?: readonly EvidenceInput[]) => ({
        index: count++,
        event: { v: 1 as const, at: 0, ...body },
      })
    : (body: EventBody, evidence?: readonly EvidenceInput[]) => ledger.append(body, evidence);
const SESSIONS = 64;
const policy = layer([parseDocument(readyProfile("default") ?? "", "default")]);
const gateway = openGateway({
  clock: systemClock,
  append,
  inspector: createInspector({ key: Buffer.alloc(32, 1) }),
  placeholderKey: Buffer.alloc(32, 2),
  extraRoots: roots === undefined || roots === "" ? [] : [readFileSync(roots, "utf8")],
  onFault: (fault) => console.error(fault.message),
});
for (let n = 0; n < SESSIONS; n++) {
  const session = await gateway.openSession({
    id: newSessionId((bytes) => randomBytes(bytes)),
    agent: "claude",
    policy,
    socketPath: join(folder, `${n}.sock`),
    workspace: "/work",
    upstream: new URL(upstream),
    label: (host) => ({
      destination: host,
      channel: "llm",
      serverIn: "US",
      operatorLaw: "US",
      trains: "no",
      dpa: "unknown",
    }),
  });
  writeFileSync(join(folder, `${n}.pem`), session.caCertificate);
}
console.log("ready");
// For idle.ts: what is garbage is no memory of a connection.
process.on("SIGUSR2", () => globalThis.gc?.());
process.on("SIGTERM", () => {
  void gateway
    .close()
    .then(() => ledger?.close())
    .then(() => process.exit(0));
});
