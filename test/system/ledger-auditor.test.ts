// Our log, its witness and its receipts before verifiers that we did not write: golang.org/x/mod/sumdb (Debian: golang-go golang-golang-x-mod-dev).
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { asSessionId, systemClock } from "../../src/core/index.ts";
import { type LedgerOptions, makeReceipt, openLedger } from "../../src/ledger/index.ts";

const VERIFIER = join(import.meta.dirname, "../../src/ledger/verify-standalone.ts");
const GOPATH = "/usr/share/gocode";
const present = existsSync("/usr/bin/go") && existsSync(join(GOPATH, "src/golang.org/x/mod/sumdb/tlog"));
if (!present)
  console.warn(
    "SKIPPED: the ledger is not checked by golang.org/x/mod here; apt-get install golang-go golang-golang-x-mod-dev",
  );

const build = (name: string, home: string): string => {
  const program = join(home, name);
  const source = join(import.meta.dirname, `../../scripts/${name}/main.go`);
  execFileSync("/usr/bin/go", ["build", "-o", program, source], {
    env: { ...process.env, GOPATH, GO111MODULE: "off", GOCACHE: join(home, "cache"), GOFLAGS: "" },
  });
  return program;
};

describe.skipIf(!present)("golang.org/x/mod/sumdb", () => {
  const home = mkdtempSync(join(tmpdir(), "auditor-"));
  let program = "";
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
    program = build("ledger-auditor", home);
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

describe.skipIf(!present)("a witness on golang.org/x/mod/sumdb", () => {
  const home = mkdtempSync(join(tmpdir(), "witnessed-"));
  const directory = join(home, "ledger");
  const vkey = join(directory, "vkey.txt");
  const options = { directory, keyDirectory: join(home, "keys"), clock: systemClock, program: "test" };
  let program = "";
  let running: ChildProcess | null = null;
  let said: AsyncIterator<string>;
  const next = async (): Promise<string> => String((await said.next()).value);

  beforeAll(async () => {
    program = build("ledger-witness", home);
    await (await openLedger(options)).close();
    const child = spawn(program, ["audit.example.org/w", vkey], { stdio: ["ignore", "pipe", "inherit"] });
    running = child;
    said = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }, 120_000);
  afterAll(() => void running?.kill());

  it("cosigns what grows, refuses a fork, and our verifiers and theirs agree on its policy", async () => {
    const [verifierKey = "", url = ""] = (await next()).split(" ");
    const witnesses = [{ url, verifierKey }];
    const place = (names: readonly string[]): Promise<void> => grow({ ...options, witnesses }, names);
    for (const n of [1, 2, 3]) await place(Array.from({ length: 100 * n }, (_, i) => `case-${n}-${i}`));
    const answers: string[] = [];
    while (answers.at(-1) !== "200 303 604") answers.push(await next());
    expect(answers).toContain("409 0 303"); // asked anew after a restart, told where it stands
    const policy = join(home, "witness.policy");
    const log = readFileSync(vkey, "utf8").trim();
    writeFileSync(policy, `log ${log}\nwitness audit ${verifierKey} ${url}\nquorum audit\n`);
    const verify = (...args: string[]): { status: number | null; stdout: string } =>
      spawnSync(process.execPath, [VERIFIER, ...args], { encoding: "utf8" });
    expect(verify(directory, "--policy", policy)).toMatchObject({
      status: 0,
      stdout: expect.stringContaining("quorum    has seen 604 entries"),
    });

    const receipts = [0, 255, 256, 603].map((index) => {
      const file = join(home, `${index}.tlog-proof`);
      writeFileSync(file, makeReceipt(directory, index));
      return file;
    });
    expect(execFileSync(program, ["-", vkey, "receipts", ...receipts], { encoding: "utf8" })).toBe(
      [0, 255, 256, 603].map((index) => `OK entry ${index} of 604\n`).join(""),
    );
    for (const file of receipts)
      expect(verify("--receipt", file, "--policy", policy)).toMatchObject({ status: 0 });

    // The same keys, another history of the same length and more.
    const forked = {
      ...options,
      witnesses,
      directory: join(home, "fork"),
      keyDirectory: join(home, "fork-keys"),
    };
    cpSync(options.keyDirectory, forked.keyDirectory, { recursive: true });
    const own = readdirSync(forked.keyDirectory).find((name) => name.startsWith("sallyport.local_")) ?? "";
    rmSync(join(forked.keyDirectory, own, "checkpoint"));
    mkdirSync(forked.directory);
    copyFileSync(vkey, join(forked.directory, "vkey.txt"));
    await grow(
      forked,
      Array.from({ length: 700 }, (_, i) => `forged-${i}`),
    );
    while (!answers.some((line) => line.startsWith("422 604 "))) answers.push(await next());
    expect(verify(forked.directory, "--policy", policy)).toMatchObject({
      status: 7,
      stdout: expect.stringContaining("not witnessed: the quorum `audit`"),
    });
  }, 60_000);

  /** One entry a name, one checkpoint at the end. */
  async function grow(to: LedgerOptions, names: readonly string[]): Promise<void> {
    const ledger = await openLedger({ ...to, checkpointEveryMs: 1e8, checkpointEveryEntries: 1e9 });
    const session = asSessionId("7f3a0001") ?? expect.fail("not an id");
    const refused = { kind: "connection.refused", session, door: "tls", port: 443 } as const;
    await Promise.all(
      names.map((host) => ledger.append({ ...refused, host, rule: "default", reason: "no" })),
    );
    await ledger.close();
  }
});
