/** What every emitter gives, and what it is given. */
import type { Policy } from "../layer.ts";

export interface NativeFile {
  /**
   * Absolute, where the agent looks for its administrator's settings; where it knows no such place, below `~/` (the
   * person's home) or `<workspace>/`.
   */
  readonly path: string;
  readonly content: string;
}

/** The agents' names for what each can be held to. */
export type Grant =
  | "hidden files"
  | "commands refused"
  | "commands asked about"
  | "agent's own web tools"
  | "MCP servers"
  | "repository settings"
  | "telemetry"
  | "network destinations"
  | "data that leaves";

/** What an agent's own rules do not reach. */
type Beyond = "network destinations" | "data that leaves";

/** How far the agent itself holds to a grant; what it does not hold to is for the sandbox and the gateway, or nobody. */
export interface Hold {
  /** `kept`: it enforces the grant; `advice`: a determined command gets round it; `none`: it has no such setting. */
  readonly agent: "kept" | "advice" | "none";
  readonly remark: string;
}

/** A file of the repository that the sandbox shows with this text instead; null: a directory, shown empty. */
export interface Cover {
  /** Relative to the folder the agent starts in, and to each above it up to the workspace. */
  readonly path: string;
  readonly text: string | null;
}

export interface Emitted {
  readonly files: readonly NativeFile[];
  /** For the sandbox: settings of the repository that the agent obeys whatever it is told. */
  readonly covers: readonly Cover[];
  /** For the launcher, before the person's own arguments. */
  readonly arguments: readonly string[];
  /** Its commands that take none of those arguments, and start no conversation. */
  readonly plainCommands?: readonly string[];
  /** For the launcher, over anything the person's environment says. */
  readonly environment: Readonly<Record<string, string>>;
  /** The last two are beyond the agents that we start; they need not be named. */
  readonly holds: Readonly<Record<Exclude<Grant, Beyond>, Hold> & Partial<Record<Beyond, Hold>>>;
}

export interface Surroundings {
  /** The workspace as the agent sees it. */
  readonly workspace: string;
  /** Files that are hidden and exist, absolute as the agent sees them: for agents that take no patterns. */
  readonly hiddenFiles: readonly string[];
  /**
   * Whether the files will lie inside our sandbox alone, where nothing belongs to root; else a fleet tool lays them as
   * root.
   */
  readonly isInside: boolean;
  /** Whether the policy refuses the telemetry channel. */
  readonly refusesTelemetry: boolean;
}

/** One agent from a version on. */
export interface Emitter {
  readonly agent: string;
  readonly since: string;
  /** Its settings can be rolled out, but we do not start it: no wall of ours stands round it. */
  readonly isRolledOut?: true;
  emit(policy: Policy, around: Surroundings): Emitted;
}

export const kept = (remark = ""): Hold => ({ agent: "kept", remark });
export const advice = (remark: string): Hold => ({ agent: "advice", remark });
export const none = (remark = "it has no such setting"): Hold => ({ agent: "none", remark });

/** String rules on commands: `sh -c`, scripts and interpreters get round them. */
export const STRING_RULES = "matched by text: a script or an interpreter gets round it";

/** Empty settings, as JSON. */
export const EMPTY = "{}\n";

export const COVERED = "the sandbox shows the agent empty ones";

export const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

/** Commands to ask about that are not refused anyway: no reading order may find an answer for one under another. */
export const asked = ({ programs }: Policy): readonly string[] =>
  programs.ask.filter((command) => !programs.deny.some((denied) => `${command} `.startsWith(`${denied} `)));

/** `.env` as the globs that name it at any depth, `a/b` as the one path it is; and what lies below. */
export function globs(pattern: string): readonly string[] {
  const bases = pattern.includes("/") ? [pattern] : [pattern, `**/${pattern}`];
  return bases.flatMap((base) => [base, `${base}/**`]);
}
