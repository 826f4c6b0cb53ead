/**
 * Where things lie on this machine. `SALLYPORT_HOME` moves everything below one folder; otherwise the XDG base
 * directories are used.
 */
import { homedir, tmpdir } from "node:os";
import { isAbsolute, join } from "node:path";
import { Fault } from "../core/index.ts";

export interface Places {
  /** State that must not be lost: the ledger, the keys, agents' private homes. */
  readonly state: string;
  readonly ledger: string;
  /** 0700, never in the ledger. */
  readonly keys: string;
  /** What sessions found in their workspaces. */
  readonly snapshots: string;
  /** What sessions wrote and nobody has brought in yet. */
  readonly holds: string;
  /** `<homes>/<agent>`: what the agent sees as its home. */
  readonly homes: string;
  /** Profiles written by people: `<config>/profiles/<name>.yaml`. */
  readonly config: string;
  /** Scripts that start agents through `run`, for PATH. */
  readonly shims: string;
  /** Agents installed by `sallyport install`. */
  readonly agents: string;
  /** Sockets and a session's files; nothing here outlives a restart of the machine. */
  readonly run: string;
  readonly stationSocket: string;
  /** The version of the station that listens there; see reach.ts. */
  readonly stationVersion: string;
  readonly stationLog: string;
}

/**
 * Who acts, on one machine: whoever may open the station's socket, which is this user alone (and root). The station cannot
 * tell two people at one account apart.
 */
export const localPrincipal = (): string => `local:${process.getuid?.() ?? 0}`;

/** sockaddr_un.sun_path holds 108 bytes with its terminator (unix(7)); session sockets add 16 to the run folder. */
const MAX_RUN_PATH = 80;

export function placesOf(environment: NodeJS.ProcessEnv): Places {
  const home = environment["SALLYPORT_HOME"];
  if (home !== undefined && !isAbsolute(home))
    throw new Fault("usage.invalid", { detail: "SALLYPORT_HOME is not an absolute path", at: home });
  const xdg = (name: string, fallback: string): string => {
    const value = environment[name];
    return value !== undefined && isAbsolute(value) ? value : join(homedir(), fallback);
  };
  const state = home ?? join(xdg("XDG_STATE_HOME", ".local/state"), "sallyport");
  const runtime = environment["XDG_RUNTIME_DIR"];
  const wanted =
    home !== undefined || runtime === undefined || !isAbsolute(runtime)
      ? join(state, "run")
      : join(runtime, "sallyport");
  const run = wanted.length <= MAX_RUN_PATH ? wanted : shortRun(wanted);
  return {
    state,
    ledger: join(state, "ledger"),
    keys: join(state, "keys"),
    snapshots: join(state, "snapshots"),
    holds: join(state, "held"),
    homes: join(state, "homes"),
    config: home === undefined ? join(xdg("XDG_CONFIG_HOME", ".config"), "sallyport") : join(home, "config"),
    shims: join(state, "shims"),
    agents: join(xdg("XDG_CACHE_HOME", ".cache"), "sallyport", "agents"),
    run,
    stationSocket: join(run, "station.sock"),
    stationVersion: join(run, "station.version"),
    stationLog: join(state, "station.log"),
  };
}

/** A path short enough for a socket, one per long path and user; its owner and mode are checked when it is used. */
function shortRun(long: string): string {
  const uid = process.getuid?.() ?? 0;
  // Loaded only here: every start of the client would pay for it.
  const { createHash } = process.getBuiltinModule("node:crypto");
  return join(tmpdir(), `sallyport-${uid}-${createHash("sha256").update(long).digest("hex").slice(0, 12)}`);
}

/** Our own folders, which are no part of a workspace even where one holds them. */
export const notOfWorkspaces = (places: Places): readonly string[] => [places.state, places.run];
