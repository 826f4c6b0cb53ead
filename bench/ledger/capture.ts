/**
 * Captures what real agents send: each of them works through a long scripted task behind the wall, and the exact bytes of its
 * requests and replies are read back from the ledger's evidence. Nothing leaves the machine; no key is needed.
 * `node bench/ledger/capture.ts DIR [agent…]`, then `node bench/ledger/evidence.ts --captured DIR`.
 *
 * DIR/<agent>.<role>/<0000>: one body a file, in order.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startScriptedModel } from "../../src/lab/index.ts";
import { readEntries, readEvidence } from "../../src/ledger/index.ts";
import { AGENTS } from "../../src/register/index.ts";
import { Place } from "../../test/harness.ts";

const [directory, ...names] = process.argv.slice(2);
if (directory === undefined) throw new Error("usage: node bench/ledger/capture.ts DIR [agent…]");
const SOURCES = join(import.meta.dirname, "../../src/ledger");
const STEPS = 30;

const files = Object.fromEntries(
  readdirSync(SOURCES)
    .filter((name) => name.endsWith(".ts"))
    .slice(0, STEPS)
    .map((name) => [name, readFileSync(join(SOURCES, name), "utf8")]),
);
const steps = Object.keys(files).map((path) => ({ kind: "read", path }) as const);

for (const kind of AGENTS.filter((agent) => names.length === 0 || names.includes(agent.name))) {
  const place = new Place(files);
  const model = await startScriptedModel({ plan: { steps, final: "All read." }, cwd: place.workspace });
  try {
    const agent = `${kind.name}@${kind.tested}`;
    const prompt = "Read every source file here, one after the other, and say when you have read all.";
    const done = await place.run([
      "run",
      "--quiet",
      "--upstream",
      model.url,
      agent,
      ...kind.headless(prompt),
    ]);
    const counts = new Map<string, number>();
    for await (const { event } of readEntries(join(place.state, "ledger"))) {
      if (event.kind !== "exchange.judged" && event.kind !== "exchange.answered") continue;
      for (const { id, role } of event.evidence.filter((ref) => !ref.role.endsWith("-head"))) {
        const folder = join(directory, `${kind.name}.${role}`);
        const n = counts.get(role) ?? 0;
        counts.set(role, n + 1);
        mkdirSync(folder, { recursive: true });
        const bytes = await readEvidence(join(place.state, "ledger"), join(place.state, "keys"), id);
        writeFileSync(join(folder, String(n).padStart(4, "0")), bytes);
      }
    }
    const told = [...counts].map(([role, n]) => `${n} ${role}`).join(", ");
    console.log(`${agent}: exit ${done.code}, ${told || done.stderr.slice(-300)}`);
  } finally {
    await model.close();
    await place.close();
  }
}
