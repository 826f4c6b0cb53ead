/**
 * A growing conversation: what a turn costs to decode and inspect, and whether it finds what a full scan finds.
 *
 *   node bench/inspect/warm.ts <directory of ordinary source> [<directory of captured sessions>]
 *
 * First a conversation made for it: Anthropic Messages, about 140 turns of about 6 KB up to 834 KB, the cache mark moving,
 * `system` and `tools` after `messages`, a planted secret in every fourth tool result. Then those that capture.ts took from
 * real agents. Median of the last 20 turns, by the clock and by CPU time of the process (its collector's threads included);
 * floor: `Buffer.compare` of the turn's body with the one before. Each session is run twice and the second counts.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createDecoder, type Decoded, type Decoder, type RequestView } from "../../src/dialect/index.ts";
import { DETECTORS } from "../../src/inspect/detectors/index.ts";
import { createInspector, type Finding } from "../../src/inspect/inspect.ts";
import { sourceFiles } from "./corpus.ts";

/** A request, or a message of a WebSocket (`path` null). */
interface Turn {
  readonly host: string;
  readonly path: string | null;
  readonly body: Buffer;
}
const key = Buffer.alloc(32, 1);

function made(source: string): Turn[] {
  const planted = DETECTORS.filter((d) => d.class === "secret").map((d) => d.examples[0] ?? "");
  const messages: { role: string; content: object[] }[] = [];
  const turns: Turn[] = [];
  for (let turn = 0, size = 0; size < 834_000; turn++) {
    const text =
      source.slice(turn * 5500, turn * 5500 + 5400) +
      (turn % 4 === 0 ? `\n${planted[turn % planted.length]}\n` : "");
    messages.push({
      role: "assistant",
      content: [{ type: "tool_use", id: `t${turn}`, name: "Read", input: { file_path: `/w/${turn}.py` } }],
    });
    messages.push({
      role: "user",
      content: [{ type: "tool_result", tool_use_id: `t${turn}`, content: text }],
    });
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
    turns.push({ host: "api.anthropic.com", path: "/v1/messages", body });
    size = body.length;
  }
  return turns;
}

const captured = (file: string): Turn[] =>
  readFileSync(file, "utf8")
    .trim()
    .split("\n")
    .map((line) => {
      const { host, path, protocol, body } = JSON.parse(line);
      return { host, path: protocol === "websocket" ? null : path, body: Buffer.from(body, "base64") };
    });

function decode(decoder: Decoder, { host, path, body }: Turn): Decoded {
  if (path === null) return decoder.decodeMessage(body);
  const headers: RequestView["headers"] = [["content-type", "application/json"]];
  return decoder.decode({ method: "POST", host, path, headers, body });
}

interface Cost {
  readonly decode: number;
  readonly inspect: number;
  readonly cpu: number;
  readonly floor: number;
}

/** What was found, by what is found where: part, place, detector. */
const told = (findings: readonly Finding[]): string =>
  findings.map(({ part, start, end, detector }) => `${part} ${start} ${end} ${detector}`).join("\n");

function session(turns: readonly Turn[]): {
  readonly costs: Cost[];
  readonly wrong: number;
  readonly found: number;
} {
  const decoder = createDecoder();
  const inspector = createInspector({ key });
  let wrong = 0;
  let found = 0;
  const costs = turns.map((turn, i): Cost => {
    const before = process.cpuUsage();
    const t0 = performance.now();
    const decoded = decode(decoder, turn);
    const t1 = performance.now();
    const { findings } = inspector.inspect(decoded.parts);
    const t2 = performance.now();
    const { user, system } = process.cpuUsage(before);
    turns[i - 1]?.body.compare(turn.body);
    const floor = performance.now() - t2;
    found = Math.max(found, findings.length);
    // A full scan of every turn would take minutes: of the last ones.
    if (turns.length - i <= 5) {
      const whole = createInspector({ key }).inspect(decode(createDecoder(), turn).parts);
      if (told(whole.findings) !== told(findings)) wrong++;
    }
    return { decode: t1 - t0, inspect: t2 - t1, cpu: (user + system) / 1000, floor };
  });
  return { costs, wrong, found };
}

const median = (values: readonly number[]): string =>
  (values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0).toFixed(3);

function report(name: string, turns: readonly Turn[]): void {
  session(turns);
  const { costs, wrong, found } = session(turns);
  const late = costs.slice(-20);
  const size = turns.at(-1)?.body.length ?? 0;
  const grown = turns
    .slice(-20)
    .map(({ body }, i, all) => body.length - (all[i - 1]?.body.length ?? body.length));
  console.log(
    `${name}: ${turns.length} turns to ${size} bytes (${median(grown.map(Math.abs))} more in one); decode ${median(late.map((t) => t.decode))} ms, inspect ${median(late.map((t) => t.inspect))} ms, CPU of both ${median(late.map((t) => t.cpu))} ms; floor ${median(late.map((t) => t.floor))} ms; findings ${found}, of the last 5 turns ${wrong} differ from a full scan`,
  );
}

const [source = "", folder = ""] = process.argv.slice(2);
report(
  "made",
  made(
    sourceFiles(source, 3_000_000)
      .map((f) => f.text)
      .join("\n"),
  ),
);
if (existsSync(folder))
  // Side requests (titles, safety) are conversations of their own, and cost less.
  for (const name of readdirSync(folder))
    report(name.replace(".jsonl", ""), mainOf(captured(join(folder, name))));

function mainOf(turns: readonly Turn[]): Turn[] {
  const sizes = new Map<string | null, number>();
  for (const { path, body } of turns) sizes.set(path, (sizes.get(path) ?? 0) + body.length);
  const [main] = [...sizes].sort((a, b) => b[1] - a[1])[0] ?? [null];
  return turns.filter(({ path }) => path === main);
}
