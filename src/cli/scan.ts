/**
 * `scan`: the gateway's detectors, and what the policy in force here labels and waives, on files, diffs, the history of a
 * repository, a recorded exchange. Read-only; values are never printed.
 */
import { spawn } from "node:child_process";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { Fault } from "../core/index.ts";
import {
  type Inspector,
  type ScanFinding,
  type ScanInput,
  sarif,
  scan,
  withoutWaived,
} from "../inspect/index.ts";
import { layer, type Policy } from "../policy/index.ts";
import { findingKey } from "./finding-key.ts";
import { labelledInspectors } from "./labelled.ts";
import type { Places } from "./places.ts";
import { documentsFor, workspaceOf } from "./prepare.ts";
import { printable } from "./print.ts";
import { version } from "./version.ts";

/** Larger files are passed over, and said so: nobody keeps a credential in the middle of a disk image. */
const MAX_FILE_BYTES = 32 << 20;

export interface ScanFlags {
  readonly json?: boolean;
  readonly sarif?: boolean;
  readonly diff?: boolean;
  readonly history?: boolean;
  readonly exchange?: string;
  readonly reason?: string;
  readonly profile?: string;
}

/** 0: nothing found; 1: something. */
export async function scanCommand(
  paths: readonly string[],
  flags: ScanFlags,
  places: Places,
): Promise<number> {
  if (paths.length === 0 && flags.exchange === undefined && flags.history !== true)
    throw new Fault("usage.invalid", { detail: "`scan` wants a path, or - for standard input" });
  const cwd = process.cwd();
  const policy = layer(await documentsFor(flags.profile ?? null, cwd, workspaceOf(cwd), places));
  const { inspector } = await labelledInspectors(await findingKey(places))(policy);
  const waiving = passingOver(inspector, policy);
  const findings: ScanFinding[] = [];
  let count = 0;
  for await (const input of inputsOf(paths, flags, places)) {
    findings.push(...scan(waiving.inspector, input));
    count++;
  }
  if (flags.sarif === true) process.stdout.write(`${JSON.stringify(sarif(findings, version), null, 2)}\n`);
  else if (flags.json === true) process.stdout.write(`${JSON.stringify(findings)}\n`);
  else {
    for (const row of findings) process.stdout.write(`${lineOf(row)}\n`);
    const waived = waiving.count() === 0 ? "" : `, ${waiving.count()} passed over by waivers`;
    process.stderr.write(`${findings.length} found in ${count} ${lookedIn(flags, count)}${waived}\n`);
  }
  return findings.length > 0 ? 1 : 0;
}

/** What was looked in, for so many. */
function lookedIn({ history, exchange, diff }: ScanFlags, count: number): string {
  const what =
    history === true ? "commit" : exchange !== undefined ? "text" : diff === true ? "diff" : "file";
  return count === 1 ? what : `${what}s`;
}

const lineOf = ({
  path,
  commit,
  line,
  column,
  class: dataClass,
  detector,
  verified,
  hash,
}: ScanFinding): string => {
  const at = `${commit === undefined ? "" : `${commit.slice(0, 12)} `}${printable(path)}:${line}:${column}`;
  return `${at}  ${dataClass}  ${printable(detector)}${verified ? " (checksum fits)" : ""}  ${hash}`;
};

/** The inspector without what the policy's waivers pass over, and how much that was. */
function passingOver(
  inspector: Inspector,
  policy: Policy,
): { readonly inspector: Inspector; readonly count: () => number } {
  let count = 0;
  return {
    count: () => count,
    inspector: {
      labels: inspector.labels,
      foresee: inspector.foresee,
      inspect: (parts) => {
        const left = withoutWaived(inspector.inspect(parts), policy.inspect.waivers, Date.now());
        count += left.waived.length;
        return left;
      },
    },
  };
}

/** Each text of what the command names, in order. */
export async function* inputsOf(
  paths: readonly string[],
  flags: ScanFlags,
  places: Places,
): AsyncGenerator<ScanInput> {
  if (flags.exchange !== undefined) {
    const { textsOf } = await import("./exchange-texts.ts");
    yield* textsOf(flags.exchange, flags.reason, places);
  }
  if (flags.history === true) for (const path of paths.length === 0 ? ["."] : paths) yield* historyOf(path);
  else
    for (const path of paths)
      if (path !== "-") yield* filesUnder(path);
      else {
        const text = await readAll(process.stdin);
        yield flags.diff === true ? { diff: text } : { path: "-", text };
      }
}

/** Each commit that any reference reaches, as a diff to its parent. Programs that a repository's settings name are not run. */
async function* historyOf(folder: string): AsyncGenerator<ScanInput> {
  const git = spawn(
    "git",
    [
      ...["-C", folder, "-c", "log.showSignature=false", "-c", "core.quotePath=true", "log", "--all", "-m"],
      ...["-p", "-U0", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames", "--format=%x00%H"],
    ],
    { stdio: ["ignore", "pipe", "pipe"], shell: false },
  );
  let problem = "";
  git.stderr.setEncoding("utf8").on("data", (text: string) => {
    problem = (problem + text).slice(0, 300);
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    git.once("error", reject);
    git.once("close", resolve);
  });
  ended.catch(() => {}); // told below, where it is awaited
  let rest = "";
  // No text that git shows as a diff has a NUL byte in it.
  for await (const chunk of git.stdout.setEncoding("utf8")) {
    const [first = "", ...others] = `${rest}${chunk}`.split("\0");
    const whole = [first, ...others.slice(0, -1)];
    rest = others.at(-1) ?? first;
    if (others.length > 0) for (const commit of whole) if (commit !== "") yield commitOf(commit);
  }
  if (rest !== "") yield commitOf(rest);
  const code = await ended.catch((cause: unknown) => {
    throw new Fault("usage.invalid", { detail: "git cannot be started", cause });
  });
  if (code !== 0)
    throw new Fault("usage.invalid", {
      at: folder,
      detail: `git cannot read its history: ${printable(problem.trim())}`,
    });
}

const commitOf = (text: string): ScanInput => ({
  commit: text.slice(0, 40),
  diff: text.slice(text.indexOf("\n") + 1),
});

/** Every text file of a folder, or the file itself. What is passed over for its size is said on standard error. */
export async function* filesUnder(
  path: string,
): AsyncGenerator<{ readonly path: string; readonly text: string }> {
  const at = await stat(path).catch((cause: unknown) => {
    throw new Fault("usage.invalid", { detail: "cannot be read", at: path, cause });
  });
  if (at.isDirectory()) {
    for (const entry of await readdir(path, { withFileTypes: true }))
      if (entry.name !== ".git" && entry.name !== "node_modules" && (entry.isDirectory() || entry.isFile()))
        yield* filesUnder(join(path, entry.name));
    return;
  }
  if (at.size > MAX_FILE_BYTES) {
    process.stderr.write(`passed over (larger than 32 MiB): ${printable(path)}\n`);
    return;
  }
  const bytes = await readFile(path);
  // A file with a NUL byte among its first is no text: what it holds has other ways to be found.
  if (!bytes.subarray(0, 8_192).includes(0)) yield { path, text: bytes.toString("utf8") };
}

async function readAll(stream: NodeJS.ReadableStream): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString("utf8");
}
