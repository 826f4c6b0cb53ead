/**
 * What redaction and restoration cost.
 *
 *   node bench/inspect/redact.ts
 *
 * A conversation of about 834 KB in which 20 known values stand in 40 places; a reply of 2,000 text events of about 12
 * characters, one in ten of them part of a placeholder. CPU time, median of 15.
 */
import { createVault } from "../../src/inspect/vault.ts";

const key = Buffer.alloc(32, 1);
const values = Array.from({ length: 20 }, (_, i) => `ghp_${`aB${i}dE5gH`.repeat(6).slice(0, 36)}`);
const vault = createVault({ key });
const parts = values.map((text) => ({ text, isNew: true, role: "user" }));
const findings = values.map((value, part) => ({
  class: "secret",
  detector: "github-token",
  part,
  start: 0,
  end: value.length,
  hash: "",
  verified: false,
}));
vault.learn(parts, { findings, tally: [] }, ["secret"]);

const filler =
  'def read(self, size=-1):\n    """Read up to \\"size\\" bytes."""\n    return self.raw.read(size)\n'.repeat(
    56,
  );
const messages = Array.from({ length: 144 }, (_, i) => ({
  role: "user",
  content: [
    {
      type: "tool_result",
      tool_use_id: `t${i}`,
      content: filler + (i < 40 ? `token = "${values[i % 20]}"` : ""),
    },
  ],
}));
const body = Buffer.from(JSON.stringify({ model: "m", messages }));

function cpuMs(run: () => void): number {
  const spent: number[] = [];
  for (let round = 0; round < 18; round++) {
    const before = process.cpuUsage();
    run();
    const used = process.cpuUsage(before);
    if (round >= 3) spent.push((used.user + used.system) / 1e3);
  }
  return spent.sort((a, b) => a - b)[7] ?? 0;
}

const redacted = vault.redact(body, "json");
const time = cpuMs(() => void vault.redact(body, "json"));
const parsed = cpuMs(() => void JSON.stringify(JSON.parse(body.toString())));
console.log(
  `redact ${body.length} bytes: ${redacted.replaced} replaced, ${redacted.left} left, ${time.toFixed(2)} ms; JSON.parse and JSON.stringify alone ${parsed.toFixed(2)} ms`,
);
const clean = Buffer.from(JSON.stringify({ model: "m", messages: messages.slice(40) }));
console.log(
  `redact ${clean.length} bytes that hold none of them: ${cpuMs(() => void vault.redact(clean, "json")).toFixed(2)} ms`,
);

const placeholders = values.map((value) =>
  Buffer.concat(vault.redact(Buffer.from(JSON.stringify([value])), "json").chunks as Uint8Array[])
    .toString()
    .slice(2, -2),
);
const said = Array.from(
  { length: 200 },
  (_, i) => `some words before ${placeholders[i % 20]} and some more of them behind it, so that it reads. `,
).join("");
const events: Buffer[] = [];
for (let at = 0; at < said.length; at += 12)
  events.push(
    Buffer.from(
      `event: content_block_delta\ndata: ${JSON.stringify({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text: said.slice(at, at + 12) } })}\n\n`,
    ),
  );
const restoring = cpuMs(() => {
  const restorer = vault.restorer("text/event-stream");
  for (const event of events) restorer.push(event);
  restorer.end();
});
console.log(`restore ${events.length} events: ${((restoring * 1e3) / events.length).toFixed(1)} µs an event`);
