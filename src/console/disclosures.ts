/**
 * What left of each repository: files and lines, to whom, when, and how much of the repository could be put together
 * again from it. Folds over the index's rows (ledger/disclosures.ts); nothing here is content.
 *
 * A file counts with the version of which most has left: lines of two versions are not the same lines, and adding them up
 * could say that more left than the file ever had. So a share is a lower bound where files changed in between.
 */
import { Fault, type LedgerEvent } from "../core/index.ts";
import type { DisclosedVersion, Disclosures, Period, TracedTotal } from "../ledger/index.ts";
import type {
  DisclosedFileRow,
  DisclosedPlace,
  DisclosureOverview,
  FileDetail,
  FileExchange,
  FileVersion,
  Recipient,
  RepositoryDetail,
  RepositoryDisclosure,
} from "./api/disclosures.ts";

/** More places than this are not drawn: nobody could read them. */
const MOST_PLACES = 300;
const MOST_EXCHANGES = 200;

export interface DisclosureSources {
  readonly disclosures: Disclosures;
  /** Who operates a destination, as the register says; null: no row of it. */
  readonly operatorOf: (destination: string) => string | null;
  /** The ledger's entries of these indexes that there are. */
  readonly entries: (
    indexes: readonly number[],
  ) => readonly { readonly index: number; readonly event: LedgerEvent }[];
}

/** All repositories, those of which most left first. */
export function disclosureOverview(sources: DisclosureSources, period: Period = {}): DisclosureOverview {
  const totals = sources.disclosures.totals(period);
  const repositories = sources.disclosures
    .workspaces()
    .map((workspace) => repositoryOf(workspace, totals, sources, period))
    .sort((a, b) => b.lines - a.lines || (a.workspace < b.workspace ? -1 : 1));
  return { repositories };
}

/**
 * One repository, with the directories and files right below `under`, for one recipient or (null) all. Throws
 * `console.unknown` for a repository that the record does not know.
 */
export function repositoryDetail(
  workspace: string,
  {
    under = "",
    destination = null,
    period = {},
  }: {
    readonly under?: string;
    readonly destination?: string | null;
    readonly period?: Period;
  },
  sources: DisclosureSources,
): RepositoryDetail {
  const repository = known(workspace, sources, period);
  const files = bestVersions(sources.disclosures.versions(workspace, destination, period));
  const measured = sources.disclosures.measured(workspace)?.event.folders ?? [];
  const places = placesBelow(under, files, measured);
  return {
    repository,
    under,
    destination,
    places: places.slice(0, MOST_PLACES),
    more: Math.max(0, places.length - MOST_PLACES),
  };
}

/** Every file of which lines left, most lines first: the table's rows and the export's. */
export function disclosedFiles(
  workspace: string,
  {
    under = "",
    destination = null,
    period = {},
  }: {
    readonly under?: string;
    readonly destination?: string | null;
    readonly period?: Period;
  },
  sources: DisclosureSources,
): readonly DisclosedFileRow[] {
  known(workspace, sources, period);
  const prefix = under === "" ? "" : `${under}/`;
  return bestVersions(sources.disclosures.versions(workspace, destination, period))
    .filter(({ path }) => path.startsWith(prefix))
    .map((file) => ({
      path: file.path,
      lines: file.lines,
      of: file.total,
      share: shareOf(file.lines, file.total) ?? 0,
      versions: file.versions,
      exchanges: file.exchanges,
      bytes: file.bytes,
      first: file.first,
      last: file.last,
    }))
    .sort((a, b) => b.lines - a.lines || (a.path < b.path ? -1 : 1));
}

/** One file: its versions with what left of each to whom, and the requests. Throws `console.unknown` for one that never left. */
export function fileDetail(
  workspace: string,
  path: string,
  period: Period,
  sources: DisclosureSources,
): FileDetail {
  const { disclosures } = sources;
  const all = disclosures.versions(workspace, null, period, path);
  if (all.length === 0)
    throw new Fault("console.unknown", {
      detail: `nothing of \`${path}\` in \`${workspace}\` is recorded as having left in this period`,
      remedy: "see the list of the repository's files",
    });
  const recipients = disclosures.recipients(workspace, path, period);
  const versions = all
    .map((version): FileVersion => versionOf(version, recipients))
    .sort((a, b) => b.last - a.last);
  const { from = 0, to = Number.MAX_SAFE_INTEGER } = period;
  const exchanges = sources
    .entries(disclosures.entries(workspace, path, MOST_EXCHANGES))
    .flatMap(({ index, event }) => exchangesOf(index, event, path))
    .filter(({ at }) => at >= from && at <= to);
  return { workspace, path, versions, exchanges, exchangesShown: MOST_EXCHANGES };
}

function repositoryOf(
  workspace: string,
  totals: readonly TracedTotal[],
  { disclosures, operatorOf }: DisclosureSources,
  period: Period,
): RepositoryDisclosure {
  const measured = disclosures.measured(workspace);
  const lines = measured?.event.lines ?? null;
  const own = totals.filter((total) => total.workspace === workspace);
  const together = own.find(({ destination }) => destination === null);
  const files = bestVersions(disclosures.versions(workspace, null, period));
  const left = sum(files, (file) => file.lines);
  const recipients = own.flatMap((total): Recipient[] => {
    const { destination, exchanges, first, last } = total;
    if (destination === null) return [];
    const theirs = bestVersions(disclosures.versions(workspace, destination, period));
    if (theirs.length === 0) return [];
    const got = sum(theirs, (file) => file.lines);
    return [
      {
        destination,
        operator: operatorOf(destination),
        files: theirs.length,
        lines: got,
        share: shareOf(got, lines),
        exchanges,
        first,
        last,
      },
    ];
  });
  return {
    workspace,
    measured:
      measured === null
        ? null
        : {
            at: measured.event.at,
            commit: measured.event.commit,
            files: measured.event.files,
            lines: measured.event.lines,
            notRead: measured.event.notRead,
          },
    files: files.length,
    lines: left,
    share: shareOf(left, lines),
    bytes: together?.bytes ?? 0,
    unmatchedBytes: together?.unmatchedBytes ?? 0,
    exchanges: together?.exchanges ?? 0,
    first: together?.first ?? null,
    last: together?.last ?? null,
    recipients: recipients.sort((a, b) => b.lines - a.lines),
  };
}

function known(workspace: string, sources: DisclosureSources, period: Period): RepositoryDisclosure {
  if (!sources.disclosures.workspaces().includes(workspace))
    throw new Fault("console.unknown", { detail: `nothing is recorded of a repository \`${workspace}\`` });
  return repositoryOf(workspace, sources.disclosures.totals(period), sources, period);
}

interface BestVersion extends DisclosedVersion {
  readonly versions: number;
}

/** Of each file the version of which most has left, with the exchanges and times of all its versions. */
function bestVersions(versions: readonly DisclosedVersion[]): readonly BestVersion[] {
  const files = new Map<string, BestVersion>();
  for (const version of versions) {
    const before = files.get(version.path);
    if (before === undefined) {
      files.set(version.path, { ...version, versions: 1 });
      continue;
    }
    const best = version.lines > before.lines ? version : before;
    files.set(version.path, {
      ...best,
      versions: before.versions + 1,
      bytes: before.bytes + version.bytes,
      exchanges: before.exchanges + version.exchanges,
      first: Math.min(before.first, version.first),
      last: Math.max(before.last, version.last),
    });
  }
  return [...files.values()];
}

type Folder = { readonly path: string; readonly lines: number; readonly files: number };

/**
 * The directories and files right below `under`: those of which lines left, and measured directories of which none did,
 * so that what stayed is to be seen too.
 */
function placesBelow(
  under: string,
  files: readonly BestVersion[],
  measured: readonly Folder[],
): readonly DisclosedPlace[] {
  const prefix = under === "" ? "" : `${under}/`;
  const folders = new Map(measured.map((folder) => [folder.path, folder]));
  const places = new Map<string, DisclosedPlace>();
  for (const file of files) {
    if (!file.path.startsWith(prefix)) continue;
    const [name = "", ...deeper] = file.path.slice(prefix.length).split("/");
    const path = prefix + name;
    const isFile = deeper.length === 0;
    const folder = isFile ? undefined : folders.get(path);
    const before = places.get(path);
    places.set(path, {
      path,
      kind: isFile ? "file" : "directory",
      of: folder?.lines ?? (before?.of ?? 0) + file.total,
      isMeasured: folder !== undefined,
      lines: (before?.lines ?? 0) + file.lines,
      files: (before?.files ?? 0) + 1,
      exchanges: (before?.exchanges ?? 0) + file.exchanges,
      last: Math.max(before?.last ?? 0, file.last),
    });
  }
  for (const { path, lines } of measured) {
    const isRightBelow = path !== "" && path.startsWith(prefix) && !path.slice(prefix.length).includes("/");
    if (isRightBelow && path !== under && !places.has(path) && lines > 0)
      places.set(path, {
        path,
        kind: "directory",
        of: lines,
        isMeasured: true,
        lines: 0,
        files: 0,
        exchanges: 0,
        last: null,
      });
  }
  // A folder that shrank since lines of it left has fewer lines than left of it: it is drawn as all of them.
  return [...places.values()]
    .map((place) => ({ ...place, of: Math.max(place.of, place.lines) }))
    .sort((a, b) => b.of - a.of || (a.path < b.path ? -1 : 1));
}

const versionOf = (version: DisclosedVersion, recipients: readonly DisclosedVersion[]): FileVersion => ({
  sha256: version.version,
  of: version.total,
  lines: version.lines,
  ranges: version.ranges,
  first: version.first,
  last: version.last,
  recipients: recipients
    .filter((one) => one.version === version.version)
    .map(({ destination, ranges, lines, exchanges, first, last }) => ({
      destination: destination ?? "",
      ranges,
      lines,
      exchanges,
      first,
      last,
    }))
    .sort((a, b) => b.lines - a.lines),
});

function exchangesOf(entry: number, event: LedgerEvent, path: string): readonly FileExchange[] {
  if (event.kind !== "exchange.traced") return [];
  const { at, session, exchange, host, sentTo, destination } = event;
  return event.files
    .filter((file) => file.path === path)
    .map(({ lines, sha256 }) => ({
      entry,
      at,
      session,
      exchange,
      destination: destination ?? host,
      stoodIn: URL.parse(sentTo)?.hostname === host ? null : sentTo,
      sha256,
      lines: sum(lines, ([first, last]) => last - first + 1),
      ranges: lines,
    }));
}

const shareOf = (lines: number, of: number | null): number | null =>
  of === null || of === 0 ? null : Math.min(1, lines / of);

const sum = <T>(items: readonly T[], of: (item: T) => number): number =>
  items.reduce((total, item) => total + of(item), 0);
