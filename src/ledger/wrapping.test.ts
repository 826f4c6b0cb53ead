import { cpSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { asSessionId, type EventBody, exchangeId, type SessionId } from "../core/index.ts";
import { type Ledger, type LedgerOptions, openLedger, readEvidence, rewrap, verifyLedger } from "./index.ts";

const id = (n: number): SessionId => asSessionId(`0000000${n}`) ?? expect.fail("not an id");
const ORIGIN = "example.org/log";

function place(): LedgerOptions & { readonly home: string } {
  const home = mkdtempSync(join(tmpdir(), "wrapping-"));
  const clock = { now: () => 1_800_000_000_000, monotonic: () => performance.now() };
  const [directory, keyDirectory] = [join(home, "ledger"), join(home, "keys")];
  return { home, directory, keyDirectory, clock, program: "test", origin: ORIGIN };
}
async function send(ledger: Ledger, n: number): Promise<string> {
  const session = id(n);
  const body: EventBody = {
    kind: "exchange.answered",
    session,
    exchange: exchangeId(session, 1),
    status: 200,
    responseBytes: 1,
    address: null,
    tlsPeer: null,
    usage: null,
    complete: true,
    durationMs: 1,
    evidence: [],
  };
  const { event } = await ledger.append(body, [{ role: "response-body", chunks: [Buffer.from(`of ${n}`)] }]);
  return "evidence" in event ? (event.evidence[0]?.id ?? "") : "";
}

/** A key service as a program: it keeps its key to itself, binds the context, and does what `mood` in its folder says. */
const SERVICE = `
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
const [folder, op] = process.argv.slice(2);
const mood = existsSync(folder + "/mood") ? readFileSync(folder + "/mood", "utf8") : "";
appendFileSync(folder + "/calls", op + "\\n");
if (mood === "exit") process.exit(3);
if (mood === "chatter") { process.stdout.write("x".repeat(100_000)); await new Promise(() => setInterval(() => {}, 1000)); }
if (mood === "nonsense") { console.log("{}"); process.exit(0); }
if (!existsSync(folder + "/key")) writeFileSync(folder + "/key", randomBytes(32));
const key = readFileSync(folder + "/key");
const question = JSON.parse(readFileSync(0, "utf8"));
const bound = Buffer.from(JSON.stringify(question.context));
if (op !== question.op) process.exit(4);
if (op === "wrap") {
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(bound);
  const wrapped = Buffer.concat([nonce, cipher.update(Buffer.from(question.key, "base64")), cipher.final(), cipher.getAuthTag()]);
  console.log(JSON.stringify({ wrapped: wrapped.toString("base64") }));
} else {
  const wrapped = Buffer.from(question.wrapped, "base64");
  const decipher = createDecipheriv("aes-256-gcm", key, wrapped.subarray(0, 12)).setAAD(bound);
  decipher.setAuthTag(wrapped.subarray(-16));
  let out = Buffer.concat([decipher.update(wrapped.subarray(12, -16)), decipher.final()]);
  if (mood === "another") out = randomBytes(32);
  console.log(JSON.stringify({ key: out.toString("base64") }));
}
`;
function service(home: string): { readonly command: string[]; mood(what: string): void; calls(): string[] } {
  writeFileSync(join(home, "kms.mjs"), SERVICE);
  return {
    command: [process.execPath, join(home, "kms.mjs"), home],
    mood: (what) => writeFileSync(join(home, "mood"), what),
    calls: () => readFileSync(join(home, "calls"), "utf8").trim().split("\n"),
  };
}
const sessionFiles = (options: LedgerOptions): string[] => {
  const folder = join(options.keyDirectory, "example.org_log/sessions");
  return readdirSync(folder).map((name) => readFileSync(join(folder, name), "utf8"));
};
const organisationKeys = (options: LedgerOptions): string =>
  readFileSync(join(options.keyDirectory, "organisation.keys"), "utf8");

it("a command wraps session keys instead of the file; what there was is wrapped anew, and back again", async () => {
  const options = place();
  const kms = service(options.home);
  let ledger = await openLedger(options);
  const before = await send(ledger, 1);
  const inFile = organisationKeys(options);
  const changed = await rewrap(options.keyDirectory, kms.command);
  expect(changed).toEqual({
    by: expect.stringMatching(/^[0-9a-f]{16}$/),
    former: inFile.split(" ")[0],
    sessions: 1,
  });
  expect(organisationKeys(options)).toBe(`${changed.by} command ${JSON.stringify(kms.command)}\n`);
  const after = await send(ledger, 2);
  await ledger.close();
  expect(sessionFiles(options).every((line) => line.startsWith(`v1 ${changed.by} `))).toBe(true);
  const read = async (one: string): Promise<string> =>
    String(await readEvidence(options.directory, options.keyDirectory, one));
  expect([await read(before), await read(after)]).toEqual(["of 1", "of 2"]);
  expect(await verifyLedger(options.directory, undefined, options)).toMatchObject({
    ok: true,
    evidence: { opened: 2 },
  });

  ledger = await openLedger(options);
  const back = await rewrap(options.keyDirectory, null);
  const third = await send(ledger, 3);
  await ledger.close();
  const { length } = kms.calls();
  expect([back.former, back.sessions]).toEqual([changed.by, 2]);
  expect(organisationKeys(options)).not.toContain("command");
  expect([await read(before), await read(after), await read(third)]).toEqual(["of 1", "of 2", "of 3"]);
  expect(kms.calls()).toHaveLength(length);
});

it.each([
  ["fails", "exit", "exit 3"],
  ["talks without end", "chatter", "SIGKILL"],
  ["answers nonsense", "nonsense", "holds no `wrapped`"],
  ["gives another key back", "another", "does not unwrap"],
])(
  "a command that %s is refused, with whatever needed the key; when it is well again, all goes on",
  async (_, mood, problem) => {
    const options = place();
    const kms = service(options.home);
    const fault = { code: "ledger.kms", detail: expect.stringContaining(problem) };
    const ledger = await openLedger(options);
    kms.mood(mood);
    const file = organisationKeys(options);
    await expect(rewrap(options.keyDirectory, kms.command)).rejects.toMatchObject(fault);
    expect(organisationKeys(options)).toBe(file);
    kms.mood("");
    await rewrap(options.keyDirectory, kms.command);
    kms.mood(mood);
    await expect(send(ledger, 1)).rejects.toMatchObject(fault);
    expect(ledger.size).toBe(1);
    kms.mood("");
    const one = await send(ledger, 1);
    await ledger.close();
    expect(String(await readEvidence(options.directory, options.keyDirectory, one))).toBe("of 1");
    kms.mood("exit");
    await expect(readEvidence(options.directory, options.keyDirectory, one)).rejects.toMatchObject({
      code: "ledger.kms",
    });
  },
);

it("a key file moved to another session, a command altered by hand, and a program that is not there are refused", async () => {
  const options = place();
  const kms = service(options.home);
  const ledger = await openLedger(options);
  await rewrap(options.keyDirectory, kms.command);
  const one = await send(ledger, 1);
  await send(ledger, 2);
  await ledger.close();
  const sessions = join(options.keyDirectory, "example.org_log/sessions");
  cpSync(join(sessions, `${id(2)}.key`), join(sessions, `${id(1)}.key`));
  await expect(readEvidence(options.directory, options.keyDirectory, one)).rejects.toMatchObject({
    code: "ledger.kms",
  });
  const lines = organisationKeys(options);
  writeFileSync(join(options.keyDirectory, "organisation.keys"), lines.replace("kms.mjs", "evil.mjs"));
  await expect(readEvidence(options.directory, options.keyDirectory, one)).rejects.toMatchObject({
    code: "ledger.key",
  });
  await expect(rewrap(place().keyDirectory, ["/nonexistent/kms"])).rejects.toMatchObject({
    code: "ledger.kms",
  });
});

it("stopped between any two key files, all keys open, and the same call finishes", async () => {
  const options = place();
  const kms = service(options.home);
  const ledger = await openLedger(options);
  const all = [await send(ledger, 1), await send(ledger, 2)];
  await ledger.close();
  const folder = join(options.keyDirectory, "example.org_log/sessions");
  // A file that does not unwrap stops it after the first one.
  const second = join(folder, `${id(2)}.key`);
  const good = readFileSync(second);
  writeFileSync(second, "v1 0000000000000000 AAAA\n", { mode: 0o600 });
  await expect(rewrap(options.keyDirectory, kms.command)).rejects.toMatchObject({ code: "ledger.key" });
  writeFileSync(second, good);
  for (const [n, one] of all.entries())
    expect(String(await readEvidence(options.directory, options.keyDirectory, one))).toBe(`of ${n + 1}`);
  expect(organisationKeys(options).trim().split("\n")).toHaveLength(2);
  await rewrap(options.keyDirectory, kms.command);
  expect(organisationKeys(options).trim().split("\n")).toHaveLength(1);
  for (const [n, one] of all.entries())
    expect(String(await readEvidence(options.directory, options.keyDirectory, one))).toBe(`of ${n + 1}`);
});
