// The browser's verifier against real ledgers that the product wrote. It runs here as it does there: on WebCrypto alone.
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, test } from "vitest";
import { asSessionId, type Clock, type EventBody } from "../../../../core/index.ts";
import { openLedger, verifyLedger } from "../../../../ledger/index.ts";
import { type Remembered, type Step, type Verified, verify } from "./verify.ts";

const clock: Clock = { now: () => 1_800_000_000_000, monotonic: () => performance.now() };
const SIZES = { first: 300, second: 777 };
let home = "";
let first = "";
let second = "";

const entry = (n: number): EventBody => ({
  kind: "workspace.undone",
  session: asSessionId("7f3a0001") ?? expect.fail("not an id"),
  principal: `local:${n}`,
  direction: "undo",
  isForced: false,
  paths: [`file ${n}`],
  total: 1,
});

/** Grows the ledger to `size` entries and copies what is published. */
async function grow(name: string, size: number): Promise<string> {
  const directory = join(home, "ledger");
  const ledger = await openLedger({
    directory,
    keyDirectory: join(home, "keys"),
    clock,
    program: "test",
    origin: "example.org/log",
  });
  const from = ledger.size;
  await Promise.all(Array.from({ length: size - from }, (_, n) => ledger.append(entry(from + n), [])));
  await ledger.close();
  const copy = join(home, name);
  for (const part of ["checkpoint", "vkey.txt", "tile"])
    cpSync(join(directory, part), join(copy, part), { recursive: true });
  return copy;
}

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), "console-verify-"));
  first = await grow("first", SIZES.first);
  second = await grow("second", SIZES.second);
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

async function check(directory: string, remembered: Remembered | null = null): Promise<Verified> {
  return verify({
    read: (path) => {
      const file = join(directory, path);
      return Promise.resolve(existsSync(file) ? new Uint8Array(readFileSync(file)) : null);
    },
    remembered: () => remembered,
    onProgress: () => undefined,
    signal: AbortSignal.timeout(15_000),
    withEntries: true,
  });
}

const stateOf = (verified: Verified, step: Step): string =>
  verified.found.find((found) => found.step === step)?.state ?? "none";

const keep = ({ checkpoint, keys }: Verified): Remembered =>
  checkpoint === null ? expect.fail("nothing to keep") : { ...checkpoint, keys, at: 0 };

/** A copy with one file changed. */
function tampered(from: string, path: string, change: (bytes: Buffer) => Buffer): string {
  const copy = mkdtempSync(join(home, "tampered-"));
  cpSync(from, copy, { recursive: true });
  writeFileSync(join(copy, path), change(readFileSync(join(copy, path))));
  return copy;
}

const flipped =
  (at: number) =>
  (bytes: Buffer): Buffer => {
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    return bytes;
  };

const firstFile = (directory: string, under: string): string => {
  const [name] = readdirSync(join(directory, under), {
    recursive: true,
    encoding: "utf8",
    withFileTypes: true,
  })
    .filter((file) => file.isFile())
    .map((file) => join(file.parentPath, file.name).slice(directory.length + 1))
    .sort();
  return name ?? expect.fail("no file");
};

describe("a ledger as it was written", () => {
  it("is good, and the ledger's own verifier comes to the same root", async () => {
    const verified = await check(second);
    const own = await verifyLedger(join(home, "ledger"));
    expect(verified.isGood).toBe(true);
    expect(verified.checkpoint).toEqual({ origin: own.origin, size: own.size, root: own.root });
    expect(verified.hashed.entries).toBe(own.size);
    expect(stateOf(verified, "before")).toBe("first");
  });

  it("is the continuation of what this browser saw before", async () => {
    const verified = await check(second, keep(await check(first)));
    expect(verified.isGood).toBe(true);
    expect(stateOf(verified, "before")).toBe("good");
    expect(stateOf(verified, "key")).toBe("good");
  });

  it("is the same where nothing was added", async () => {
    expect(stateOf(await check(first, keep(await check(first))), "before")).toBe("good");
  });
});

describe("a ledger that was tampered with", () => {
  const attacks: readonly (readonly [
    attack: string,
    under: string,
    step: Step,
    change: (bytes: Buffer) => Buffer,
  ])[] = [
    ["an altered entry", "tile/entries", "entries", flipped(40)],
    ["an altered leaf hash", "tile/0", "tree", flipped(5)],
    ["a bundle that was cut", "tile/entries", "entries", (bytes) => bytes.subarray(0, bytes.length - 10)],
    ["a tile that was cut", "tile/0", "tree", (bytes) => bytes.subarray(0, bytes.length - 32)],
  ];
  test.each(attacks)("%s is found", async (_, under, step, change) => {
    const verified = await check(tampered(second, firstFile(second, under), change));
    expect(verified.isGood).toBe(false);
    expect(stateOf(verified, step)).toBe("bad");
  });

  it("a checkpoint that was altered after it was signed is found", async () => {
    const bad = tampered(second, "checkpoint", (bytes) =>
      Buffer.from(bytes.toString().replace(`\n${SIZES.second}`, "\n700")),
    );
    const verified = await check(bad);
    expect(stateOf(verified, "signature")).toBe("bad");
    expect(verified.isGood).toBe(false);
  });

  it("a checkpoint whose signature lines are gone is found", async () => {
    const bad = tampered(second, "checkpoint", (bytes) =>
      Buffer.from(`${bytes.toString().split("\n\n")[0]}\n\n`),
    );
    expect((await check(bad)).isGood).toBe(false);
  });

  it("a key whose id is another one's is found", async () => {
    const bad = tampered(second, "vkey.txt", (bytes) =>
      Buffer.from(bytes.toString().replace(/\+[0-9a-f]{8}\+/, "+00000000+")),
    );
    expect(stateOf(await check(bad), "key")).toBe("bad");
  });

  it("an older copy is a rollback", async () => {
    const verified = await check(first, keep(await check(second)));
    expect(verified.found.find(({ step }) => step === "before")?.problem).toMatch(/rolled back/);
    expect(verified.isGood).toBe(false);
  });

  it("another history by the same key is a fork", async () => {
    const before = keep(await check(first));
    const verified = await check(second, { ...before, root: before.root.replace(/^../, "00") });
    expect(verified.found.find(({ step }) => step === "before")?.problem).toMatch(/forked/);
  });

  it("a ledger by a key that this browser never saw is not believed", async () => {
    const before = keep(await check(first));
    const verified = await check(second, { ...before, keys: ["example.org/log+00000000+AAAA"] });
    expect(stateOf(verified, "key")).toBe("bad");
    expect(verified.isGood).toBe(false);
  });

  it("a tile that is missing is found", async () => {
    const copy = tampered(second, "checkpoint", (bytes) => bytes);
    rmSync(join(copy, firstFile(second, "tile/0")));
    const verified = await check(copy);
    expect(verified.found.find(({ step }) => step === "tree")?.problem).toMatch(/missing/);
  });
});
