// Golden files: test/golden/sandbox/seatbelt-*.sb. No macOS is among the machines that run this: what Seatbelt makes of
// them is not tested.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, test } from "vitest";
import type { SandboxSpec } from "./facts.ts";
import { type MacFacts, seatbeltProfile } from "./seatbelt.ts";

const GOLDEN = join(import.meta.dirname, "../../test/golden/sandbox");
const spec = (over: Partial<SandboxSpec> = {}): SandboxSpec => ({
  ...{
    program: ["claude"],
    workspace: "/Users/ada/payments",
    homeDirectory: "/Users/ada/.local/homes/claude",
  },
  ...{ read: [], write: [], hide: [], environment: {}, proxyPort: 3128, nested: false },
  ...{ caCertificate: "/Users/ada/.local/s/1/ca.pem", caBundle: "/Users/ada/.local/s/1/bundle.pem" },
  ...over,
});
const facts = (over: Partial<MacFacts> = {}): MacFacts => ({
  ...{ home: "/Users/ada", temporary: "/private/var/folders/ab/sallyport-1", hidden: [] },
  ...over,
});

describe("the profile for macOS", () => {
  test.each<[string, SandboxSpec, MacFacts]>([
    ["plain", spec(), facts()],
    [
      "grants",
      spec({
        read: ["~/.cargo", "/opt/tools"],
        write: [".vscode", "~/.cache/pip"],
        protect: ["/Users/ada/.local/state/sallyport"],
      }),
      facts({ hidden: ["/Users/ada/payments/conf/prod/.env", '/Users/ada/payments/odd "name\\'] }),
    ],
  ])("%s", (name, given, about) => {
    const file = join(GOLDEN, `seatbelt-${name}.sb`);
    const made = seatbeltProfile(given, about);
    if (process.env["UPDATE"] === "1") {
      mkdirSync(GOLDEN, { recursive: true });
      writeFileSync(file, made);
    }
    expect(made).toBe(readFileSync(file, "utf8"));
  });

  const lines = (...args: Parameters<typeof seatbeltProfile>): readonly string[] =>
    seatbeltProfile(...args).split("\n");

  it("what is hidden is denied after the workspace is allowed, and cannot be moved away", () => {
    const made = lines(spec(), facts({ hidden: ["/Users/ada/payments/conf/prod/.env"] }));
    const at = (text: string): number => made.findIndex((line) => line.includes(text));
    expect(
      at('(deny file-read* file-write* (subpath "/Users/ada/payments/conf/prod/.env"))'),
    ).toBeGreaterThan(at('(allow file-read* file-write* (subpath "/Users/ada/payments"))'));
    for (const folder of ["", "/conf", "/conf/prod"])
      expect(made).toContain(`(deny file-write-unlink (literal "/Users/ada/payments${folder}"))`);
  });

  it("of the network there is the gateway alone, and no unix socket", () => {
    const made = lines(spec(), facts());
    expect(made.filter((line) => line.startsWith("(allow network-outbound"))).toEqual([
      '(allow network-outbound (remote ip "localhost:3128"))',
    ]);
    expect(made).toContain("(deny network-outbound (remote unix-socket))");
  });

  it("a path cannot end its string, and one with control characters is refused", () => {
    const made = seatbeltProfile(spec({ read: ['/opt/a"))(allow default)'] }), facts());
    expect(made).toContain('(subpath "/opt/a\\"))(allow default)")');
    expect(() => seatbeltProfile(spec({ read: ["/opt/a\n(allow default)"] }), facts())).toThrow("control");
  });

  it("a workspace that holds the home folder is refused", () => {
    for (const workspace of ["/", "/Users", "/Users/ada"])
      expect(() => seatbeltProfile(spec({ workspace }), facts())).toThrow("home");
  });
});
