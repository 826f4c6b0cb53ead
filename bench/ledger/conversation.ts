/**
 * A synthetic agent session in the shape of the Anthropic Messages API: a 6 KB system prompt, 16 tools, a history that
 * grows to some 800 KB in 100 turns and is sent whole with each request, tool results that are numbered slices of real
 * source files, prose from real comments, random ids and signatures, a cache mark that wanders; with `clearAt` the old
 * tool results are cleared at that turn. Sources: the folder in SOURCES, else Go's (Debian golang-go), else
 * node_modules/@types/node. Deterministic for one folder.
 */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

export interface Conversation {
  readonly requests: readonly Buffer[];
  readonly replies: readonly Buffer[];
}

interface Block {
  [key: string]: unknown;
}

const SOURCES = [
  process.env["SOURCES"],
  "/usr/share/go-1.19/src",
  join(import.meta.dirname, "../../node_modules/@types/node"),
].find((path) => path !== undefined && existsSync(path));

export function conversation(options: {
  readonly turns: number;
  readonly bytes: number;
  readonly seed: number;
  readonly clearAt?: number;
}): Conversation {
  const { turns, bytes, seed, clearAt = 0 } = options;
  const corpus = loadCorpus();
  const random = xorshift(seed * 7919 + 13);
  const pick = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)] ?? fail("an empty corpus");
  const say = (length: number): string => {
    let text = "";
    while (text.length < length) text += pick(corpus.prose);
    return text.slice(0, length);
  };
  const token = (length: number): string =>
    Array.from(
      { length },
      () => "0123456789abcdefghjkmnpqrstvwxyzABCDEFGHJKMNPQRSTVWXYZ"[Math.floor(random() * 54)],
    ).join("");
  const system = [
    { type: "text", text: "You are an agent." },
    { type: "text", text: say(6000), cache_control: { type: "ephemeral" } },
  ];
  const tools = Array.from({ length: 16 }, (_, i) => ({
    name: `Tool${i}`,
    description: say(350),
    input_schema: { type: "object", properties: { file_path: { type: "string", description: say(60) } } },
  }));
  const hot = Array.from({ length: 200 }, () => pick(corpus.files));
  const user = `user_${seed}_session_${token(36)}`;
  const messages: { role: string; content: Block[] }[] = [
    { role: "user", content: [{ type: "text", text: `<env>/home/u${seed}/repo</env>\n${say(1200)}` }] },
  ];
  const requests: Buffer[] = [];
  const replies: Buffer[] = [];
  const perTurn = (bytes - 20_000) / (turns - 1);
  for (let turn = 0; turn < turns; turn++) {
    const shown = messages.map((m, i) => ({
      role: m.role,
      content: m.content.map((c, k) =>
        i === messages.length - 1 && k === m.content.length - 1
          ? { ...c, cache_control: { type: "ephemeral" } }
          : c,
      ),
    }));
    const request = Buffer.from(
      JSON.stringify({
        model: "m",
        max_tokens: 32000,
        system,
        tools,
        messages: shown,
        metadata: { user_id: user },
        stream: true,
      }),
    );
    requests.push(request);
    const [id, text, file] = [`toolu_01${token(22)}`, say(150 + random() * 700), pick(hot)];
    replies.push(stream(text, random));
    messages.push({
      role: "assistant",
      content: [
        { type: "thinking", thinking: say(200 + random() * 400), signature: token(180) },
        { type: "text", text },
        { type: "tool_use", id, name: "Read", input: { file_path: file.path, offset: 1 } },
      ],
    });
    let result = "";
    const start = Math.floor(random() * Math.max(1, file.lines.length - 50));
    for (let i = start; i < file.lines.length && result.length < perTurn * (0.5 + random()) - 900; i++)
      result += `${String(i + 1).padStart(6)}\t${file.lines[i]}\n`;
    while (request.length + result.length < 20_000 + perTurn * (turn + 0.2))
      result += pick(hot).lines.join("\n").slice(0, perTurn);
    messages.push({ role: "user", content: [{ type: "tool_result", tool_use_id: id, content: result }] });
    if (clearAt > 0 && turn === clearAt)
      for (const m of messages.slice(0, -20))
        for (const block of m.content) if (block["type"] === "tool_result") block["content"] = "[cleared]";
  }
  return { requests, replies };
}

function stream(text: string, random: () => number): Buffer {
  let events = 'event: message_start\ndata: {"type":"message_start"}\n\n';
  for (let at = 0; at < text.length; ) {
    const length = 2 + Math.floor(random() * 6);
    const delta = { type: "text_delta", text: text.slice(at, at + length) };
    events += `event: content_block_delta\ndata: ${JSON.stringify({ type: "content_block_delta", index: 0, delta })}\n\n`;
    at += length;
  }
  return Buffer.from(`${events}event: message_stop\ndata: {"type":"message_stop"}\n\n`);
}

function loadCorpus(): { files: { path: string; lines: string[] }[]; prose: string[] } {
  const folder = SOURCES ?? fail("no source files to take text from: set SOURCES");
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => /\.(go|ts|js|py|rs|c|java)$/.test(name))
    .sort();
  const files = [];
  const prose: string[] = [];
  for (const name of names) {
    const found = statSync(join(folder, name));
    const { size } = found;
    if (!found.isFile() || size < 1500 || size > 80_000) continue;
    const text = readFileSync(join(folder, name), "utf8");
    files.push({ path: `/home/u/repo/${name}`, lines: text.split("\n") });
    if (files.length <= 1500)
      for (const m of text.matchAll(/((?:^\s*(?:\/\/|\*) .{30,}\n){2,})/gm))
        prose.push((m[1] ?? "").replace(/^\s*(?:\/\/|\*) /gm, "").replace(/\n/g, " "));
  }
  return { files, prose };
}

function xorshift(start: number): () => number {
  let state = start | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 4294967296;
  };
}

function fail(message: string): never {
  throw new Error(message);
}
