/** The health page: the station and its gateway, the disk, versions, what this machine enforces, how far behind the index is. */
import { readdir, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import { asFault } from "../core/index.ts";
import type { Health } from "./api/health.ts";
import type { Rooms, StationState } from "./rooms.ts";
import { listRoute, type Route, valueRoute } from "./route.ts";

const SHOWN_FAULTS = 20;
const MAX_FAULTS = 500;
/** Adding up a folder of many tiles is no work for each look. */
const SIZES_MS = 60_000;
/** Of a folder that has more files than these the sum is of the first. */
const MAX_FILES = 200_000;

export const healthRoutes = (rooms: Rooms): readonly Route[] => {
  const sizes = sizesKept(rooms);
  return [
    valueRoute({
      method: "GET",
      path: "/api/health",
      rights: ["look"],
      handle: async () => ({ data: await healthOf(rooms, await sizes()) }),
    }),
    listRoute({
      method: "GET",
      path: "/api/health/faults",
      rights: ["look"],
      name: "faults",
      columns: ["at", "code", "detail"],
      page: async () => {
        const rows = await rooms.stationFaults(MAX_FAULTS);
        return { rows, next: null, total: rows.length };
      },
    }),
  ];
};

type Sizes = Pick<Health["disk"], "ledgerBytes" | "indexBytes" | "snapshotBytes">;

async function healthOf(rooms: Rooms, sizes: Sizes): Promise<Health> {
  const [state, disk, machine, faults] = await Promise.all([
    rooms.station.state().catch((error: unknown) => {
      asFault(error); // that it cannot be reached is what the page says
      return null;
    }),
    statfs(rooms.places.state),
    rooms.machine(),
    rooms.stationFaults(SHOWN_FAULTS),
  ]);
  const ledgerSize = Math.max(state?.ledgerSize ?? 0, rooms.index.size);
  const lag = ledgerSize - rooms.index.size;
  return {
    now: rooms.clock.now(),
    versions: {
      sallyport: rooms.version,
      node: process.versions.node,
      platform: `${process.platform} ${process.arch}`,
      station: state?.version ?? null,
    },
    station:
      state === null
        ? null
        : {
            pid: state.pid,
            startedAt: state.startedAt,
            residentBytes: state.residentBytes,
            sessions: state.sessions,
          },
    gateway: state === null ? null : gatewayOf(state),
    disk: {
      path: rooms.places.state,
      freeBytes: disk.bavail * disk.bsize,
      totalBytes: disk.blocks * disk.bsize,
      ...sizes,
    },
    index: { size: rooms.index.size, ledgerSize, lag, isCatchingUp: lag > 0 },
    controls: machine.controls,
    agents: machine.agents,
    faults,
  };
}

interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Prometheus' text as our own gateway writes it: no escapes in labels. */
function samplesIn(text: string): readonly Sample[] {
  return text.split("\n").flatMap((line) => {
    const parts = /^([a-z_]+)(?:\{([^}]*)\})? (\S+)$/.exec(line);
    if (parts === null) return [];
    const labels = Object.fromEntries(
      [...(parts[2] ?? "").matchAll(/([a-z]+)="([^"]*)"/g)].map((one) => [one[1] ?? "", one[2] ?? ""]),
    );
    return [{ name: parts[1] ?? "", labels, value: Number(parts[3]) }];
  });
}

function gatewayOf({ metrics, isReady, waiting }: StationState): NonNullable<Health["gateway"]> {
  const samples = samplesIn(metrics);
  const gauge = (name: string): number => samples.find((one) => one.name === `sallyport_${name}`)?.value ?? 0;
  const summed = (name: string, label: string): Map<string, number> => {
    const sums = new Map<string, number>();
    for (const one of samples)
      if (one.name === `sallyport_${name}`) {
        const key = one.labels[label] ?? "";
        sums.set(key, (sums.get(key) ?? 0) + one.value);
      }
    return sums;
  };
  return {
    isReady,
    sessions: gauge("sessions"),
    connections: gauge("connections"),
    exchangesUnderWay: gauge("exchanges_under_way"),
    heldBytes: gauge("held_bytes"),
    waiting,
    exchanges: [...summed("exchanges_total", "verdict")].map(([verdict, count]) => ({ verdict, count })),
    failures: [...summed("failures_total", "fault")].map(([fault, count]) => ({ fault, count })),
    recordFailures: gauge("record_failures_total"),
    recordMs: { p50: quantile(samples, 0.5), p99: quantile(samples, 0.99) },
  };
}

/** The upper bound of the bucket that it lies in, in milliseconds; null when nothing was measured, or it is beyond all bounds. */
function quantile(samples: readonly Sample[], of: number): number | null {
  const buckets = samples
    .filter((one) => one.name === "sallyport_record_seconds_bucket")
    .map((one) => ({ below: Number(one.labels["le"]), count: one.value }));
  const all = samples.find((one) => one.name === "sallyport_record_seconds_count")?.value ?? 0;
  if (all === 0) return null;
  const bucket = buckets.find(({ below, count }) => Number.isFinite(below) && count >= all * of);
  return bucket === undefined ? null : bucket.below * 1000;
}

function sizesKept({ clock, places }: Rooms): () => Promise<Sizes> {
  let last: { readonly at: number; readonly sizes: Promise<Sizes> } | null = null;
  return () => {
    const now = clock.monotonic();
    if (last === null || now - last.at > SIZES_MS)
      last = {
        at: now,
        sizes: Promise.all([bytesIn(places.ledger), bytesOf(places.index), bytesIn(places.snapshots)]).then(
          ([ledgerBytes, indexBytes, snapshotBytes]) => ({
            ledgerBytes,
            indexBytes,
            snapshotBytes: snapshotBytes === 0 ? null : snapshotBytes,
          }),
        ),
      };
    return last.sizes;
  };
}

const bytesOf = (file: string): Promise<number> =>
  stat(file).then(
    ({ size }) => size,
    () => 0, // not there, or gone since it was listed
  );

async function bytesIn(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  let sum = 0;
  for (const entry of entries.slice(0, MAX_FILES))
    if (entry.isFile()) sum += await bytesOf(join(entry.parentPath, entry.name));
  return sum;
}
