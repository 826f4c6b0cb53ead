/**
 * A growing conversation: what a turn costs to decode and inspect, and whether it finds what a full scan finds.
 *
 *   node bench/inspect/warm.ts <directory of ordinary source>
 *
 * Anthropic Messages, about 140 turns of about 6 KB up to 834 KB, the cache mark moving, `system` and `tools` after
 * `messages`, a planted secret in every fourth tool result. CPU time of this process per turn.
 */
import { createDecoder } from "../../src/dialect/index.ts";
import { DETECTORS } from "../../src/inspect/detectors/index.ts";
import { createInspector } from "../../src/inspect/inspect.ts";
import { sourceFiles } from "./corpus.ts";

const source = sourceFiles(process.argv[2] ?? "", 3_000_000)
  .map((f) => f.text)
  .join("\n");
const planted = DETECTORS.filter((d) => d.class === "secret").map((d) => d.examples[0] ?? "");
const messages: { role: string; content: object[] }[] = [];
const bodies: Buffer[] = [];
for (let turn = 0, size = 0; size < 834_000; turn++) {
  const text =
    source.slice(turn * 5500, turn * 5500 + 5400) +
    (turn % 4 === 0 ? `\n${planted[turn % planted.length]}\n` : "");
  messages.push({
    role: "assistant",
    content: [{ type: "tool_use", id: `t${turn}`, name: "Read", input: { file_path: `/w/${turn}.py` } }],
  });
  messages.push({ role: "user", content: [{ type: "tool_result", tool_use_id: `t${turn}`, content: text }] });
  const marked = messages.map((m, i) =>
    i === messages.length - 1
      ? { ...m, content: m.content.map((c) => ({ ...c, cache_control: { type: "ephemeral" } })) }
      : m,
  );
  const body = Buffer.from(
    JSON.stringify({
      model: "m",
      messages: marked,
      system: [{ type: "text", text: "You help." }],
      tools: [{ name: "Read" }],
      stream: true,
    }),
  );
  bodies.push(body);
  size = body.length;
}
const view = (body: Uint8Array) => ({
  method: "POST",
  host: "api.anthropic.com",
  path: "/v1/messages",
  headers: [["content-type", "application/json"]] as [string, string][],
  body,
});
const key = Buffer.alloc(32, 1);

function session(): { turns: { decode: number; inspect: number }[]; found: number } {
  const decoder = createDecoder();
  const inspector = createInspector({ key });
  let found = 0;
  const turns = bodies.map((body) => {
    const t0 = performance.now();
    const decoded = decoder.decode(view(body));
    const t1 = performance.now();
    found = inspector.inspect(decoded.parts).findings.length;
    return { decode: t1 - t0, inspect: performance.now() - t1 };
  });
  return { turns, found };
}
session();
const { turns, found } = session();
const median = (values: number[]): string =>
  (values.sort((a, b) => a - b)[values.length >> 1] ?? 0).toFixed(3);
const late = turns.slice(-20);
console.log(
  `${bodies.length} turns to ${bodies.at(-1)?.length} bytes; the last 20 turns: decode ${median(late.map((t) => t.decode))} ms, inspect ${median(late.map((t) => t.inspect))} ms (median)`,
);
const whole = createInspector({ key }).inspect(
  createDecoder().decode(view(bodies.at(-1) ?? Buffer.alloc(0))).parts,
);
console.log(`findings in the last turn: ${found}; a full scan of it: ${whole.findings.length}`);
