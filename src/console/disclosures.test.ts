// What a security officer reads off the page Disclosures must never say that more left than the files had, nor hide what did.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { asSessionId, exchangeId, type LedgerEvent } from "../core/index.ts";
import type { DisclosedVersion, Disclosures, Measured, TracedTotal } from "../ledger/index.ts";
import {
  type DisclosureSources,
  disclosedFiles,
  disclosureOverview,
  fileDetail,
  repositoryDetail,
} from "./disclosures.ts";

const SESSION = asSessionId("00000001") ?? expect.fail("not an id");
const version = (
  path: string,
  lines: number,
  total: number,
  more: Partial<DisclosedVersion> = {},
): DisclosedVersion => ({
  path,
  destination: null,
  version: "v1",
  ranges: lines === 0 ? [] : [[1, lines]],
  lines,
  total,
  bytes: lines * 10,
  exchanges: 1,
  first: 1000,
  last: 2000,
  ...more,
});
const measured: Measured & LedgerEvent = {
  v: 1,
  at: 500,
  kind: "workspace.measured",
  session: SESSION,
  workspace: "shop",
  commit: "abc",
  files: 10,
  lines: 200,
  bytes: 5000,
  folders: [
    { path: "", files: 10, lines: 200 },
    { path: "src", files: 6, lines: 120 },
    { path: "src/pay", files: 2, lines: 40 },
    { path: "docs", files: 4, lines: 80 },
  ],
  notRead: 1,
};
const total = (destination: string | null): TracedTotal => ({
  workspace: "shop",
  destination,
  exchanges: 2,
  bytes: 100,
  unmatchedBytes: 40,
  first: 1000,
  last: 2000,
});

function sources(
  versions: readonly DisclosedVersion[],
  events: readonly LedgerEvent[] = [],
): DisclosureSources {
  const of = (destination: string | null, path?: string): readonly DisclosedVersion[] =>
    versions.filter((one) => one.destination === destination && (path === undefined || one.path === path));
  const disclosures: Disclosures = {
    workspaces: () => ["shop"],
    measured: (name) => (name === "shop" ? { index: 3, event: measured } : null),
    totals: () => [total(null), total("vendor")],
    versions: (_workspace, destination, _period, path) => of(destination, path),
    recipients: (_workspace, path) => versions.filter((one) => one.destination !== null && one.path === path),
    entries: () => events.map((_, index) => index),
  };
  return {
    disclosures,
    operatorOf: (destination) => (destination === "vendor" ? "Vendor Ltd" : null),
    entries: (indexes) =>
      indexes.flatMap((index) => {
        const event = events[index];
        return event === undefined ? [] : [{ index, event }];
      }),
  };
}

describe("the share that could be put together again", () => {
  it("counts a file that changed in between once, at the version of which most left", () => {
    const both = [
      version("src/a.ts", 30, 50),
      version("src/a.ts", 40, 60, { version: "v2", last: 3000 }),
      version("src/b.ts", 10, 10),
    ];
    const [shop] = disclosureOverview(sources(both)).repositories;
    expect(shop?.lines).toBe(50);
    expect(shop?.share).toBe(0.25);
    expect(disclosedFiles("shop", {}, sources(both))[0]).toMatchObject({
      path: "src/a.ts",
      lines: 40,
      of: 60,
      versions: 2,
      exchanges: 2,
      last: 3000,
    });
  });

  it("is told for each recipient apart, by the operator's name", () => {
    const [shop] = disclosureOverview(
      sources([version("a", 50, 50), version("a", 20, 50, { destination: "vendor" })]),
    ).repositories;
    expect(shop?.recipients).toEqual([
      {
        destination: "vendor",
        operator: "Vendor Ltd",
        files: 1,
        lines: 20,
        share: 0.1,
        exchanges: 2,
        first: 1000,
        last: 2000,
      },
    ]);
  });

  it("is never more than all of it, whatever was measured since", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 400 }), { maxLength: 5 }), (sizes) => {
        const all = sizes.map((size, i) => version(`src/${i}.ts`, size, size));
        const [shop] = disclosureOverview(sources(all)).repositories;
        expect(shop?.share ?? 0).toBeLessThanOrEqual(1);
        for (const place of repositoryDetail("shop", {}, sources(all)).places)
          expect(place.lines).toBeLessThanOrEqual(place.of);
      }),
    );
  });
});

describe("the map of directories", () => {
  it("shows beside what left also the directories of which nothing did", () => {
    const { places } = repositoryDetail(
      "shop",
      {},
      sources([version("src/pay/a.ts", 30, 40), version("x.md", 5, 9)]),
    );
    expect(
      places.map(({ path, kind, lines, of, isMeasured }) => [path, kind, lines, of, isMeasured]),
    ).toEqual([
      ["src", "directory", 30, 120, true],
      ["docs", "directory", 0, 80, true],
      ["x.md", "file", 5, 9, false],
    ]);
  });

  it("below the measured depth it is made of the files that left, and says so", () => {
    const { places } = repositoryDetail(
      "shop",
      { under: "src/pay" },
      sources([
        version("src/pay/deep/a.ts", 30, 40),
        version("src/pay/deep/b.ts", 2, 4),
        version("src/payment/c", 1, 1),
      ]),
    );
    expect(places).toEqual([
      {
        path: "src/pay/deep",
        kind: "directory",
        of: 44,
        isMeasured: false,
        lines: 32,
        files: 2,
        exchanges: 2,
        last: 2000,
      },
    ]);
  });
});

it("a file tells each version, each recipient, and each request; who stood in for a vendor is named", () => {
  const event: LedgerEvent = {
    v: 1,
    at: 1500,
    kind: "exchange.traced",
    session: SESSION,
    exchange: exchangeId(SESSION, 1),
    host: "api.example",
    sentTo: "http://127.0.0.1:9",
    destination: "vendor",
    files: [
      { path: "a", lines: [[1, 10]], of: 50, bytes: 100, sha256: "v1" },
      { path: "b", lines: [[1, 1]], of: 1, bytes: 1, sha256: "v1" },
    ],
    bytes: 101,
    unmatchedBytes: 0,
  };
  const detail = fileDetail(
    "shop",
    "a",
    {},
    sources([version("a", 10, 50), version("a", 10, 50, { destination: "vendor" })], [event]),
  );
  expect(detail.versions[0]?.recipients.map(({ destination, lines }) => [destination, lines])).toEqual([
    ["vendor", 10],
  ]);
  expect(detail.exchanges).toEqual([
    expect.objectContaining({ entry: 0, stoodIn: "http://127.0.0.1:9", lines: 10, ranges: [[1, 10]] }),
  ]);
});

it.each([
  ["repository", () => repositoryDetail("nobody's", {}, sources([]))],
  ["file", () => fileDetail("shop", "never-left", {}, sources([]))],
])("an unknown %s is a fault, not an empty page that reads as `nothing left`", (_what, ask) => {
  expect(ask).toThrow(expect.objectContaining({ code: "console.unknown" }));
});
