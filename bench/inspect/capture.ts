/**
 * Sessions of the real agents as the gateway saw them, for warm.ts.
 *
 *   [STEPS=144] [PLANTED=1] node bench/inspect/capture.ts <directory of ordinary source> <out> [agent …]
 *
 * Each agent of the register works through a script of reads, commands and edits (144 steps unless told otherwise, files of about 5.5 KB, a secret
 * planted in every fourth; with PLANTED=0 none) against the scripted model on loopback, under the default profile, which masks the secrets. What
 * it sent to the model, and tried to send elsewhere, is taken from the ledger's evidence: one file an agent, a line of JSON
 * for each request or message of a WebSocket, in order.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { inflateRawSync } from "node:zlib";
import { placesOf } from "../../src/cli/places.ts";
import type { LedgerEvent } from "../../src/core/index.ts";
import { FrameReader } from "../../src/gateway/frame.ts";
import { DETECTORS } from "../../src/inspect/detectors/index.ts";
import { type Step, startScriptedModel } from "../../src/lab/index.ts";
import { readEntries, readEvidence } from "../../src/ledger/index.ts";
import { AGENTS, type AgentKind } from "../../src/register/index.ts";
import { Place } from "../../test/harness.ts";
import { sourceFiles } from "./corpus.ts";

const [from = "", out = "", ...wanted] = process.argv.slice(2);
const STEPS = Number(process.env["STEPS"] ?? 144);
const isPlanted = process.env["PLANTED"] !== "0";
const source = sourceFiles(from, 2_000_000)
  .map(({ text }) => text)
  .join("\n");
const planted = DETECTORS.filter((d) => d.class === "secret").map((d) => d.examples[0] ?? "");

const files = Object.fromEntries(
  Array.from({ length: STEPS }, (_, i) => [
    `part${i}.py`,
    `${source.slice(i * 6_000, i * 6_000 + 5_500)}\n${isPlanted && i % 4 === 0 ? planted[(i * 7) % planted.length] : ""}\n# end of part ${i}\n`,
  ]),
);
const steps = Array.from({ length: STEPS }, (_, i): Step => {
  if (i % 6 === 4) return { kind: "shell", command: `head -c 5500 part${i}.py` };
  if (i % 6 === 5)
    return { kind: "edit", path: `made${i}.txt`, before: "", after: `line of ${i}\n`.repeat(20) };
  return { kind: "read", path: `part${i}.py` };
});

mkdirSync(out, { recursive: true });
for (const agent of AGENTS.filter(({ name }) => wanted.length === 0 || wanted.includes(name))) {
  const place = new Place(files);
  const model = await startScriptedModel({ cwd: place.workspace, plan: { steps, final: "All read." } });
  try {
    await place.run(["install", `${agent.name}@${agent.tested}`]);
    const done = await place.run([
      ...["run", "--quiet", "--upstream", model.url, `${agent.name}@${agent.tested}`],
      ...agent.headless("Read every part."),
    ]);
    const lines = await sent(place, agent);
    writeFileSync(
      join(out, `${agent.name}.jsonl`),
      lines.map((line) => `${JSON.stringify(line)}\n`).join(""),
    );
    const most = Math.max(...lines.map(({ body }) => Buffer.from(body, "base64").length));
    console.log(`${agent.name}: exit ${done.code}, ${lines.length} bodies, the longest of ${most} bytes`);
  } finally {
    await model.close();
    await place.close();
  }
}

interface Sent {
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly protocol: string;
  readonly findings: readonly string[];
  /** Base64. */
  readonly body: string;
}

async function sent(place: Place, { name }: AgentKind): Promise<readonly Sent[]> {
  const places = placesOf({ ...process.env, SALLYPORT_HOME: place.state });
  const lines: Sent[] = [];
  for await (const { event } of readEntries(places.ledger)) {
    if (event.kind !== "exchange.judged") continue;
    for (const body of await bodiesOf(event)) {
      const { method, host, path, protocol } = event;
      const findings = event.findings.map(({ detector, count }) => `${detector} ${count}`);
      lines.push({ method, host, path, protocol, findings, body: body.toString("base64") });
    }
  }
  if (lines.length === 0) throw new Error(`${name} sent nothing`);
  return lines;

  async function bodiesOf(event: Extract<LedgerEvent, { kind: "exchange.judged" }>): Promise<Buffer[]> {
    const found: Buffer[] = [];
    for (const { id, role } of event.evidence) {
      if (role === "request-body") found.push(await readEvidence(places.ledger, places.keys, id));
      if (role !== "frames") continue;
      const frames = new FrameReader(1 << 28, "agent").feed(
        await readEvidence(places.ledger, places.keys, id),
      );
      const payload = Buffer.concat(frames.map((frame) => frame.payload));
      const isDeflated = frames[0]?.isCompressed === true;
      const tail = Buffer.from([0, 0, 0xff, 0xff]);
      found.push(isDeflated ? inflateRawSync(Buffer.concat([payload, tail])) : payload);
    }
    return found;
  }
}
