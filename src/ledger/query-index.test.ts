import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { asSessionId, type EventBody, exchangeId, type SessionId } from "../core/index.ts";
import { parseFilter } from "./filter.ts";
import { type Ledger, openLedger } from "./index.ts";
import { catchUpApart } from "./index-apart.ts";
import { openQueryIndex } from "./query-index.ts";

const DAY = 86_400_000;
const id = (text: string): SessionId => asSessionId(text) ?? expect.fail("not an id");
const started = (session: SessionId, agent: string, principal: string): EventBody => ({
  kind: "session.started",
  session,
  principal,
  agent: { name: agent, version: null, sha256: null },
  profile: { name: "default", sha256: "" },
  workspace: "w",
  sandbox: "bubblewrap",
  gaps: [],
  upstream: null,
});
const judged = (
  session: SessionId,
  n: number,
  more: Partial<Extract<EventBody, { kind: "exchange.judged" }>>,
): EventBody => ({
  kind: "exchange.judged",
  session,
  exchange: exchangeId(session, n),
  door: "tls",
  protocol: "h2",
  method: "POST",
  host: "api.example",
  port: 443,
  path: "/",
  queryBytes: 0,
  sentTo: "https://api.example",
  destination: "vendor",
  dialect: "anthropic-messages",
  understood: true,
  model: "m-1",
  requestBytes: 100,
  sources: { files: [], commands: 0, others: 0 },
  findings: [],
  verdict: "allow",
  rules: ["default"],
  evidence: [],
  ...more,
});

interface Place {
  readonly directory: string;
  readonly keyDirectory: string;
  readonly program: string;
  now: number;
  readonly clock: { now(): number; monotonic(): number };
}
function place(): Place {
  const home = mkdtempSync(join(tmpdir(), "index-"));
  const options: Place = {
    directory: join(home, "ledger"),
    keyDirectory: join(home, "keys"),
    program: "test",
    now: Date.parse("2026-11-20T10:00:00Z"),
    clock: { now: () => options.now, monotonic: () => performance.now() },
  };
  return options;
}
async function fill(ledger: Ledger, options: Place): Promise<void> {
  const [one, two] = [id("00000001"), id("00000002")];
  await ledger.append(started(one, "claude", "local:1"));
  await ledger.append(judged(one, 1, {}));
  await ledger.append(
    judged(one, 2, {
      verdict: "deny",
      rules: ["no-secrets", "default"],
      findings: [
        { class: "secret", detector: "a", count: 2 },
        { class: "secret", detector: "b", count: 1 },
        { class: "personal", detector: "c", count: 1 },
      ],
      requestBytes: 5000,
    }),
  );
  options.now += DAY;
  await ledger.append(started(two, "codex", "local:2"));
  await ledger.append(
    judged(two, 1, { host: 'odd host, "x".example', destination: null, model: null, requestBytes: 7 }),
  );
}
const file = (options: Place): string => `${options.directory}.sqlite`;

it("questions are answered as reading the whole log would, and the same after a rebuild", async () => {
  const options = place();
  const ledger = await openLedger(options);
  await fill(ledger, options);
  const index = await openQueryIndex(file(options), options.directory);
  expect(await index.catchUp()).toBe(6);
  const found = (filter: string): number[] => index.query(filter).map((e) => e.index);
  const questions: readonly [filter: string, entries: readonly number[]][] = [
    ["", [5, 4, 3, 2, 1, 0]],
    ["verdict=deny", [3]],
    ["verdict=allow,deny agent=claude", [3, 2]],
    ["class=secret", [3]],
    ["class!=secret kind=exchange.judged", [5, 2]],
    ["rule=no-secrets", [3]],
    ["bytes>=100 bytes<5000", [2]],
    ["at>=2026-11-21", [5, 4]],
    ["at<2026-11-20T12:00Z kind=exchange.judged", [3, 2]],
    ["host~odd", [5]],
    ['host="odd host, "', []],
    ["model!=m-1 kind=exchange.judged", [5]],
    ["principal=local:2", [5, 4]],
    ["session=00000001 index>2", [3]],
    ["destination=nowhere", []],
  ];
  for (const [filter, entries] of questions) expect(found(filter), filter).toEqual(entries);
  const totals = [
    index.totals(["day"]),
    index.totals(["class", "destination"]),
    index.totals(["agent", "verdict"], { from: options.now }),
    index.totals([]),
  ];
  expect(totals).toEqual([
    [
      { group: ["2026-11-20"], requests: 2, bytes: 5100 },
      { group: ["2026-11-21"], requests: 1, bytes: 7 },
    ],
    [
      { group: ["personal", "vendor"], requests: 1, bytes: 5000 },
      { group: ["secret", "vendor"], requests: 1, bytes: 5000 },
    ],
    [{ group: ["codex", "allow"], requests: 1, bytes: 7 }],
    [{ group: [], requests: 3, bytes: 5107 }],
  ]);
  index.close();

  const rebuilt = await openQueryIndex(`${file(options)}-2`, options.directory);
  await rebuilt.catchUp();
  for (const [filter, entries] of questions)
    expect(
      rebuilt.query(filter).map((e) => e.index),
      filter,
    ).toEqual(entries);
  expect(rebuilt.totals(["day"])).toEqual(totals[0]);
  rebuilt.close();
  await ledger.close();
});

it("taken in piece by piece, by two holders, the totals are those of one", async () => {
  const options = place();
  const ledger = await openLedger(options);
  const [a, b] = [
    await openQueryIndex(file(options), options.directory),
    await openQueryIndex(file(options), options.directory),
  ];
  const session = id("00000001");
  await ledger.append(started(session, "claude", "local:1"));
  for (let n = 1; n <= 20; n++) {
    await ledger.append(judged(session, n, {}));
    await (n % 2 === 0 ? a : b).catchUp();
  }
  expect([a.size, b.size]).toEqual([22, 22]);
  expect(a.totals(["agent"])).toEqual([{ group: ["claude"], requests: 20, bytes: 2000 }]);
  a.close();
  b.close();
  await ledger.close();
});

it("an index of another ledger, or a damaged one, is made anew", async () => {
  const [first, second] = [place(), place()];
  for (const options of [first, second]) {
    const ledger = await openLedger(options);
    if (options === first) await fill(ledger, options);
    await ledger.close();
  }
  const index = await openQueryIndex(file(first), first.directory);
  expect(await index.catchUp()).toBe(6);
  index.close();
  const moved = await openQueryIndex(file(first), second.directory);
  expect(await moved.catchUp()).toBe(1);
  expect(moved.query("").map((e) => e.event.kind)).toEqual(["ledger.opened"]);
  moved.close();
  writeFileSync(file(first), "no database at all, but long enough to be looked at as one".repeat(100));
  const again = await openQueryIndex(file(first), first.directory);
  expect(await again.catchUp()).toBe(6);
  again.close();
});

it.each([
  ["verdict", "character 1"],
  ["colour=red", "character 1"],
  ["verdict=deny colour=red", "character 14"],
  ["verdict<deny", "character 1"],
  ["bytes~10", "character 1"],
  ["bytes=many", "character 1"],
  ["at>=yesterday", "character 1"],
  ["host=", "character 6"],
  ['host="open', "character 6"],
  ["bytes>1,2", "character 1"],
  ["constructor=x", "character 1"],
  ["kind='x' OR 1=1 --", "character 10"],
])("the filter `%s` is refused, at %s", (filter, at) => {
  expect(() => parseFilter(filter)).toThrow(
    expect.objectContaining({ code: "usage.invalid", at: `filter, ${at}` }),
  );
});

it("made on another thread, and ended in the middle of it, the index is the same in the end", async () => {
  const options = place();
  const ledger = await openLedger(options);
  const session = id("00000001");
  await ledger.append(started(session, "claude", "local:1"));
  await Promise.all(Array.from({ length: 45_000 }, (_, n) => ledger.append(judged(session, n + 1, {}))));
  await ledger.close();
  const task = { file: file(options), directory: options.directory };
  const stop = new AbortController();
  const heard: number[] = [];
  await catchUpApart(
    task,
    (entries) => {
      heard.push(entries);
      stop.abort();
    },
    stop.signal,
  );
  const index = await openQueryIndex(task.file, task.directory);
  const [taken = 0] = heard;
  expect(taken).toBeGreaterThan(0);
  expect(index.size).toBeGreaterThanOrEqual(taken);
  await catchUpApart(task, () => undefined, new AbortController().signal);
  const apart = index.totals(["agent", "verdict"]);
  const whole = await openQueryIndex(`${task.file}.whole`, task.directory);
  expect(index.size).toBe(await whole.catchUp());
  expect(apart).toEqual(whole.totals(["agent", "verdict"]));
  expect(index.count("verdict=allow", 100_000)).toBe(45_000);
  index.close();
  whole.close();
});

it("what another thread cannot read it tells as the fault that it is", async () => {
  const options = place();
  const ledger = await openLedger(options);
  await ledger.close();
  const signal = new AbortController().signal;
  const task = { file: join(options.directory, "no/such/index.sqlite"), directory: options.directory };
  await expect(catchUpApart(task, () => undefined, signal)).rejects.toMatchObject({ code: "ledger.failed" });
});
