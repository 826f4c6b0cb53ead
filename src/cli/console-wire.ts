/** What the console is handed: files that it reads, and a line to the station for all that it writes. */
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline/promises";
import type { Neighbours, StationState } from "../console/index.ts";
import { Fault, systemClock } from "../core/index.ts";
import { openEvidence } from "../ledger/index.ts";
import { consoleDesks } from "./console-desks.ts";
import { pagesFolder } from "./console-pages.ts";
import { type LoadedRegister, watchRegister } from "./destinations.ts";
import { findingKey } from "./finding-key.ts";
import { machineState } from "./machine-state.ts";
import type { Places } from "./places.ts";
import { lineToRunning } from "./reach.ts";
import type { StationLine } from "./talk.ts";
import { version } from "./version.ts";

/** Of the station's log, what is looked at for faults. */
const LOG_BYTES = 256 * 1024;

export async function consoleNeighbours(
  places: Places,
): Promise<{ readonly neighbours: Neighbours; readonly onApprovals: (listener: () => void) => void }> {
  const line = new StationDial(places);
  // Reading the register costs more than most questions: it is read again only where its files have changed.
  const watched = await watchRegister(places);
  const register = async (): Promise<LoadedRegister> => {
    await watched.refresh();
    return watched.current();
  };
  const neighbours: Neighbours = {
    ...consoleDesks(places, () => line.open(), register),
    clock: systemClock,
    version,
    isDemo: process.env["SALLYPORT_SEEDED"] === "1",
    places: {
      state: places.state,
      ledger: places.ledger,
      index: join(places.state, "index.sqlite"),
      snapshots: places.snapshots,
      web: pagesFolder(),
    },
    station: {
      record: async (event) =>
        (await (await line.open()).ask<{ index: number }>({ op: "record", event })).index,
      state: async () => (await line.open()).ask<StationState>({ op: "state" }),
      sign: async () => void (await (await line.open()).ask({ op: "sign" })),
    },
    openEvidence: (id) => openEvidence(places.ledger, places.keys, id),
    register: async () => (await register()).register,
    machine: machineState(places, systemClock),
    stationFaults: (limit) => faultsIn(places.stationLog, limit),
    findingKey: await findingKey(places),
  };
  return { neighbours, onApprovals: (listener) => void line.listen(listener) };
}

/** One line to the station, opened anew when it was lost. Owned by the console's process. */
class StationDial {
  readonly #places: Places;
  #line: Promise<StationLine> | null = null;

  constructor(places: Places) {
    this.#places = places;
  }

  /** Throws `station.lost`. */
  open(): Promise<StationLine> {
    this.#line ??= this.#dial();
    return this.#line;
  }

  /** A line of its own: what is told comes between answers. */
  async listen(listener: () => void): Promise<void> {
    const line = await lineToRunning(this.#places);
    if (line === null) return;
    line.onNews(({ event }) => {
      if (event !== null) listener();
    });
    await line.ask({ op: "subscribe" }).catch(() => undefined); // the station's end is ours: see console-process.ts
  }

  async #dial(): Promise<StationLine> {
    const line = await lineToRunning(this.#places);
    if (line === null) {
      this.#line = null;
      throw new Fault("station.lost");
    }
    void line.closed.then(() => {
      this.#line = null;
    });
    return line;
  }
}

/** The last faults in the station's log, newest first; lines that are none of ours are told as they are. */
async function faultsIn(
  file: string,
  limit: number,
): Promise<readonly { readonly at: number | null; readonly code: string | null; readonly detail: string }[]> {
  const size = await stat(file).then(
    (at) => at.size,
    () => 0,
  );
  if (size === 0) return [];
  const lines: string[] = [];
  const text = createInterface({
    input: createReadStream(file, { start: Math.max(0, size - LOG_BYTES), encoding: "utf8" }),
  });
  for await (const one of text) lines.push(one);
  if (size > LOG_BYTES) lines.shift(); // begins somewhere in a line
  return lines
    .filter((one) => one.trim() !== "")
    .slice(-limit)
    .reverse()
    .map((one) => {
      const said = parsedLine(one);
      const at = Date.parse(String(said["at"] ?? ""));
      return {
        at: Number.isNaN(at) ? null : at,
        code: typeof said["code"] === "string" ? said["code"] : null,
        detail: (typeof said["detail"] === "string" ? said["detail"] : one).slice(0, 2000),
      };
    });
}

function parsedLine(line: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {}; // checked at use
  } catch {
    return {}; // no line of ours: a warning of Node's, say
  }
}
