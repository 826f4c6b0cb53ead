/** Reads the labelled corpora that bench/inspect is given a path to. Their formats are theirs; see docs/benchmarks.md. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

export interface CredentialLine {
  readonly repo: string;
  readonly text: string;
  readonly label: 0 | 1 | null;
  readonly category: string;
  readonly value: string | null;
  /** Labelled true for things that are no credential to us: UUIDs, nonces, salts, bucket names. */
  readonly unwanted: boolean;
}

export interface Example {
  readonly rule: string;
  readonly text: string;
  readonly label: 0 | 1;
  readonly source: string;
  readonly secret: string | null;
}

const rows = (file: string): Record<string, unknown>[] =>
  readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

export function credentialLines(corpus: string): CredentialLine[] {
  return rows(join(corpus, "credential-lines.jsonl")).map((row) => {
    const category = String(row["category"]);
    return {
      repo: String(row["repo"]),
      text: String(row["text"]),
      label: row["label"] as 0 | 1 | null,
      category,
      value: (row["value"] as string | null) ?? null,
      unwanted:
        row["label"] === 1 &&
        /^(?:UUID|Nonce|Salt|AWS S3 Bucket|Auth:Nonce|Nonce:Auth|Password:Salt)$/.test(category),
    };
  });
}

export function examples(corpus: string): Example[] {
  return rows(join(corpus, "examples.jsonl")).map((row) => ({
    rule: String(row["rule"]),
    text: String(row["text"]),
    label: row["label"] as 0 | 1,
    source: String(row["source"]),
    secret: (row["secret"] as string | undefined) ?? null,
  }));
}

const SOURCE = /\.(?:ts|js|mjs|cjs|py|pm|pl|rb|go|rs|java|c|h|cpp|md|json|ya?ml|sh|css|html|toml|txt)$/;

/** Text files under a directory, up to a total size; the order is the directory's. */
export function sourceFiles(directory: string, maxBytes: number): { path: string; text: string }[] {
  const found: { path: string; text: string }[] = [];
  let total = 0;
  for (const name of readdirSync(directory, { recursive: true, encoding: "utf8" }).sort()) {
    if (!SOURCE.test(name) || /\.min\.|\.map$|package-lock/.test(name)) continue;
    const path = join(directory, name);
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined || !stat.isFile() || stat.size > 400_000) continue;
    const text = readFileSync(path, "utf8");
    if (text.split("\n").some((line) => line.length > 4000)) continue;
    found.push({ path, text });
    total += text.length;
    if (total > maxBytes) break;
  }
  return found;
}

/** Half of ordinary source, by folder, is never fitted on. */
export function isHeldOut(path: string): boolean {
  const folder = path.split("/").slice(0, -1).join("/");
  return (createHash("sha256").update(folder).digest()[0] ?? 0) % 2 === 1;
}
