/** Reaching the station, and starting it when nobody answers. */
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { Fault } from "../core/index.ts";
import { type EarlyOutside, outsideOf } from "../sandbox/launch.ts";
import type { Places } from "./places.ts";
import { type Hello, StationLine } from "./talk.ts";
import { version } from "./version.ts";

/** A cold station reads its register, recovers its ledger and probes nothing: seconds mean something is wrong. */
const START_DEADLINE_MS = 15_000;
/** How long a station that is stopping is waited for, and how often it is seen whether it has gone. */
const STOPPING_DEADLINE_MS = 45_000;
const AGAIN_MS = 1_000;
/** What the station inherits: where things are and how to trust the network; none of the person's keys. */
const STATION_ENVIRONMENT = [
  "PATH",
  "HOME",
  "LANG",
  "TZ",
  "XDG_RUNTIME_DIR",
  "XDG_STATE_HOME",
  "XDG_CONFIG_HOME",
  "XDG_CACHE_HOME",
  "SALLYPORT_HOME",
  "SALLYPORT_METRICS_PORT",
  // The console says that what it shows is the demonstration.
  "SALLYPORT_SEEDED",
  "NODE_EXTRA_CA_CERTS",
  "NODE_COMPILE_CACHE",
  // The organisation's own proxy, which the gateway goes through.
  ...["https_proxy", "http_proxy", "all_proxy", "no_proxy"].flatMap((name) => [name, name.toUpperCase()]),
];

/** A line to the running station, or null when none runs. */
export function lineToRunning(places: Places): Promise<StationLine | null> {
  return new Promise((resolve) => {
    const socket = net.connect(places.stationSocket);
    // A socket file without a listener is what a killed station leaves behind: the same as no station.
    socket.once("error", () => resolve(null));
    socket.once("connect", () => {
      socket.removeAllListeners("error");
      resolve(new StationLine(socket));
    });
  });
}

/** What was begun before we were there: the question is asked, and the wall is being built where it can be. */
export interface Early {
  /** Null: the station has answered with a refusal, or not at all, or the wall is left to us. */
  readonly outside: EarlyOutside | null;
  readonly line: StationLine;
}

/**
 * What helper/ask.c has begun for what this command line says, or null. It asks only a station of this version, and only
 * where the line says an agent to run.
 */
export async function begunEarly(): Promise<Early | null> {
  const numbers = [process.env["SALLYPORT_LINE"], ...(process.env["SALLYPORT_WALL"] ?? "").split(" ")].map(
    Number,
  );
  delete process.env["SALLYPORT_LINE"];
  delete process.env["SALLYPORT_WALL"];
  const [fd = 0, pid = 0, complaint = 0, information = 0] = numbers;
  if (numbers.length !== 4 || !numbers.every((one) => Number.isSafeInteger(one) && one > 2)) return null;
  const outside = outsideOf({ pid, complaint, information });
  const isBuilding = await outside.isBuilding;
  if (!isBuilding) {
    outside.hangUp();
    outside.close();
  }
  return { outside: isBuilding ? outside : null, line: new StationLine(new net.Socket({ fd })) };
}

/**
 * A line to the station, started when needed. A station of another version that has no sessions is replaced.
 * Throws `station.unreachable` with the end of its log's reason.
 */
export async function reachStation(places: Places): Promise<StationLine> {
  const running = await lineToRunning(places);
  if (running !== null) {
    // Asking would cost each start a round; whoever listens has written it before.
    if (versionThere(places) === version) return running;
    const hello = await running.ask<Hello>({ op: "hello" });
    if (hello.version === version || hello.sessions.length > 0) return running;
    await running.ask({ op: "stop", evenWithSessions: false });
    await running.closed;
  }
  return startStation(places);
}

function versionThere(places: Places): string | null {
  try {
    return readFileSync(places.stationVersion, "utf8");
  } catch {
    return null; // an older station wrote none
  }
}

/**
 * Two runs may start two stations: the ledger's lock lets one live, and both runs then reach that one. A station that was told to
 * stop has the lock until what is under way in it has ended; then ours is the next.
 */
async function startStation(places: Places): Promise<StationLine> {
  const began = performance.now();
  for (;;) {
    const said = await spawnStation(places);
    const isLocked = said === "locked";
    const patience = isLocked ? AGAIN_MS : START_DEADLINE_MS;
    for (const asked = performance.now(); ; await wait(25)) {
      const line = await lineToRunning(places);
      if (line !== null) return line;
      // Neither `ready` nor `locked`: it is gone, and has said why or could not even say that.
      if (said === "" || said.startsWith("{")) throw unreachable(said, places);
      if (performance.now() - asked > patience) break;
    }
    if (!isLocked || performance.now() - began > STOPPING_DEADLINE_MS) throw unreachable(said, places);
  }
}

/** Its first words. */
async function spawnStation(places: Places): Promise<string> {
  mkdirSync(places.state, { recursive: true, mode: 0o700 });
  const log = openSync(places.stationLog, "a", 0o600);
  const environment: Record<string, string> = {};
  for (const name of STATION_ENVIRONMENT) {
    const value = process.env[name];
    if (value !== undefined) environment[name] = value;
  }
  const child = spawn(
    process.execPath,
    [...process.execArgv, YOUNG_MEMORY, join(import.meta.dirname, startFile()), "station"],
    {
      detached: true,
      cwd: "/",
      stdio: ["ignore", "ignore", log, "pipe"],
      env: environment,
    },
  );
  closeSync(log);
  const said = await firstWords(child.stdio[3] as NodeJS.ReadableStream); // fd 3 is a pipe: see stdio above
  child.unref();
  return said;
}

/**
 * What is new and is kept (a megabyte of prompt, in strings) is copied while nothing else runs: with V8's default room for it
 * tens of milliseconds at a time, with this a few (docs/benchmarks.md).
 */
const YOUNG_MEMORY = "--max-semi-space-size=4";

const startFile = (): string => (import.meta.filename.endsWith(".ts") ? "start.ts" : "start.js");

/** `ready`; `locked` when another station has the ledger; one JSON line with the fault; empty when it died unheard. */
function firstWords(stream: NodeJS.ReadableStream): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    stream.on("data", (chunk: Buffer) => {
      text += chunk.toString("utf8");
      if (text.includes("\n")) resolve(text.trim());
    });
    stream.on("error", () => resolve(""));
    stream.on("close", () => resolve(text.trim()));
  });
}

function unreachable(said: string, places: Places): Fault {
  const heard: { detail?: string; remedy?: string } = said.startsWith("{") ? JSON.parse(said) : {};
  return new Fault("station.unreachable", {
    detail: heard.detail ?? (said === "" ? "it died at once" : "it did not answer in time"),
    at: places.stationLog,
    ...(heard.remedy === undefined ? {} : { remedy: heard.remedy }),
  });
}
