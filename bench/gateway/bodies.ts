/** What the bench sends and answers: Anthropic Messages in the shape of a coding agent's turn, as agents were seen to send. */
import { readFileSync } from "node:fs";

const CODE =
  'function resolve(path, opts) {\n\tconst p = path.split("/").filter(Boolean); // "walk" the tree\n\tfor (const part of p) { if (part === "..") opts.depth--; else opts.depth++; }\n\treturn { ok: opts.depth >= 0, path: p.join("/"), why: \'a \\\\ quoted "string"\' };\n}\n';
const SCHEMA = {
  type: "object",
  properties: { path: { type: "string", description: "file path" }, limit: { type: "integer" } },
  required: ["path"],
};

export interface Body {
  readonly bytes: Buffer;
  /** Where the mark stands that makes each request's last message new. */
  readonly markAt: number;
}

const MARK = "0123456789abcdef";

/** A conversation of about `size` bytes whose last message (up to 2 KB) carries a mark. */
export function requestBody(size: number, streams: boolean, seed: number): Body {
  const messages: { role: string; content: unknown }[] = [];
  const turn = (text: string): void => {
    const i = messages.length;
    if (i % 2 === 0)
      messages.push({
        role: "user",
        content: [{ type: "tool_result", tool_use_id: `toolu_${seed}_${i}`, content: text }],
      });
    else
      messages.push({
        role: "assistant",
        content: [
          {
            type: "tool_use",
            id: `toolu_${seed}_${i + 1}`,
            name: "read_file",
            input: { path: `src/f${seed}_${i}.ts`, note: text },
          },
        ],
      });
  };
  const envelope = {
    model: "bench-model",
    messages,
    system: "You are a coding agent.",
    tools: [{ name: "read_file", description: "Read a file", input_schema: SCHEMA }],
    max_tokens: 1024,
    stream: streams,
  };
  const last = (): number => Math.min(2_000, Math.max(200, size - 700));
  let have = JSON.stringify(envelope).length;
  for (let i = 0; have + last() + 600 < size; i++) {
    const text = `// file ${seed}.${i}.ts\n${CODE.repeat(6)}`.slice(0, 2_300);
    turn(text);
    have += JSON.stringify(messages.at(-1)).length + 1;
  }
  if (messages.length % 2 === 1) turn("go on");
  turn(`${MARK}\n${CODE.repeat(7)}`.slice(0, Math.max(120, size - JSON.stringify(envelope).length - 120)));
  const bytes = Buffer.from(JSON.stringify(envelope));
  return { bytes, markAt: bytes.lastIndexOf(MARK) };
}

const USAGE = {
  input_tokens: 1200,
  output_tokens: 50,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: 0,
};
export const JSON_REPLY = JSON.stringify({
  id: "msg_bench",
  type: "message",
  role: "assistant",
  model: "bench-model",
  content: [{ type: "text", text: "The quick brown fox jumps over the lazy dog. ".repeat(10) }],
  stop_reason: "end_turn",
  stop_sequence: null,
  usage: USAGE,
});

const sse = (event: string, data: object): string =>
  `event: ${event}\ndata: ${JSON.stringify({ type: event, ...data })}\n\n`;
export const SSE_HEAD = [
  sse("message_start", {
    message: {
      id: "msg_bench",
      type: "message",
      role: "assistant",
      model: "bench-model",
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: USAGE,
    },
  }),
  sse("content_block_start", { index: 0, content_block: { type: "text", text: "" } }),
];
export const sseDelta = (stamp: string): string =>
  sse("content_block_delta", { index: 0, delta: { type: "text_delta", text: `token ${stamp} ` } });
export const SSE_TAIL = [
  sse("content_block_stop", { index: 0 }),
  sse("message_delta", {
    delta: { stop_reason: "end_turn", stop_sequence: null },
    usage: { output_tokens: 50 },
  }),
  sse("message_stop", {}),
];

/** Turns of a session that bench/inspect/capture.ts took from a real agent. */
export interface Captured {
  readonly file: string;
  /** First and last of the turns to send; those before are only in their history. */
  readonly turns: readonly [number, number];
}

export interface CapturedTurn {
  /** The body, with what its window's files say made anew for each pass; as long as before. */
  withPass(pass: number): Buffer;
}

/** What capture.ts writes at the end of each file that the agent reads. */
const END_OF_PART = /# end of part (\d+)/g;

export function capturedTurns({ file, turns: [first, last] }: Captured): readonly CapturedTurn[] {
  const bodies = readFileSync(file, "utf8")
    .trim()
    .split("\n")
    .map(
      (line) => JSON.parse(line) as { readonly path: string; readonly method: string; readonly body: string },
    )
    .filter(({ method, path }) => method === "POST" && path === "/v1/messages")
    .map(({ body }) => Buffer.from(body, "base64"))
    // Side requests (a title, a summary) are small, and no turns.
    .filter(({ length }) => length > 20_000);
  return bodies.slice(first, last + 1).map((body) => {
    const marks = [...body.toString("latin1").matchAll(END_OF_PART)]
      .filter(([, part]) => Number(part) >= first)
      .map(({ index }) => index + "# end of ".length);
    return {
      withPass: (pass) => {
        const own = Buffer.from(body);
        const code = pass.toString(36).padStart(4, "0").slice(-4);
        for (const at of marks) own.write(code, at, "latin1");
        return own;
      },
    };
  });
}
