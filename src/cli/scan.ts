/** `scan` and `why`: the gateway's detectors on files, diffs and standard input. Read-only; values are never printed. */
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { Fault } from "../core/index.ts";
import { createInspector, explain, type ScanInput, scan } from "../inspect/index.ts";
import { findingKey } from "./finding-key.ts";
import type { Places } from "./places.ts";
import { printable } from "./print.ts";
import { version } from "./version.ts";

/** Larger files are passed over, and said so: nobody keeps a credential in the middle of a disk image. */
const MAX_FILE_BYTES = 32 << 20;

export async function scanCommand(
  paths: readonly string[],
  flags: { readonly json?: boolean; readonly sarif?: boolean; readonly diff?: boolean },
  places: Places,
): Promise<number> {
  if (paths.length === 0)
    throw new Fault("usage.invalid", { detail: "`scan` wants a path, or - for standard input" });
  const inputs: ScanInput[] = [];
  for (const path of paths)
    if (path === "-") {
      const text = await readAll(process.stdin);
      inputs.push(flags.diff === true ? { diff: text } : { path: "-", text });
    } else await gather(path, inputs);
  const result = scan(createInspector({ key: await findingKey(places) }), inputs);
  if (flags.sarif === true) process.stdout.write(`${JSON.stringify(result.sarif(version), null, 2)}\n`);
  else if (flags.json === true) process.stdout.write(`${JSON.stringify(result.findings)}\n`);
  else
    for (const row of result.findings)
      process.stdout.write(
        `${printable(row.path)}:${row.line}:${row.column}  ${row.class}  ${row.detector}${row.verified ? " (checksum fits)" : ""}  ${row.hash.slice(0, 12)}\n`,
      );
  if (flags.json !== true && flags.sarif !== true)
    process.stderr.write(
      `${result.findings.length} found in ${inputs.length} ${inputs.length === 1 ? "file" : "files"}\n`,
    );
  return result.findings.length > 0 ? 1 : 0;
}

export async function why(words: readonly string[]): Promise<number> {
  const known = explain(words[0] ?? "");
  if (known === null || words.length !== 1)
    throw new Fault("usage.invalid", {
      detail: "`why` wants the id of a detector, as `scan` and `log` print it",
    });
  const { family, detector } = known;
  const lines = (label: string, values: readonly string[]): string =>
    values
      .map((value, at) => `${(at === 0 ? label : "").padEnd(16)} ${printable(JSON.stringify(value))}`)
      .join("\n");
  process.stdout.write(
    [
      `${detector.id}: ${detector.title} (${detector.class})`,
      `${"source".padEnd(16)} ${detector.source}, written ${family.written}, ${family.licence}`,
      lines("found", detector.examples),
      lines("not found", detector.counterexamples),
      "",
    ].join("\n"),
  );
  return 0;
}

async function gather(path: string, inputs: ScanInput[]): Promise<void> {
  const at = await stat(path).catch((cause: unknown) => {
    throw new Fault("usage.invalid", { detail: "cannot be read", at: path, cause });
  });
  if (at.isDirectory()) {
    for (const entry of await readdir(path, { withFileTypes: true }))
      if (entry.name !== ".git" && entry.name !== "node_modules" && (entry.isDirectory() || entry.isFile()))
        await gather(join(path, entry.name), inputs);
    return;
  }
  if (at.size > MAX_FILE_BYTES) {
    process.stderr.write(`passed over (larger than 32 MiB): ${printable(path)}\n`);
    return;
  }
  const bytes = await readFile(path);
  // A file with a NUL byte among its first is no text: what it holds has other ways to be found.
  if (bytes.subarray(0, 8_192).includes(0)) return;
  inputs.push({ path, text: bytes.toString("utf8") });
}

async function readAll(stream: NodeJS.ReadableStream): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString("utf8");
}
