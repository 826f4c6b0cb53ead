// Vetting of real builds, on loopback: what is known of them is found, and nothing else is.
import { afterAll, beforeAll, expect, test } from "vitest";
import { Place } from "../harness.ts";

interface Report {
  readonly findings: readonly {
    readonly factor: string;
    readonly kind: string;
    readonly levels: readonly string[];
    readonly bytes: { readonly aText: string | null; readonly bText: string | null };
  }[];
}

let place: Place;
beforeAll(() => {
  place = new Place();
});
afterAll(() => place.close());

async function vet(build: string): Promise<Report> {
  const only = [
    "timezone=Asia/Shanghai,Europe/Berlin",
    "host=api.deepseek.com,llm.example.cn,llm.example.de",
  ];
  const flags = ["--json", "--repeats", "3", ...only.flatMap((one) => ["--only", one])];
  const done = await place.run(["vet", build, ...flags]);
  expect([0, 1], done.stderr).toContain(done.code);
  return JSON.parse(done.stdout) as Report; // the command's own JSON
}

test("Claude Code 2.1.169: the date's separators by time zone, its apostrophe by host, and nothing else", async () => {
  const { findings } = await vet("claude@2.1.169");
  const told = findings.map(({ factor, kind, levels, bytes }) => [
    factor,
    kind,
    levels,
    bytes.aText,
    bytes.bText,
  ]);
  expect(told.toSorted()).toEqual(
    [
      ["host", "marker", ["api.deepseek.com"], "'", "ʼ"],
      ["host", "marker", ["llm.example.cn"], "'", "’"],
      ["timezone", "marker", ["Asia/Shanghai"], "-", "/"],
    ].toSorted(),
  );
});

test("Claude Code 2.1.329: neither", async () => {
  expect((await vet("claude@2.1.329")).findings).toEqual([]);
});
