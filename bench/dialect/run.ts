/**
 * What reading a request costs, by the side of JSON.parse and a walk over all strings in the same run.
 *
 *   node bench/dialect/run.ts
 *
 * The session is synthetic in its course and real in its text: tool results are slices of this repository's sources,
 * a cache mark moves to the last message each turn, `system` and `tools` stand after the messages, as claude does it.
 * Turns are counted from 750 KB on. On a machine that others use too, look at the least figure and at the ratio.
 */
import { readdirSync, readFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { createDecoder, createReplyReader, type RequestView } from "../../src/dialect/index.ts";

const TARGET_BYTES = 834_000;
const TURN_BYTES = 5_600;
const SESSIONS = 8;

const source = readdirSync("src", { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
  .sort()
  .map((name) => readFileSync(join("src", name), "utf8"))
  .join("\n");

/** The bodies of one session, turn by turn. `mark`: makes sessions differ, so that no cache of strings helps. */
function turnsOf(mark: number): readonly Buffer[] {
  let at = (mark * 7919) % 10_000;
  const slice = (bytes: number): string => {
    at = (at + bytes) % (source.length - bytes);
    return `${mark} ${source.slice(at, at + bytes)}`;
  };
  const tools = Array.from({ length: 16 }, (_, i) => ({
    name: `Tool${i}`,
    description: slice(1500),
    input_schema: { type: "object", properties: { file_path: { type: "string", description: slice(60) } } },
  }));
  const system = [{ type: "text", text: slice(6000) }];
  const messages: { role: string; content: object[] }[] = [
    { role: "user", content: [{ type: "text", text: slice(300) }] },
  ];
  const turns: Buffer[] = [];
  for (let i = 0; (turns.at(-1)?.length ?? 0) < TARGET_BYTES; i++) {
    const id = `toolu_${mark}_${i}`;
    const call = { type: "tool_use", id, name: "Read", input: { file_path: `/work/src/file${i}.ts` } };
    messages.push({ role: "assistant", content: [{ type: "text", text: slice(200) }, call] });
    messages.push({
      role: "user",
      content: [{ type: "tool_result", tool_use_id: id, content: slice(TURN_BYTES - 700) }],
    });
    const marked = messages.map((message, j) =>
      j < messages.length - 1
        ? message
        : {
            ...message,
            content: message.content.map((block) => ({ ...block, cache_control: { type: "ephemeral" } })),
          },
    );
    const body = {
      model: "claude",
      messages: marked,
      system,
      tools,
      metadata: { user_id: "u" },
      max_tokens: 32_000,
      stream: true,
    };
    turns.push(Buffer.from(JSON.stringify(body)));
  }
  return turns;
}

const view = (body: Buffer): RequestView => ({
  method: "POST",
  host: "api.anthropic.com",
  path: "/v1/messages?beta=true",
  headers: [["Content-Type", "application/json"]],
  body,
});

function walk(value: unknown, into: string[]): void {
  if (typeof value === "string") into.push(value);
  else if (typeof value === "object" && value !== null)
    for (const inner of Object.values(value)) walk(inner, into);
}

const micros = (work: () => void): number => {
  const start = process.hrtime.bigint();
  work();
  return Number(process.hrtime.bigint() - start) / 1000;
};
const quantile = (values: readonly number[], q: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))] ?? 0;
const show = (values: readonly number[]): string =>
  [0, 0.5, 0.99].map((q) => quantile(values, q).toFixed(0)).join(" | ");

const figures = { warm: [] as number[], parse: [] as number[], cold: [] as number[], repeat: [] as number[] };
let turnCount = 0;
for (let session = 0; session < SESSIONS; session++) {
  const turns = turnsOf(session);
  turnCount = turns.length;
  const decoder = createDecoder({ workspace: "/work" });
  for (const body of turns) {
    const warm = micros(() => void decoder.decode(view(body)));
    const parse = micros(() => walk(JSON.parse(body.toString("utf8")), []));
    if (session === 0 || body.length < 750_000) continue; // the first session warms the machine up
    figures.warm.push(warm);
    figures.parse.push(parse);
  }
  const last = turns.at(-1) ?? Buffer.alloc(0);
  const copy = Buffer.from(last);
  const repeat = micros(() => void decoder.decode(view(copy)));
  const fresh = createDecoder({ workspace: "/work" });
  const cold = micros(() => void fresh.decode(view(last)));
  if (session > 0) {
    figures.repeat.push(repeat);
    figures.cold.push(cold);
  }
}

// Small requests, each with a new text, in one session; and replies of 55 events.
const small: number[] = [];
const reply: number[] = [];
const replyParse: number[] = [];
const decoder = createDecoder();
const events = Array.from({ length: 51 }, (_, i) => ({
  type: "content_block_delta",
  index: 0,
  delta: { type: "text_delta", text: `word ${i} ` },
}));
const stream = [
  { type: "message_start", message: { model: "claude", usage: { input_tokens: 9, output_tokens: 1 } } },
  ...events,
  { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 51 } },
  { type: "message_stop" },
].map((event) => Buffer.from(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`));
for (let i = 0; i < 20_000; i++) {
  const text = source.slice((i * 37) % 100_000, ((i * 37) % 100_000) + 1700);
  const body = Buffer.from(
    JSON.stringify({ model: "m", messages: [{ role: "user", content: `${i} ${text}` }] }),
  );
  const took = micros(() => void decoder.decode(view(body)));
  const read = micros(() => {
    const reader = createReplyReader("anthropic-messages", "text/event-stream");
    for (const chunk of stream) reader.feed(chunk);
    reader.end();
  });
  const parsed = micros(() => {
    for (const chunk of stream) JSON.parse(chunk.toString("utf8").split("\n")[1]?.slice(6) ?? "");
  });
  if (i < 2000) continue;
  small.push(took);
  reply.push(read);
  replyParse.push(parsed);
}

console.log(`node ${process.version}, ${cpus()[0]?.model.trim()}, ${SESSIONS - 1} sessions of ${turnCount} turns up to ${TARGET_BYTES / 1000} KB

| µs | least | median | p99 |
|---|--:|--:|--:|
| next turn of a session: 834 KB, of which 6 KB are new | ${show(figures.warm)} |
| the same body: JSON.parse and a walk over all strings | ${show(figures.parse)} |
| the same body again (a retry) | ${show(figures.repeat)} |
| 834 KB seen for the first time (a session resumed elsewhere) | ${show(figures.cold)} |
| 2 KB, all new | ${show(small)} |
| a reply of 54 events, read for usage and end | ${show(reply)} |
| the same events, each JSON.parse | ${show(replyParse)} |

next turn: ${(quantile(figures.parse, 0.5) / quantile(figures.warm, 0.5)).toFixed(1)} times less than JSON.parse and a walk`);
