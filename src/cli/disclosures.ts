/** `disclosures`: which lines of which files left, to whom, when, and what could be put together again from it. */
import { asSessionId, Fault } from "../core/index.ts";
import { readEntries } from "../ledger/index.ts";
import { DisclosureFold, plural, size, type WorkspaceDisclosures } from "../report/index.ts";
import { needLedger } from "./keep.ts";
import type { Places } from "./places.ts";
import { printable, table } from "./print.ts";
import { lineToRunning } from "./reach.ts";

/** Stretches of one file that are printed; --json has all. */
const MOST_RANGES = 6;

export interface DisclosureFlags {
  readonly repo?: string;
  readonly session?: string;
  readonly json?: boolean;
}

export async function disclosures(flags: DisclosureFlags, places: Places): Promise<number> {
  const { repo, session } = flags;
  if (session !== undefined && asSessionId(session) === null)
    throw new Fault("usage.invalid", {
      detail: `\`${session}\` is no session id`,
      remedy: "see `sallyport log`",
    });
  needLedger(places);
  await comparisonsDone(places);
  const fold = new DisclosureFold({
    ...(repo === undefined ? {} : { workspace: repo }),
    ...(session === undefined ? {} : { session }),
  });
  let names = new Set<string>();
  for await (const { event } of readEntries(places.ledger)) {
    fold.add(event);
    if (event.kind === "session.started") names = names.add(event.workspace);
  }
  const told = fold.result();
  if (told.length === 0 && session !== undefined) throw new Fault("session.unknown", { detail: session });
  if (told.length === 0 && repo !== undefined)
    throw new Fault("usage.invalid", {
      detail: `no session ran in a folder of the name \`${repo}\``,
      remedy: names.size === 0 ? "run a session first" : `it ran in ${[...names].sort().join(", ")}`,
    });
  if (flags.json === true) for (const one of told) process.stdout.write(`${JSON.stringify(one)}\n`);
  else if (told.length === 0)
    process.stdout.write("no sessions yet: start one with `sallyport run claude`\n");
  else process.stdout.write(`${told.map(text).join("\n\n")}\n`);
  return 0;
}

/** A session's end does not wait long for the comparison of what it sent; whoever asks for it does. */
async function comparisonsDone(places: Places): Promise<void> {
  const line = await lineToRunning(places);
  // A station that cannot say leaves the record as it is, which tells what was not compared.
  await line?.ask({ op: "traced" }).catch(() => {});
  line?.close();
}

function text(told: WorkspaceDisclosures): string {
  const { workspace, measured, files, lines, notCompared } = told;
  const share = measured === null || measured.lines === 0 ? "" : ` (${percent(lines / measured.lines)})`;
  const whole =
    measured === null
      ? `${plural(lines, "line")} of ${plural(files.length, "file")}`
      : `${lines.toLocaleString("en")} of ${plural(measured.lines, "line")}${share} in ${files.length} of ${plural(measured.files, "file")}`;
  const commit = measured?.commit == null ? "" : ` at ${measured.commit.slice(0, 12)}`;
  const head = `${printable(workspace)}${commit}: ${whole} left, in ${plural(told.requests, "request")} of ${plural(told.sessions, "session")}`;
  const rows = files.flatMap((file) =>
    file.to.map((to, at) => [
      at === 0 ? `  ${printable(file.path)}` : "",
      `${to.count} of ${file.of}`,
      rangesText(to.lines),
      `→ ${printable(to.sentTo)}`,
      new Date(to.last).toISOString().replace(/:\d\d\.\d+Z$/, "Z"),
    ]),
  );
  const notes = [
    `  ${size(told.unmatchedBytes)} of ${size(told.bytes)} of new text is in no file of the workspace`,
    ...((measured?.notRead ?? 0) > 0
      ? [`  ${plural(measured?.notRead ?? 0, "file")} of the workspace, binary or too large, not compared`]
      : []),
    ...notCompared.map(
      ({ session, requests, isOver }) =>
        `  NOT COMPARED: ${plural(requests, "request")} of session ${session}${isOver ? "" : ", which is running or has no end on record"}; see \`sallyport show ${session} --events\``,
    ),
  ];
  return [head, ...(rows.length === 0 ? [] : [table(rows)]), ...notes].join("\n");
}

const percent = (share: number): string => `${(100 * Math.min(1, share)).toFixed(share < 0.1 ? 1 : 0)} %`;

function rangesText(lines: readonly (readonly [number, number])[]): string {
  const shown = lines
    .slice(0, MOST_RANGES)
    .map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`));
  return `${shown.join(",")}${lines.length > MOST_RANGES ? ` and ${lines.length - MOST_RANGES} more` : ""}`;
}
