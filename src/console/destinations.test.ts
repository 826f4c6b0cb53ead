// Where replies show something else than the register says, the page says so; what is only a vendor's habit is no alarm.
import { describe, expect, it } from "vitest";
import type { AnsweredBy, Reported } from "../ledger/index.ts";
import { overlay, parseRows } from "../register/index.ts";
import {
  type DestinationFacts,
  destinationDetail,
  destinationsOverview,
  regionCode,
} from "./destinations.ts";

const NOW = Date.parse("2026-11-30T00:00:00Z");
const ROWS = parseRows(
  `version: 1
rows:
  - { id: vendor, host: api.vendor.example, channel: llm, operator: Vendor, legal_entity: Vendor Inc., law: [US], endpoint: US, at_rest: US, compute: EU, trains: unknown, retention: 30 days, src: [terms], as_of: 2026-11-20, as_of_by: { retention: 2026-01-01 } }
  - { id: careful, host: api.careful.example, channel: llm, operator: Careful, law: [EU], compute: EU, trains: "no", agreement: signed, src: [terms], as_of: 2026-11-20 }
  - { id: ours, host: llm.corp.example, channel: llm, operator: us, law: [SELF], compute: ONPREM, trains: "no", src: [terms], as_of: 2026-11-20 }
`,
  "rows.yaml",
);
const register = overlay(ROWS, []);
const answered = (more: Partial<AnsweredBy> = {}): AnsweredBy => ({
  destination: "vendor",
  sentTo: "https://api.vendor.example",
  address: "203.0.113.7",
  tlsPeer: "aa",
  requests: 3,
  first: 1,
  last: 2,
  ...more,
});
const reported = (more: Partial<Reported> = {}): Reported => ({
  destination: "vendor",
  asked: "m-1",
  model: "m-1-20260101",
  region: null,
  requests: 3,
  first: 1,
  last: 2,
  ...more,
});
const facts = (more: Partial<DestinationFacts> = {}): DestinationFacts => ({
  rows: register.rows,
  rowOf: (host) => register.find(host, "/"),
  sources: { terms: { title: "Terms of service", url: "https://vendor.example/terms" } },
  ownServers: [],
  totals: [
    { group: ["vendor", "allow"], requests: 5, bytes: 500 },
    { group: ["vendor", "deny"], requests: 2, bytes: 900 },
  ],
  classes: [],
  answeredBy: [],
  reported: [],
  now: NOW,
  ...more,
});
const kinds = (id: string, more: Partial<DestinationFacts>): readonly string[] =>
  destinationDetail(id, facts(more))?.row.contradictions.map(({ kind }) => kind) ?? expect.fail("unknown");

describe("facts", () => {
  it("each has its source and age; one that is too old is stale, as policy takes it", () => {
    const detail = destinationDetail("vendor", facts());
    expect(detail?.facts.find(({ name }) => name === "retention")).toMatchObject({
      value: "30 days",
      asOf: "2026-01-01",
      isStale: true,
      sources: ["terms"],
    });
    expect(detail?.row.stale).toEqual(["retention"]);
    expect(detail?.row.unknown).toEqual(["trains", "agreement"]);
    expect(detail?.sources).toEqual([
      { key: "terms", title: "Terms of service", url: "https://vendor.example/terms" },
    ]);
  });

  it("what was refused is no traffic to it", () => {
    expect(destinationDetail("vendor", facts())?.row).toMatchObject({ requests: 7, bytes: 500, denied: 2 });
  });

  it("a host that the register does not know, and to which something went, is there", () => {
    const { rows } = destinationsOverview(
      facts({ totals: [{ group: ["new.example", "allow"], requests: 1, bytes: 1 }] }),
    );
    expect(rows[0]).toMatchObject({ id: "new.example", operator: null });
    expect(rows[0]?.contradictions.map(({ kind }) => kind)).toEqual(["no-row"]);
  });
});

describe("contradictions", () => {
  it("a reply that was computed elsewhere than the row says", () => {
    expect(kinds("vendor", { reported: [reported({ region: "us" })] })).toEqual(["region"]);
    expect(kinds("vendor", { reported: [reported({ region: "eu-central-1" })] })).toEqual([]);
    expect(kinds("vendor", { reported: [reported({ region: "DeepInfra" })] })).toEqual([]);
  });

  it.each([
    ["m-1", "m-1-20260101", []],
    ["vendor/m-1", "m-1", []],
    ["claude-opus", "claude-haiku", ["model"]],
  ])("asked for %s, %s answered", (asked, model, expected) => {
    expect(kinds("vendor", { reported: [reported({ asked, model })] })).toEqual(expected);
  });

  it.each([
    ["a public host at a private address", answered({ address: "10.1.2.3" }), ["private-address"]],
    ["at this machine", answered({ address: "::1" }), ["private-address"]],
    ["without TLS", answered({ sentTo: "http://api.vendor.example", tlsPeer: null }), ["no-tls"]],
    [
      "by another server",
      answered({ sentTo: "http://127.0.0.1:9", address: "127.0.0.1", tlsPeer: null }),
      ["stood-in"],
    ],
    ["as it should", answered(), []],
  ])("reached %s", (_title, one, expected) => {
    expect(kinds("vendor", { answeredBy: [one] })).toEqual(expected);
  });

  it("our own server is at a private address without TLS, and no alarm", () => {
    const one = answered({
      destination: "ours",
      sentTo: "http://llm.corp.example",
      address: "10.0.0.1",
      tlsPeer: null,
    });
    expect(kinds("ours", { answeredBy: [one] })).toEqual([]);
  });

  it("two certificates are told, and are not grave", () => {
    const [one] =
      destinationDetail("vendor", facts({ answeredBy: [answered(), answered({ tlsPeer: "bb" })] }))?.row
        .contradictions ?? [];
    expect(one).toMatchObject({ kind: "certificates", grave: false, seen: "2" });
  });

  it("content that left as it is for somebody of whom it is not known whether they train on it", () => {
    const classes = [{ group: ["personal", "vendor", "allow"], requests: 2, bytes: 9 }];
    expect(kinds("vendor", { classes })).toEqual(["unknown-terms"]);
    expect(
      kinds("vendor", { classes: [{ group: ["personal", "vendor", "redact"], requests: 2, bytes: 9 }] }),
    ).toEqual([]);
    expect(
      kinds("careful", { classes: [{ group: ["personal", "careful", "allow"], requests: 2, bytes: 9 }] }),
    ).toEqual([]);
  });
});

it.each([
  ["us", "US"],
  ["East US 2", "US"],
  ["us-east-1", "US"],
  ["eu-central-1", "EU"],
  ["cn-hangzhou", "CN"],
  ["global", null],
  ["focus", null],
  ["DeepInfra", null],
])("a reply's `%s` is the place %s", (text, code) => {
  expect(regionCode(text)).toBe(code);
});
