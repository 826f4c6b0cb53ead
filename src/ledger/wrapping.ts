/**
 * What wraps session keys: `organisation.keys` in the key directory, one a line, the first for new ones:
 *
 *   <id> <base64 of 32 bytes>         a key in this file: AES-256-GCM, bound to log and session
 *   <id> command ["argv0","arg",…]    an external key service, by a command of the organisation's
 *
 * The command is started with `wrap` or `unwrap` as its last argument, never by a shell. One line of JSON on stdin:
 * `{"v":1,"op":"wrap","context":{"origin":…,"session":…},"key":"<base64>"}` or the same with `"op":"unwrap"` and `wrapped`;
 * one line on stdout: `{"wrapped":"<base64>"}`, or `{"key":"<base64>"}`, and exit 0. `context` is for the service's own
 * binding and audit. What is wrapped is unwrapped once before it is believed.
 *
 * Failure contract: a command that fails, is late or answers anything else is `ledger.kms`, and whatever needed the key is
 * refused. Limits: 5 s, 16 KiB of answer.
 */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "../core/index.ts";
import { diskFault, putFile, readSecretFile } from "./files.ts";
import { sha256 } from "./merkle.ts";
import { seal, unseal } from "./seal.ts";

export const KEY_BYTES = 32;
const DEADLINE_MS = 5000;
const MAX_ANSWER_BYTES = 16 * 1024;

type WrappingKey =
  | { readonly id: string; readonly key: Buffer }
  | { readonly id: string; readonly command: readonly string[] };

/** Whose key it is: the log and the session. */
export interface KeyContext {
  readonly origin: string;
  readonly session: string;
}

const fileOf = (keyDirectory: string): string => join(keyDirectory, "organisation.keys");
const idOf = (what: Buffer | string): string =>
  sha256(Buffer.concat([Buffer.from("id"), Buffer.from(what)])).toString("hex", 0, 8);
const lineOf = (key: WrappingKey): string =>
  "key" in key
    ? `${key.id} ${key.key.toString("base64")}\n`
    : `${key.id} command ${JSON.stringify(key.command)}\n`;

function wrappingKeys(keyDirectory: string): WrappingKey[] {
  const at = fileOf(keyDirectory);
  const lines = (readSecretFile(at)?.toString("utf8") ?? "").split("\n").filter((line) => line !== "");
  return lines.map((line) => {
    const known = parseLine(line);
    if (known === null) throw new Fault("ledger.key", { at, detail: "malformed line" });
    return known;
  });
}

function parseLine(line: string): WrappingKey | null {
  const [id = "", encoded = ""] = line.split(" ");
  if (encoded === "command") {
    const command = commandOf(line.slice(id.length + " command ".length));
    return command === null || idOf(JSON.stringify(command)) !== id ? null : { id, command };
  }
  const key = Buffer.from(encoded, "base64");
  return key.length !== KEY_BYTES || idOf(key) !== id ? null : { id, key };
}

function commandOf(json: string): string[] | null {
  try {
    const argv: unknown = JSON.parse(json);
    const isArgv = Array.isArray(argv) && argv.length > 0 && argv.every((word) => typeof word === "string");
    return isArgv ? argv : null;
  } catch {
    return null;
  }
}

/** Makes the organisation's first wrapping key where there is none. */
export async function ensureOrganisationKey(keyDirectory: string): Promise<void> {
  if (wrappingKeys(keyDirectory).length === 0) await write(keyDirectory, [newKey()]);
}

function newKey(): WrappingKey {
  const key = randomBytes(KEY_BYTES);
  return { id: idOf(key), key };
}

const write = (keyDirectory: string, keys: readonly WrappingKey[]): Promise<void> =>
  putFile(fileOf(keyDirectory), keys.map(lineOf).join(""), 0o600);

/** The line of a session's key file. Throws `ledger.key`, `ledger.kms`. */
export async function wrapKey(keyDirectory: string, key: Buffer, context: KeyContext): Promise<string> {
  const [by] = wrappingKeys(keyDirectory);
  if (by === undefined) throw new Fault("ledger.key", { at: keyDirectory, detail: "no organisation key" });
  return `v1 ${by.id} ${(await wrapBy(by, key, context)).toString("base64")}\n`;
}

async function wrapBy(by: WrappingKey, key: Buffer, context: KeyContext): Promise<Buffer> {
  if ("key" in by) return seal(by.key, key, boundTo(context));
  const wrapped = await ask(by.command, "wrap", "key", key, "wrapped", context);
  if (!(await ask(by.command, "unwrap", "wrapped", wrapped, "key", context)).equals(key))
    throw new Fault("ledger.kms", { at: by.command[0] ?? "", detail: "what it wrapped does not unwrap" });
  return wrapped;
}

/** `line` is what `wrapKey` made, `at` where it stands. Throws `ledger.key`, `ledger.kms`. */
export async function unwrapKey(
  keyDirectory: string,
  line: string,
  at: string,
  context: KeyContext,
): Promise<Buffer> {
  const [version, id, encoded = ""] = line.trim().split(" ");
  const by = wrappingKeys(keyDirectory).find((key) => key.id === id);
  if (version !== "v1" || by === undefined)
    throw new Fault("ledger.key", { at, detail: `wrapped by ${id ?? "nothing"}, which is not there` });
  const wrapped = Buffer.from(encoded, "base64");
  const key =
    "key" in by
      ? unseal(by.key, wrapped, boundTo(context))
      : await ask(by.command, "unwrap", "wrapped", wrapped, "key", context);
  if (key?.length !== KEY_BYTES) throw new Fault("ledger.key", { at, detail: "does not unwrap" });
  return key;
}

const boundTo = ({ origin, session }: KeyContext): Buffer =>
  Buffer.from(`sallyport session key v1\n${origin}\n${session}\n`);

async function ask(
  command: readonly string[],
  op: "wrap" | "unwrap",
  name: "key" | "wrapped",
  bytes: Buffer,
  wanted: "key" | "wrapped",
  context: KeyContext,
): Promise<Buffer> {
  const question = JSON.stringify({ v: 1, op, context, [name]: bytes.toString("base64") });
  const answer = await run([...command, op], `${question}\n`);
  try {
    const parsed: unknown = JSON.parse(answer);
    const value =
      typeof parsed === "object" && parsed !== null ? new Map(Object.entries(parsed)).get(wanted) : null;
    const found = Buffer.from(String(value), "base64");
    if (typeof value === "string" && found.length > 0 && found.toString("base64") === value) return found;
  } catch {
    // told below: not JSON
  }
  throw new Fault("ledger.kms", {
    at: command[0] ?? "",
    detail: `its answer holds no \`${wanted}\` in base64`,
  });
}

function run([file = "", ...rest]: readonly string[], input: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (detail: string): void => reject(new Fault("ledger.kms", { at: file, detail }));
    const child = spawn(file, rest, { stdio: ["pipe", "pipe", "ignore"], shell: false });
    const late = setTimeout(() => {
      child.kill("SIGKILL");
      fail(`no answer in ${DEADLINE_MS / 1000} s`);
    }, DEADLINE_MS);
    let answer = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      answer += text;
      if (answer.length > MAX_ANSWER_BYTES) child.kill("SIGKILL");
    });
    child.on("error", (error) => {
      clearTimeout(late);
      fail(error.message);
    });
    child.on("close", (code, signal) => {
      clearTimeout(late);
      if (code === 0) resolve(answer);
      else fail(code === null ? `ended by ${signal}` : `exit ${code}`);
    });
    child.stdin.on("error", () => undefined); // it left without listening: `close` tells how
    child.stdin.end(input);
  });
}

export interface Rewrapped {
  /** Ids of what wraps from now on, and of what did. */
  readonly by: string;
  readonly former: string;
  /** Session keys that were wrapped anew. */
  readonly sessions: number;
}

/**
 * From now on `command` wraps session keys, or, where it is null, a new key in the file; the ones there are, of all
 * ledgers of this key directory, are wrapped anew. The caller holds the ledger's lock.
 *
 * Crash story: the new line comes first, each key file is replaced whole, and old lines go last, when no key file names
 * them: at any point all keys open, and the same call again finishes. Backups of the key directory still hold the old
 * line: what it wrapped is safe from whoever has it only when the last of them expires.
 */
export async function rewrap(keyDirectory: string, command: readonly string[] | null): Promise<Rewrapped> {
  const before = wrappingKeys(keyDirectory);
  const by: WrappingKey = command === null ? newKey() : { id: idOf(JSON.stringify(command)), command };
  const probe = randomBytes(KEY_BYTES);
  await wrapBy(by, probe, { origin: "probe", session: "00000000" }); // a command that does not work is never put first
  const rest = before.filter((key) => key.id !== by.id);
  await write(keyDirectory, [by, ...rest]);
  const files = keyFiles(keyDirectory);
  try {
    for (const { path, context } of files) {
      const line = readSecretFile(path)?.toString("utf8");
      if (line === undefined || line.startsWith(`v1 ${by.id} `)) continue;
      const key = await unwrapKey(keyDirectory, line, path, context);
      await putFile(path, await wrapKey(keyDirectory, key, context), 0o600);
    }
  } catch (error) {
    throw diskFault(error, keyDirectory);
  }
  await write(keyDirectory, [by]);
  return { by: by.id, former: before[0]?.id ?? "", sessions: files.length };
}

function keyFiles(keyDirectory: string): { readonly path: string; readonly context: KeyContext }[] {
  const logs = readdirSync(keyDirectory, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return logs.flatMap((log) => {
    const folder = join(keyDirectory, log.name, "sessions");
    // The origin itself stands in the signer's key: PRIVATE+KEY+<origin>+….
    const origin = readSecretFile(join(keyDirectory, log.name, "signing.key"))
      ?.toString("utf8")
      .split("+")[2];
    if (origin === undefined || !existsSync(folder)) return [];
    return readdirSync(folder)
      .filter((name) => name.endsWith(".key"))
      .map((name) => ({ path: join(folder, name), context: { origin, session: name.slice(0, -4) } }));
  });
}
