/**
 * The register's statements on disk: `<folder>/approvers.yaml` says whose word counts and how many must agree,
 * `<folder>/statements/*.json` holds what they said. The administrator's folder goes first: where it names approvers,
 * nobody else's list is asked. Where nobody is named, the person at the machine is the one approver, by a key of their own.
 */
import { createPrivateKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { chmod, mkdir, open, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { Fault } from "../core/index.ts";
import {
  type Approver,
  openStatement,
  privateKey,
  publicKey,
  publicText,
  type SignedStatement,
  type Statement,
  signStatement,
} from "./statement.ts";

const Approvers = z.strictObject({
  version: z.literal(1),
  required: z.int().min(1).max(9).default(1),
  approvers: z
    .array(z.strictObject({ name: z.string().min(1).max(200), key: z.string() }))
    .min(1)
    .max(100),
});

export interface RegisterPlaces {
  /** The administrator's folder; may be absent. */
  readonly system: string;
  /** The person's folder; may be absent. */
  readonly own: string;
  /** File of the person's own approving key (PKCS 8, PEM, 0600); made when it is first needed. */
  readonly keyFile: string;
  /** What the person is called where no list names their key. */
  readonly principal: string;
}

export interface Approvals {
  readonly approvers: readonly Approver[];
  /** How many approvers must agree. */
  readonly required: number;
  readonly statements: readonly SignedStatement[];
  /** Files whose signer is on no list: they count for nothing. */
  readonly strangers: readonly string[];
}

/** Throws `register.invalid` naming the file for anything that is not exactly a list or a statement. */
export function readApprovals(places: RegisterPlaces): Approvals {
  const { approvers, required } = readApprovers(places);
  const statements = new Map<string, SignedStatement>();
  const strangers: string[] = [];
  for (const file of [places.system, places.own].flatMap(statementFiles)) {
    const opened = openStatement(readFileSync(file, "utf8"), file, approvers);
    if (opened === null) strangers.push(file);
    else statements.set(opened.id, opened);
  }
  return { approvers, required, statements: [...statements.values()], strangers };
}

function readApprovers(places: RegisterPlaces): { approvers: readonly Approver[]; required: number } {
  for (const folder of [places.system, places.own]) {
    const file = join(folder, "approvers.yaml");
    if (!existsSync(file)) continue;
    const list = Approvers.safeParse(readYaml(file));
    if (!list.success) {
      const first = list.error.issues[0];
      throw invalid(file, `${first?.path.join(".") ?? ""}: ${first?.message ?? ""}`);
    }
    const { approvers, required } = list.data;
    for (const { key } of approvers) publicKey(key);
    const distinct = new Set(approvers.map(({ key }) => key)).size;
    if (distinct !== approvers.length || new Set(approvers.map(({ name }) => name)).size !== approvers.length)
      throw invalid(file, "two approvers share a name or a key");
    if (required > approvers.length)
      throw invalid(file, `${required} must agree, and only ${approvers.length} are named`);
    return { approvers, required };
  }
  const own = existsSync(places.keyFile) ? readKey(places.keyFile) : null;
  return {
    approvers: own === null ? [] : [{ name: places.principal, key: publicText(own) }],
    required: 1,
  };
}

/** The person's approving key, made when there is none. */
export async function approvingKey(places: RegisterPlaces): Promise<KeyObject> {
  if (existsSync(places.keyFile)) return readKey(places.keyFile);
  await mkdir(join(places.keyFile, ".."), { recursive: true, mode: 0o700 });
  const pem = generateKeyPairSync("ed25519").privateKey.export({ format: "pem", type: "pkcs8" });
  await writeDurably(places.keyFile, String(pem), 0o600);
  return createPrivateKey(pem);
}

/** The name under which the person's word counts. Throws `register.invalid` when no list names their key. */
export function nameOf(
  key: KeyObject,
  { approvers }: Pick<Approvals, "approvers">,
  principal: string,
): string {
  const own = publicText(key);
  const listed = approvers.find((approver) => approver.key === own);
  if (listed !== undefined) return listed.name;
  if (approvers.length === 0) return principal;
  throw new Fault("register.stranger", { detail: `your key is ${own}` });
}

/** Writes the statement into the person's folder, durably. Resolves to its file. */
export async function putStatement(
  places: RegisterPlaces,
  statement: Statement,
  key: KeyObject,
): Promise<string> {
  const folder = join(places.own, "statements");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const name = `${new Date(statement.at).toISOString().replaceAll(/[:.]/g, "-")}-${statement.action}-${publicText(
    key,
  )
    .replaceAll(/[^A-Za-z0-9]/g, "")
    .slice(0, 8)}.json`;
  const file = join(folder, name);
  await writeDurably(file, signStatement(statement, key), 0o644);
  return file;
}

/**
 * Writes a statement that was signed elsewhere into the person's folder, durably, as it came. The caller has opened it.
 * Resolves to its file.
 */
export async function putEnvelope(
  places: RegisterPlaces,
  { statement, id }: SignedStatement,
  text: string,
): Promise<string> {
  const folder = join(places.own, "statements");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const when = new Date(statement.at).toISOString().replaceAll(/[:.]/g, "-");
  const file = join(folder, `${when}-${statement.action}-${id.slice(0, 8)}.json`);
  await writeDurably(file, text, 0o644);
  return file;
}

async function writeDurably(file: string, text: string, mode: number): Promise<void> {
  const fresh = `${file}.new`;
  await writeFile(fresh, text, { mode, flush: true });
  await chmod(fresh, mode);
  await rename(fresh, file);
  const folder = await open(join(file, ".."), "r");
  await folder.sync().finally(() => folder.close());
}

const statementFiles = (folder: string): readonly string[] => {
  const statements = join(folder, "statements");
  return existsSync(statements)
    ? readdirSync(statements)
        .filter((name) => name.endsWith(".json"))
        .sort()
        .map((name) => join(statements, name))
    : [];
};

function readYaml(file: string): unknown {
  try {
    return parse(readFileSync(file, "utf8"), { schema: "core" });
  } catch (cause) {
    throw invalid(file, cause instanceof Error ? (cause.message.split("\n")[0] ?? "") : "", cause);
  }
}

const readKey = (file: string): KeyObject => privateKey(readFileSync(file, "utf8"), file);

const invalid = (at: string, detail: string, cause?: unknown): Fault =>
  new Fault("register.invalid", { at, detail, cause });
