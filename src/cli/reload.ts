/**
 * Policy documents that change while a session runs. What it says about sending, hosts and budgets holds for new requests
 * at once; what the sandbox was built from (files, variables, programs) holds from the next session on.
 *
 * Not taken up again: what lies where the agent can write (it would write its own permission), the repository's own
 * document for the same reason, and a document that is gone (removing guardrails loosens; it takes a new session).
 */
import { existsSync, realpathSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import { Fault } from "../core/index.ts";
import { layer, type Policy, type PolicyDocument, type parseDocument } from "../policy/index.ts";
import { GUARDRAILS_FILE } from "./prepare.ts";

/** The documents of a session that it takes up again, and the files that it would take up if they were there. */
export class WatchedDocuments {
  readonly #parse: typeof parseDocument;
  readonly #workspace: string;
  #policy: Policy;
  #identity: string;

  constructor(policy: Policy, workspace: string, parse: typeof parseDocument) {
    this.#policy = policy;
    this.#workspace = workspace;
    this.#parse = parse;
    this.#identity = this.#look();
  }

  /** Whether a file is another than it was when it was last read or tried. */
  get hasChanged(): boolean {
    return this.#look() !== this.#identity;
  }

  /**
   * What the documents say now; null when that is what they said before. It holds when {@link take} is told so.
   * Throws `policy.invalid`, `profile.unreadable`; then what held before holds, and the same files are not tried again.
   */
  async read(): Promise<Policy | null> {
    const identity = this.#look();
    try {
      const policy = await this.#read();
      if (policy === null) this.#identity = identity;
      return policy;
    } catch (error) {
      this.#identity = identity;
      throw error;
    }
  }

  /** It is in force: what comes next is compared with it. */
  take(policy: Policy): void {
    this.#policy = policy;
    this.#identity = this.#look();
  }

  async #read(): Promise<Policy | null> {
    const known = documentsOf(this.#policy);
    const documents = await Promise.all(known.map((document) => this.#again(document)));
    if (existsSync(GUARDRAILS_FILE) && !known.some(({ file }) => file === GUARDRAILS_FILE))
      documents.push(this.#parse(await readFile(GUARDRAILS_FILE, "utf8"), GUARDRAILS_FILE));
    const policy = layer(documents);
    return policy.sha256 === this.#policy.sha256 ? null : policy;
  }

  async #again(document: PolicyDocument): Promise<PolicyDocument> {
    const { file, data } = document;
    if (!this.#isWatched(document)) return document;
    const text = await readFile(file, "utf8").catch((cause: unknown) => {
      throw new Fault("profile.unreadable", { at: file, cause, detail: "the session keeps what it said" });
    });
    const fresh = this.#parse(text, file);
    if (fresh.data.kind !== data.kind)
      throw new Fault("policy.invalid", {
        at: `${file} kind`,
        detail: `it was \`${data.kind}\` and is \`${fresh.data.kind}\``,
        remedy: "give the other document a file of its own",
      });
    return fresh;
  }

  #isWatched({ file, data }: PolicyDocument): boolean {
    if (data.kind === "Repository" || !isAbsolute(file)) return false;
    // Without a sandbox the agent can write whatever the person can.
    if (this.#policy.sandbox.mode === "none") return file === GUARDRAILS_FILE;
    const writable = [this.#workspace, ...this.#policy.files.write]
      .map((path) => (path.startsWith("~/") ? join(homedir(), path.slice(2)) : path))
      .flatMap((path) => [path, realPath(path)]);
    return ![file, realPath(file)].some((path) =>
      writable.some((folder) => path === folder || path.startsWith(`${folder}/`)),
    );
  }

  #look(): string {
    const files = documentsOf(this.#policy)
      .filter((document) => this.#isWatched(document))
      .map(({ file }) => file);
    return [...new Set([...files, GUARDRAILS_FILE])].map(identityOf).join(" ");
  }
}

/** A link may lead to where the agent can write. */
function realPath(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    return file; // it is gone: reading it says so
  }
}

const documentsOf = (policy: Policy): readonly PolicyDocument[] =>
  policy.layers.map(({ document }) => document);

function identityOf(file: string): string {
  const at = statSync(file, { bigint: true, throwIfNoEntry: false });
  return at === undefined ? "absent" : `${at.dev}:${at.ino}:${at.size}:${at.mtimeNs}`;
}
