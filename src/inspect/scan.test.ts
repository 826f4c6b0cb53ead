import { describe, expect, test } from "vitest";
import { createInspector } from "./inspect.ts";
import { explain, sarif, scan } from "./scan.ts";
import { LONGEST_WAIVER_MS, withoutWaived } from "./waiver.ts";

const key = Buffer.alloc(32, 4);
const inspector = createInspector({ key });
const fake = `ghp_${"aB3dE5gH".repeat(5)}`;

describe("scan", () => {
  test("says where a finding stands as an editor counts, and never what it is", () => {
    const findings = scan(inspector, { path: "a b/c.env", text: `x\r\nkey: 1\n  t = "${fake}"\n` });
    expect(findings).toMatchObject([
      {
        path: "a b/c.env",
        line: 3,
        column: 8,
        endLine: 3,
        endColumn: 8 + fake.length,
        class: "secret",
        detector: "github-token",
      },
    ]);
    expect(JSON.stringify([findings, sarif(findings, "0")])).not.toContain(fake);
  });

  test("of a diff only added lines count, under their file and line", () => {
    const diff = `diff --git a/x.py b/x.py
--- a/x.py
+++ b/x.py
@@ -10,3 +10,4 @@ def f():
 context ${fake}
-removed = "${fake}"
+added = "${fake}"
++++ "${fake}"
 end
diff --git a/old b/old
--- a/old
+++ /dev/null
@@ -1 +0,0 @@
-gone = "${fake}"
`;
    expect(scan(inspector, { diff }).map(({ path, line }) => [path, line])).toEqual([
      ["x.py", 11],
      ["x.py", 12],
    ]);
  });

  test("a finding in a commit names it", () => {
    const diff = `+++ b/k.env\n@@ -0,0 +1 @@\n+k = "${fake}"\n`;
    expect(scan(inspector, { diff, commit: "c0ffee" })).toMatchObject([{ path: "k.env", commit: "c0ffee" }]);
  });

  test("a quoted path of a diff is read as git writes it", () => {
    const diff = `+++ "b/caf\\303\\251 \\"x\\".env"\n@@ -0,0 +1 @@\n+k = "${fake}"\n`;
    expect(scan(inspector, { diff })[0]?.path).toBe('café "x".env');
  });

  test("SARIF has one rule a detector, a level a class, and stable fingerprints", () => {
    const log = (text: string) => sarif(scan(inspector, { path: "a#1?", text }), "1.2.3");
    const once = log(`${fake} jane.doe@fake-company.de`);
    const again = log(`\n\n${fake}\njane.doe@fake-company.de`);
    expect(JSON.stringify(once)).toContain('"uri":"a%231%3F"');
    // biome-ignore lint/suspicious/noExplicitAny: a test reads foreign JSON
    const run = (log: any) => log.runs[0];
    expect(run(once).tool.driver.rules.map((r: { id: string }) => r.id)).toEqual(["email", "github-token"]);
    expect(run(once).results.map((r: { level: string }) => r.level)).toEqual(["error", "warning"]);
    const prints = (log: unknown) =>
      run(log).results.map((r: { partialFingerprints: object }) => r.partialFingerprints);
    expect(prints(once)).toEqual(prints(again));
  });

  test("every detector can be explained, an unknown one is null", () => {
    expect(explain("github-token")?.detector.source).toMatch(/^https:\/\/docs\.github\.com/);
    expect(explain("no-such")).toBeNull();
  });
});

describe("waivers", () => {
  const inspection = inspector.inspect([
    { text: `${fake} jane.doe@fake-company.de`, isNew: true, role: "user" },
  ]);
  const hash = inspection.findings[0]?.hash ?? "";
  const now = 1_800_000_000_000;
  const valid = { hash, reason: "test fixture of the vendor's own docs", expiresAt: now + 1000 };

  test("a valid waiver silences its value only, and says so", () => {
    const { findings, tally, waived } = withoutWaived(inspection, [valid], now);
    expect(findings.map((f) => f.detector)).toEqual(["email"]);
    expect(tally).toEqual([{ class: "personal", detector: "email", count: 1 }]);
    expect(waived.map((w) => w.waiver.reason)).toEqual([valid.reason]);
  });

  test.each([
    ["expired", { ...valid, expiresAt: now }],
    ["without a reason", { ...valid, reason: " " }],
    ["without an end", { ...valid, expiresAt: now + LONGEST_WAIVER_MS + 1 }],
    ["of no hash", { ...valid, hash: "*" }],
    ["with a broken end", { ...valid, expiresAt: Number.NaN }],
  ])("a waiver %s covers nothing", (_, waiver) => {
    expect(withoutWaived(inspection, [waiver], now).findings.length).toBe(2);
  });
});
