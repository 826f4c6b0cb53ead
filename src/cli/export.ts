/**
 * `export`: the record as a feed, once or live, to stdout or to a receiver's URL.
 *
 * Delivery contract: the cursor moves after the receiver has answered 2xx (or the pipe has taken the bytes) and is durable
 * before the next batch goes. So whatever kills this process, each entry is delivered at least once.
 */
import { existsSync } from "node:fs";
import { open, readFile, rename } from "node:fs/promises";
import { Fault } from "../core/index.ts";
import { type ExportBatch, type ExportFormat, exportEntries, followEntries } from "../ledger/index.ts";
import { needLedger, sign } from "./keep.ts";
import type { Places } from "./places.ts";

const FORMATS: readonly ExportFormat[] = ["ndjson", "ocsf", "otlp", "otlp-spans", "syslog", "hec"];
const DEADLINE_MS = 30_000;
const FIRST_REST_MS = 500;
const LONGEST_REST_MS = 60_000;

export interface ExportFlags {
  readonly format?: string;
  readonly from?: string;
  readonly unsigned?: boolean;
  readonly follow?: boolean;
  readonly cursor?: string;
  readonly to?: string;
  readonly "header-file"?: string;
}

export async function exportCommand(flags: ExportFlags, places: Places): Promise<number> {
  needLedger(places);
  const format = FORMATS.find((one) => one === (flags.format ?? "ndjson"));
  if (format === undefined)
    throw new Fault("usage.invalid", {
      detail: `unknown format \`${flags.format}\``,
      remedy: `use ${FORMATS.join(", ")}`,
    });
  const deliver = flags.to === undefined ? toStdout : await toReceiver(flags.to, flags["header-file"]);
  const from = await beginning(flags, format);
  await sign(places);
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());
  const unsigned = flags.unsigned === true;
  const batches =
    flags.follow === true
      ? followEntries(places.ledger, format, { from, unsigned, signal: stop.signal })
      : exportEntries(places.ledger, format, { from, unsigned });
  let next = from;
  for await (const batch of batches) {
    if (batch.body !== "") await deliver(batch, stop.signal);
    if (stop.signal.aborted) break; // it may not have been taken
    if (flags.cursor !== undefined && batch.next !== next)
      await keepCursor(flags.cursor, { format, next: batch.next });
    next = batch.next;
  }
  if (flags.cursor === undefined) process.stderr.write(`next: --from ${next}\n`);
  return 0;
}

async function beginning(flags: ExportFlags, format: ExportFormat): Promise<number> {
  if (flags.cursor !== undefined) {
    if (flags.from !== undefined)
      throw new Fault("usage.invalid", { detail: "--from and --cursor both say where to begin" });
    return readCursor(flags.cursor, format);
  }
  const from = flags.from === undefined ? 0 : Number(flags.from);
  if (!Number.isInteger(from) || from < 0)
    throw new Fault("usage.invalid", { detail: "--from wants an entry's number" });
  return from;
}

/** 0 where there is no file yet. A cursor of another format is refused: spans begin elsewhere than entries. */
async function readCursor(file: string, format: ExportFormat): Promise<number> {
  if (!existsSync(file)) return 0;
  const [, kept, next] = /^([a-z-]+) (\d{1,15})\n$/.exec(await readFile(file, "utf8")) ?? [];
  if (kept === format) return Number(next);
  throw new Fault("usage.invalid", { detail: `that is no cursor of an export as ${format}`, at: file });
}

async function keepCursor(
  file: string,
  { format, next }: { format: ExportFormat; next: number },
): Promise<void> {
  const aside = await open(`${file}.new`, "w", 0o600);
  try {
    await aside.writeFile(`${format} ${next}\n`);
    await aside.sync();
  } finally {
    await aside.close();
  }
  await rename(`${file}.new`, file);
}

type Deliver = (batch: ExportBatch, stop: AbortSignal) => Promise<void>;

const toStdout: Deliver = ({ body }) =>
  new Promise((resolve, reject) => {
    process.stdout.write(body, (error) => (error == null ? resolve() : reject(error)));
  });

async function toReceiver(to: string, headerFile: string | undefined): Promise<Deliver> {
  if (!/^https?:\/\/[^/]/.test(to))
    throw new Fault("usage.invalid", { detail: "--to wants an http or https URL" });
  const headers = headerFile === undefined ? [] : await readHeaders(headerFile);
  return async (batch, stop) => {
    for (let rest = FIRST_REST_MS; !stop.aborted; rest = Math.min(rest * 2, LONGEST_REST_MS)) {
      const why = await post(to, headers, batch, stop);
      if (why === null) return;
      process.stderr.write(`${to}: ${why}; tried again in ${rest / 1000} s\n`);
      await resting(rest, stop);
    }
  };
}

/** Null when it was taken; else why not, for now. Throws `export.refused` where trying again would not help. */
async function post(
  to: string,
  headers: readonly [string, string][],
  { body, contentType }: ExportBatch,
  stop: AbortSignal,
): Promise<string | null> {
  let status: number;
  try {
    const response = await fetch(to, {
      method: "POST",
      headers: [["content-type", contentType], ...headers],
      body,
      redirect: "error",
      signal: AbortSignal.any([stop, AbortSignal.timeout(DEADLINE_MS)]),
    });
    status = response.status;
    await response.body?.cancel();
  } catch (error) {
    return error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
  }
  if (status >= 200 && status < 300) return null;
  if (status === 408 || status === 429 || status >= 500) return `answered ${status}`;
  throw new Fault("export.refused", { at: to, detail: `answered ${status}` });
}

function resting(ms: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wake = (): void => {
      clearTimeout(timer);
      stop.removeEventListener("abort", wake);
      resolve();
    };
    const timer = setTimeout(wake, ms);
    stop.addEventListener("abort", wake);
  });
}

async function readHeaders(file: string): Promise<[string, string][]> {
  const lines = (await readFile(file, "utf8")).split("\n").filter((line) => line.trim() !== "");
  return lines.map((line) => {
    const [, name = "", value = ""] = /^([A-Za-z0-9-]+):[ \t]*(.+)$/.exec(line.trim()) ?? [];
    if (name === "") throw new Fault("usage.invalid", { detail: "a header is `Name: value`", at: file });
    return [name, value];
  });
}
