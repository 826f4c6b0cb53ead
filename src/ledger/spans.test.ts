import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { asSessionId, type EventBody, exchangeId, type LedgerEvent } from "../core/index.ts";
import { exportEntries, followEntries, openLedger } from "./index.ts";
import { SpanFold } from "./spans.ts";

const session = asSessionId("7f3a0001") ?? expect.fail("not an id");
const judged = (
  n: number,
  more: Partial<Extract<EventBody, { kind: "exchange.judged" }>> = {},
): EventBody => ({
  kind: "exchange.judged",
  session,
  exchange: exchangeId(session, n),
  door: "tls",
  protocol: "h2",
  method: "POST",
  host: "api.anthropic.com",
  port: 443,
  path: "/v1/messages",
  queryBytes: 0,
  sentTo: "https://api.anthropic.com",
  destination: "anthropic-api",
  dialect: "anthropic-messages",
  understood: true,
  model: "m-1",
  requestBytes: 12,
  sources: { files: [], commands: 0, others: 0 },
  findings: [],
  verdict: "allow",
  rules: [],
  evidence: [],
  ...more,
});
const answered = (
  n: number,
  more: Partial<Extract<EventBody, { kind: "exchange.answered" }>> = {},
): EventBody => ({
  kind: "exchange.answered",
  session,
  exchange: exchangeId(session, n),
  status: 200,
  responseBytes: 5,
  address: "203.0.113.7",
  tlsPeer: null,
  usage: { inputTokens: 3, outputTokens: 0, cachedTokens: null },
  complete: true,
  durationMs: 4.4,
  evidence: [],
  ...more,
});
const ended: EventBody = {
  kind: "session.ended",
  session,
  reason: "exited",
  exitCode: 0,
  setAside: [],
  appeared: [],
};
const failed = (n: number): EventBody => ({
  kind: "exchange.failed",
  session,
  exchange: exchangeId(session, n),
  fault: "gateway.broken",
  mayHaveLeft: true,
  durationMs: 1,
});

interface Span {
  readonly spanId: string;
  readonly status: object;
  readonly attributes: readonly { readonly key: string; readonly value: object }[];
}
function fold(events: readonly EventBody[]): {
  readonly spans: readonly Span[];
  readonly oldest: number | null;
} {
  const spans = new SpanFold("example.org/log");
  const all = events.flatMap((body, index) =>
    spans.add(index, { v: 1, at: 1000 + index, ...body } as LedgerEvent),
  );
  return { spans: all as Span[], oldest: spans.oldest };
}
const attribute = (span: Span | undefined, key: string): unknown =>
  span?.attributes.find((a) => a.key === key)?.value;

it("an exchange is one span, whole, with what the conventions want and no content", () => {
  expect(fold([judged(1), answered(1)])).toEqual({
    oldest: null,
    spans: [
      {
        traceId: expect.stringMatching(/^[0-9a-f]{32}$/),
        spanId: expect.stringMatching(/^[0-9a-f]{16}$/),
        name: "chat m-1",
        kind: 3,
        startTimeUnixNano: "1000000000",
        endTimeUnixNano: "1001000000",
        attributes: [
          { key: "gen_ai.operation.name", value: { stringValue: "chat" } },
          { key: "gen_ai.provider.name", value: { stringValue: "anthropic" } },
          { key: "gen_ai.request.model", value: { stringValue: "m-1" } },
          { key: "gen_ai.conversation.id", value: { stringValue: session } },
          { key: "server.address", value: { stringValue: "api.anthropic.com" } },
          { key: "server.port", value: { intValue: "443" } },
          { key: "http.request.body.size", value: { intValue: "12" } },
          { key: "sallyport.verdict", value: { stringValue: "allow" } },
          { key: "sallyport.entry", value: { stringValue: "example.org/log/0" } },
          { key: "http.response.status_code", value: { intValue: "200" } },
          { key: "http.response.body.size", value: { intValue: "5" } },
          { key: "gen_ai.usage.input_tokens", value: { intValue: "3" } },
          { key: "gen_ai.usage.output_tokens", value: { intValue: "0" } },
        ],
        status: {},
      },
    ],
  });
});

it.each<[string, readonly EventBody[], string]>([
  ["denied", [judged(1, { verdict: "deny" })], "denied"],
  ["refused by the server", [judged(1), answered(1, { status: 529 })], "529"],
  ["broken off", [judged(1), answered(1, { complete: false })], "incomplete"],
  ["without a reply", [judged(1), failed(1)], "gateway.broken"],
  ["without a recorded end", [judged(1), ended], "unanswered"],
])("an exchange %s says so by its error type", (_, events, type) => {
  const { spans, oldest } = fold(events);
  expect([spans.length, oldest]).toEqual([1, null]);
  expect(spans[0]?.status).toEqual({ code: 2, message: type });
  expect(attribute(spans[0], "error.type")).toEqual({ stringValue: type });
});

it.each([
  ["eu.api.openai.com", null, "openai"],
  ["bedrock-runtime.eu-west-1.amazonaws.com", null, "aws.bedrock"],
  ["notopenai.com", "corp-llm", "corp-llm"],
  ["llm.corp.internal", null, "llm.corp.internal"],
])("the provider of %s (%s) is %s", (host, destination, provider) => {
  const { spans } = fold([judged(1, { host, destination }), answered(1)]);
  expect(attribute(spans[0], "gen_ai.provider.name")).toEqual({ stringValue: provider });
});

it("what names no model is no span; a clock set back makes no negative one", () => {
  expect(fold([judged(1, { model: null }), answered(1), ended])).toEqual({ spans: [], oldest: null });
  const spans = new SpanFold("o");
  spans.add(0, { v: 1, at: 5000, ...judged(1) } as LedgerEvent);
  expect(spans.add(1, { v: 1, at: 1000, ...answered(1) } as LedgerEvent)).toMatchObject([
    { startTimeUnixNano: "5000000000", endTimeUnixNano: "5000000000" },
  ]);
});

const home = mkdtempSync(join(tmpdir(), "spans-"));
const directory = join(home, "ledger");
const open = (): ReturnType<typeof openLedger> =>
  openLedger({
    directory,
    keyDirectory: join(home, "keys"),
    clock: { now: () => 1_800_000_000_000, monotonic: () => performance.now() },
    program: "test",
    origin: "example.org/log",
  });
const spansIn = (body: string): Span[] =>
  body === ""
    ? []
    : (JSON.parse(body) as { resourceSpans: [{ scopeSpans: [{ spans: Span[] }] }] }).resourceSpans[0]
        .scopeSpans[0].spans;

it("gone on with from any cursor that was given, every span comes at least once", async () => {
  const ledger = await open();
  const exchanges = Array.from({ length: 20 }, (_, n) => n);
  // Answers come late and out of order, so spans overlap.
  for (const n of exchanges) {
    await ledger.append(judged(n));
    if (n % 3 === 2) for (const back of [n, n - 2]) await ledger.append(answered(back));
  }
  for (const n of exchanges) if (n % 3 === 1) await ledger.append(answered(n));
  await ledger.append(ended);
  await ledger.close();
  const whole = new Set<string>();
  const cursors = [0];
  for await (const batch of exportEntries(directory, "otlp-spans", { batch: 3 })) {
    for (const span of spansIn(batch.body)) whole.add(span.spanId);
    cursors.push(batch.next);
  }
  expect(whole.size).toBe(20);
  for (const [taken, from] of cursors.entries()) {
    const got = new Set<string>();
    let n = 0;
    for await (const batch of exportEntries(directory, "otlp-spans", { batch: 3 }))
      if (n++ < taken) for (const span of spansIn(batch.body)) got.add(span.spanId);
    for await (const batch of exportEntries(directory, "otlp-spans", { from }))
      for (const span of spansIn(batch.body)) got.add(span.spanId);
    expect([...got].sort(), `after ${taken} batches, from ${from}`).toEqual([...whole].sort());
  }
});

it("a follower hears of what is appended later, once, and ends when it is told to", async () => {
  const stop = new AbortController();
  const heard: string[] = [];
  const ledger = await open();
  await ledger.checkpoint();
  const options = { from: ledger.size, unsigned: false, signal: stop.signal };
  const following = (async () => {
    for await (const { body } of followEntries(directory, "otlp-spans", options)) {
      for (const span of spansIn(body)) heard.push(span.spanId);
      if (heard.length === 3) stop.abort();
    }
  })();
  await ledger.append(judged(100));
  for (const n of [101, 102]) {
    await ledger.append(judged(n));
    await ledger.append(answered(n));
    await ledger.checkpoint();
  }
  await ledger.append(answered(100));
  await ledger.checkpoint();
  await following;
  await ledger.close();
  expect(new Set(heard).size).toBe(3);
});
