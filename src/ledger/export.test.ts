import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { asSessionId, type EventBody, exchangeId, type LedgerEvent } from "../core/index.ts";
import { type ExportFormat, encodeBatch, exportEntries } from "./export.ts";
import { openLedger } from "./index.ts";

const home = mkdtempSync(join(tmpdir(), "export-"));
const directory = join(home, "ledger");
const session = asSessionId("7f3a0001") ?? expect.fail("not an id");
const exchange = exchangeId(session, 1);
const EVENTS: readonly EventBody[] = [
  {
    kind: "exchange.judged",
    session,
    exchange,
    door: "tls",
    protocol: "h2",
    method: "POST",
    host: "api.example",
    port: 443,
    path: "/v1/größe",
    queryBytes: 0,
    sentTo: "https://api.example",
    destination: null,
    dialect: "anthropic-messages",
    understood: true,
    model: "m-1",
    requestBytes: 12,
    sources: { files: [], commands: 0, others: 0 },
    findings: [],
    verdict: "deny",
    rules: ["r"],
    evidence: [],
  },
  {
    kind: "exchange.answered",
    session,
    exchange,
    status: 200,
    responseBytes: 5,
    address: "203.0.113.7",
    tlsPeer: null,
    usage: { inputTokens: 3, outputTokens: 0, cachedTokens: null },
    complete: true,
    durationMs: 4.4,
    evidence: [],
  },
  { kind: "exchange.failed", session, exchange, fault: "gateway.broken", mayHaveLeft: true, durationMs: 1 },
  {
    kind: "connection.refused",
    session,
    door: "tls",
    host: "h.example",
    port: 443,
    rule: "r",
    reason: "line\nbreak",
  },
];

beforeAll(async () => {
  const clock = { now: () => 1_800_000_000_123, monotonic: () => performance.now() };
  const ledger = await openLedger({
    directory,
    keyDirectory: join(home, "keys"),
    clock,
    program: "test",
    origin: "example.org/log",
    checkpointEveryMs: 1e8,
  });
  for (const event of EVENTS) await ledger.append(event);
  await ledger.checkpoint();
  return () => ledger.close();
});

async function all(format: ExportFormat, from = 0, batch = 500): Promise<{ body: string; next: number }[]> {
  const batches = [];
  for await (const { body, next } of exportEntries(directory, format, { from, batch }))
    batches.push({ body, next });
  return batches;
}
const first = async (format: ExportFormat): Promise<string> => (await all(format))[0]?.body ?? "";
const objects = (body: string): Record<string, unknown>[] =>
  body
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

it.each([1, 2, 3, 500])(
  "from each cursor on, in batches of %d, every entry comes once and in order",
  async (batch) => {
    for (let from = 0; from <= 5; from++) {
      const batches = await all("ndjson", from, batch);
      const seen = batches.flatMap(({ body }) => objects(body).map((o) => o["index"]));
      expect(seen).toEqual(Array.from({ length: 5 - from }, (_, i) => from + i));
      for (const { next } of batches) expect((await all("ndjson", next, batch)).at(-1)?.next ?? 5).toBe(5);
    }
  },
);

it("syslog messages are framed by their octets and have RFC 5424's header", async () => {
  let rest = Buffer.from(await first("syslog"));
  const severities = [];
  while (rest.length > 0) {
    const length = Number(/^\d+/.exec(rest.toString("latin1"))?.[0]);
    const start = String(length).length + 1;
    const message = rest.subarray(start, start + length).toString("utf8");
    const parts =
      /^<(\d{1,3})>1 2027-01-15T08:00:00\.123Z example\.org\/log sallyport - ([!-~]{1,32}) - \u{FEFF}(\{.*\})$/u.exec(
        message,
      );
    expect(parts, message).not.toBeNull();
    expect(JSON.parse(parts?.[3] ?? "")).toMatchObject({ kind: parts?.[2] });
    severities.push(Number(parts?.[1]) - 13 * 8);
    rest = rest.subarray(start + length);
  }
  expect(severities).toEqual([6, 4, 6, 4, 4]);
});

it("OCSF objects carry what their classes require", async () => {
  const [opened, judged, answered, failed, refused] = objects(await first("ocsf"));
  for (const object of [opened, judged, answered, failed, refused]) {
    expect(object).toMatchObject({
      time: 1_800_000_000_123,
      severity_id: expect.any(Number),
      metadata: {
        version: "1.6.0",
        product: { name: "Sallyport" },
        uid: expect.stringMatching(/^example.org\/log\/\d$/),
      },
    });
    expect(object?.["type_uid"]).toBe(Number(object?.["class_uid"]) * 100 + Number(object?.["activity_id"]));
  }
  for (const object of [judged, answered, failed])
    expect(object).toMatchObject({
      class_uid: 6003,
      category_uid: 6,
      actor: { session: { uid: session } },
      api: { operation: expect.any(String), request: { uid: exchange } },
      src_endpoint: { uid: session },
    });
  expect(judged).toMatchObject({
    action_id: 2,
    disposition_id: 2,
    dst_endpoint: { hostname: "api.example" },
  });
  expect(refused).toMatchObject({ class_uid: 4001, activity_id: 5, action_id: 2 });
  expect(opened).toMatchObject({ class_uid: 0, category_uid: 0 });
});

it("OTLP is one request whose records have nanoseconds and 64-bit integers as text", async () => {
  const request = JSON.parse(await first("otlp"));
  const records = request.resourceLogs[0].scopeLogs[0].logRecords;
  expect(records).toHaveLength(5);
  expect(records[1]).toMatchObject({ timeUnixNano: "1800000000123000000", severityNumber: 13 });
  expect(records[2].attributes).toContainEqual({
    key: "gen_ai.usage.output_tokens",
    value: { intValue: "0" },
  });
});

it("HEC objects have their time in seconds and the native event whole", async () => {
  const [, judged] = objects(await first("hec"));
  expect(judged).toMatchObject({
    time: 1_800_000_000.123,
    event: EVENTS[0],
    fields: { id: "example.org/log/1" },
  });
});

it("entries that no checkpoint covers wait, unless asked for", async () => {
  const place = mkdtempSync(join(tmpdir(), "export-"));
  const clock = { now: () => 1, monotonic: () => performance.now() };
  const ledger = await openLedger({
    directory: join(place, "l"),
    keyDirectory: join(place, "k"),
    clock,
    program: "t",
    checkpointEveryMs: 1e8,
  });
  const count = async (unsigned: boolean): Promise<number> => {
    let entries = 0;
    for await (const batch of exportEntries(join(place, "l"), "ndjson", { unsigned }))
      entries += batch.entries;
    return entries;
  };
  expect([await count(false), await count(true)]).toEqual([0, 1]);
  await ledger.close();
  expect(await count(false)).toBe(1);
});

it.each<[string, EventBody, number]>([
  ["a lost recorder", { kind: "recorder.lost", session, detail: "killed" }, 3],
  ["a connection refused", refused(), 3],
  ["an exception granted by one person alone", waiver(true), 3],
  ["an exception granted", waiver(false), 2],
  [
    "a session's end",
    { kind: "session.ended", session, reason: "exited", exitCode: 0, setAside: [], appeared: [] },
    1,
  ],
])("the severity of %s is told", (_, body, severity) => {
  const event = { v: 1, at: 0, ...body } as LedgerEvent;
  const encoded = encodeBatch("ocsf", "example.org/log", [{ index: 0, event }]).body;
  expect(JSON.parse(encoded)).toMatchObject({ severity_id: severity });
});

function refused(): Extract<EventBody, { kind: "connection.refused" }> {
  return { kind: "connection.refused", session, door: "tls", host: "h", port: 1, rule: "r", reason: "no" };
}
function waiver(breakGlass: boolean): EventBody {
  const people = { requester: "a", approver: "b" };
  return {
    kind: "waiver.granted",
    waiver: "w",
    rule: "r",
    where: {},
    reason: "x",
    expiresAt: 1,
    breakGlass,
    ...people,
  };
}
