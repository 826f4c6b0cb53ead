// Our log before verifiers that we did not write: golang.org/x/mod/sumdb (Debian: golang-go golang-golang-x-mod-dev).
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { asSessionId, systemClock } from "../../src/core/index.ts";
import { openLedger } from "../../src/ledger/index.ts";

const GOPATH = "/usr/share/gocode";
const present = existsSync("/usr/bin/go") && existsSync(join(GOPATH, "src/golang.org/x/mod/sumdb/tlog"));
if (!present)
  console.warn(
    "SKIPPED: the ledger is not checked by golang.org/x/mod here; apt-get install golang-go golang-golang-x-mod-dev",
  );

describe.skipIf(!present)("golang.org/x/mod/sumdb", () => {
  const home = mkdtempSync(join(tmpdir(), "auditor-"));
  const program = join(home, "auditor");
  const directory = join(home, "ledger");
  const session = asSessionId("7f3a0001") ?? expect.fail("not an id");
  const audit = (): string => {
    try {
      return execFileSync(program, [directory, join(directory, "vkey.txt")], { encoding: "utf8" });
    } catch (error) {
      return error instanceof Error && "stdout" in error ? String(error.stdout) : String(error);
    }
  };
  const grow = async (entries: number): Promise<string> => {
    const ledger = await openLedger({
      directory,
      keyDirectory: join(home, "keys"),
      clock: systemClock,
      program: "test",
      origin: "example.org/audited",
    });
    await Promise.all(
      Array.from({ length: entries - 1 }, (_, n) =>
        ledger.append({
          kind: "connection.refused",
          session,
          door: "tls",
          host: `h${n}.example`,
          port: 443,
          rule: "default",
          reason: "not allowed",
        }),
      ),
    );
    await ledger.close();
    return ledger.origin;
  };

  beforeAll(() => {
    const source = join(import.meta.dirname, "../../scripts/ledger-auditor/main.go");
    execFileSync("/usr/bin/go", ["build", "-o", program, source], {
      env: { ...process.env, GOPATH, GO111MODULE: "off", GOCACHE: join(home, "cache"), GOFLAGS: "" },
    });
  }, 120_000);

  it.each([1, 255, 256, 257, 1000, 65_536, 66_000])(
    "accepts the log, grown by restarts to %d and more",
    async (size) => {
      const before = existsSync(join(directory, "checkpoint"))
        ? Number(readFileSync(join(directory, "checkpoint"), "utf8").split("\n")[1])
        : 0;
      const total = Math.max(size, before + 1);
      await grow(total - before);
      expect(audit()).toMatch(
        new RegExp(`^OK example.org/audited size ${total} entries verified ${total} root `),
      );
    },
  );

  it("names the entry in which one bit was flipped", () => {
    const bundle = join(directory, "tile/entries/100");
    const bytes = readFileSync(bundle);
    bytes[10] = (bytes[10] ?? 0) ^ 1;
    writeFileSync(bundle, bytes);
    expect(audit()).toBe("FAIL entry 25600 does not match its leaf\n");
  });
});
