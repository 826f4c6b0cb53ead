/**
 * Reports of vettings, kept below the state folder: `vettings/<agent>@<build>-<time>.json`, each what `vet --json` prints
 * with the time at which it was made. Written whole or not at all; nothing reads them back but people and the console.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { VetReport } from "../lab/index.ts";
import type { Places } from "./places.ts";

/** What a file holds. `at`: Unix ms. */
export type KeptReport = VetReport & { readonly version: 1; readonly at: number };

const folderOf = (places: Pick<Places, "state">): string => join(places.state, "vettings");

/** Nothing that a path could be made of. */
const safe = (text: string): string => text.replaceAll(/[^\w.+-]/g, "_").slice(0, 80);

/** Resolves to the file. */
export async function keepReport(
  report: VetReport,
  at: number,
  places: Pick<Places, "state">,
): Promise<string> {
  const time = new Date(at).toISOString().replaceAll(/[:.]/g, "-");
  const name = `${safe(report.agent)}@${safe(report.build.replace("sha256:", "").slice(0, 24))}-${time}.json`;
  const kept: KeptReport = { version: 1, at, ...report };
  return whole(folderOf(places), name, `${JSON.stringify(kept)}\n`);
}

/** Files of kept reports, oldest first; none where there is no folder. */
export async function keptReports(places: Pick<Places, "state">): Promise<readonly string[]> {
  const folder = folderOf(places);
  if (!existsSync(folder)) return [];
  const names = (await readdir(folder)).filter((name) => /^[^/]+@[^/]+\.json$/.test(name));
  return names.toSorted((a, b) => (timeIn(a) < timeIn(b) ? -1 : 1)).map((name) => join(folder, name));
}

const timeIn = (name: string): string => /\d{4}-\d\d-\d\dT[\d-]+Z/.exec(name)?.[0] ?? "";

/**
 * Findings by name of one release under given limits, for `--range`: what was vetted once need not be vetted again.
 * `limits`: whatever the result depends on beside the bytes of the build.
 */
export async function rememberedFindings(
  sha256: string,
  limits: unknown,
  places: Pick<Places, "state">,
  vet: () => Promise<readonly string[]>,
): Promise<{ readonly findings: readonly string[]; readonly isRemembered: boolean }> {
  const key = createHash("sha256").update(JSON.stringify(limits)).digest("hex").slice(0, 16);
  const folder = join(folderOf(places), "ranges");
  const name = `${sha256}-${key}.json`;
  const known = await readFile(join(folder, name), "utf8").catch(() => null); // not vetted yet
  const read: unknown = known === null ? null : JSON.parse(known);
  if (Array.isArray(read) && read.every((one) => typeof one === "string"))
    return { findings: read, isRemembered: true };
  const findings = await vet();
  await whole(folder, name, JSON.stringify(findings));
  return { findings, isRemembered: false };
}

async function whole(folder: string, name: string, text: string): Promise<string> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, name);
  const made = `${file}.${process.pid}.new`;
  await writeFile(made, text, { mode: 0o600 });
  await rename(made, file);
  return file;
}
