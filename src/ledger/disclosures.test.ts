// What the index says of disclosures is what a reader of the whole log would count, however the catching up was cut.
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import { asSessionId, type EventBody, exchangeId, type SessionId } from "../core/index.ts";
import { openLedger } from "./index.ts";
import { countLines, type LineRanges, parseRanges, rangesText, uniteRanges } from "./line-ranges.ts";
import { openQueryIndex } from "./query-index.ts";

const DAY = 86_400_000;
const id = (text: string): SessionId => asSessionId(text) ?? expect.fail("not an id");
const [ONE, TWO] = [id("00000001"), id("00000002")];

const started = (session: SessionId, workspace: string): EventBody => ({
  kind: "session.started",
  session,
  principal: "local:1",
  agent: { name: "claude", version: null, sha256: null },
  profile: { name: "default", sha256: "" },
  workspace,
  sandbox: "bubblewrap",
  gaps: [],
  upstream: null,
});

const traced = (
  session: SessionId,
  n: number,
  destination: string | null,
  files: readonly { path: string; lines: LineRanges; of: number; sha256: string }[],
): EventBody => ({
  kind: "exchange.traced",
  session,
  exchange: exchangeId(session, n),
  host: "api.example",
  sentTo: "https://api.example",
  destination,
  files: files.map((file) => ({ ...file, bytes: 10 * countLines(file.lines) })),
  bytes: 1000,
  unmatchedBytes: 100,
});

async function ledgerOf() {
  const home = mkdtempSync(join(tmpdir(), "disclosed-"));
  const clock = {
    at: Date.parse("2026-11-20T10:00:00Z"),
    now: () => clock.at,
    monotonic: () => performance.now(),
  };
  const directory = join(home, "ledger");
  const ledger = await openLedger({ directory, keyDirectory: join(home, "keys"), program: "test", clock });
  return { ledger, clock, directory, index: join(home, "index.db") };
}

const ranges = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 0, max: 9 })), { maxLength: 6 })
  .map((list) =>
    uniteRanges(
      [],
      list.map(([first, more]): [number, number] => [first, first + more]),
    ),
  );
const lineSet = (all: LineRanges): Set<number> =>
  new Set(all.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, i) => first + i)));

it("united ranges hold the lines of both and no other, in order, and survive being written down", () => {
  fc.assert(
    fc.property(ranges, ranges, (a, b) => {
      const united = uniteRanges(a, b);
      expect(lineSet(united)).toEqual(new Set([...lineSet(a), ...lineSet(b)].sort((x, y) => x - y)));
      expect(countLines(united)).toBe(lineSet(united).size);
      expect(united).toEqual(uniteRanges(b, a));
      expect(parseRanges(rangesText(united))).toEqual(united);
      for (const [i, [first]] of united.entries())
        expect(first).toBeGreaterThan((united[i - 1]?.[1] ?? -1) + 1);
    }),
  );
});

it("what left of a file is the union of its lines, for each version, recipient and period, in one catching up or many", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          path: fc.constantFrom("src/a.ts", "src/b.ts", "README.md"),
          version: fc.constantFrom("v1", "v2"),
          destination: fc.constantFrom("vendor", "other", null),
          day: fc.integer({ min: 0, max: 3 }),
          lines: ranges,
          isCut: fc.boolean(),
        }),
        { maxLength: 12 },
      ),
      async (steps) => {
        const { ledger, clock, directory, index } = await ledgerOf();
        const start = clock.at;
        const open = await openQueryIndex(index, directory);
        await ledger.append(started(ONE, "shop"));
        const sorted = steps.toSorted((a, b) => a.day - b.day);
        for (const [n, { path, version, destination, day, lines, isCut }] of sorted.entries()) {
          clock.at = start + day * DAY;
          await ledger.append(traced(ONE, n + 1, destination, [{ path, lines, of: 80, sha256: version }]));
          if (isCut) await open.catchUp();
        }
        await open.catchUp();
        const expected = (wanted: (step: (typeof steps)[number]) => boolean) => {
          const of = new Map<string, Set<number>>();
          for (const step of steps)
            if (wanted(step) && step.lines.length > 0) {
              const key = `${step.path} ${step.version}`;
              of.set(key, new Set([...(of.get(key) ?? []), ...lineSet(step.lines)]));
            }
          return new Map([...of].map(([key, set]) => [key, set.size]));
        };
        const got = (...question: Parameters<typeof open.disclosures.versions>) =>
          new Map(
            open.disclosures.versions(...question).map((one) => [`${one.path} ${one.version}`, one.lines]),
          );
        expect(got("shop", null)).toEqual(expected(() => true));
        expect(got("shop", "vendor")).toEqual(expected(({ destination }) => destination === "vendor"));
        expect(got("shop", "api.example")).toEqual(expected(({ destination }) => destination === null));
        const [from, to] = [start + DAY, start + 2 * DAY];
        expect(got("shop", null, { from, to })).toEqual(expected(({ day }) => day === 1 || day === 2));
        open.close();
        await ledger.close();
      },
    ),
    { numRuns: 12 },
  );
});

it("tells for each repository to whom, which entries, and what share was measured last", async () => {
  const { ledger, directory, index } = await ledgerOf();
  await ledger.append(started(ONE, "shop"));
  await ledger.append(started(TWO, "other"));
  const measured = (files: number): EventBody => ({
    kind: "workspace.measured",
    session: ONE,
    workspace: "shop",
    commit: null,
    files,
    lines: 100,
    bytes: 5000,
    folders: [{ path: "", files, lines: 100 }],
    notRead: 0,
  });
  await ledger.append(measured(1));
  const a = await ledger.append(
    traced(ONE, 1, "vendor", [{ path: "a.ts", lines: [[1, 10]], of: 50, sha256: "v1" }]),
  );
  const b = await ledger.append(
    traced(ONE, 2, null, [{ path: "a.ts", lines: [[5, 20]], of: 50, sha256: "v1" }]),
  );
  await ledger.append(measured(2));
  await ledger.append(traced(TWO, 1, "vendor", []));
  const { disclosures, catchUp, close } = await openQueryIndex(index, directory).then((open) => ({
    disclosures: open.disclosures,
    catchUp: () => open.catchUp(),
    close: () => open.close(),
  }));
  await catchUp();
  expect(disclosures.workspaces()).toEqual(["other", "shop"]);
  expect(disclosures.measured("shop")?.event.files).toBe(2);
  expect(disclosures.measured("other")).toBeNull();
  expect(disclosures.entries("shop", "a.ts", 10)).toEqual([b.index, a.index]);
  expect(
    disclosures.recipients("shop", "a.ts").map(({ destination, lines }) => [destination, lines]),
  ).toEqual(
    expect.arrayContaining([
      ["vendor", 10],
      ["api.example", 16],
    ]),
  );
  expect(disclosures.versions("shop", null)[0]?.ranges).toEqual([[1, 20]]);
  expect(
    disclosures
      .totals()
      .filter(({ workspace }) => workspace === "shop")
      .map(({ destination, bytes }) => [destination, bytes]),
  ).toEqual(
    expect.arrayContaining([
      [null, 2000],
      ["vendor", 1000],
      ["api.example", 1000],
    ]),
  );
  expect(disclosures.versions("nobody's", null)).toEqual([]);
  close();
  await ledger.close();
});
