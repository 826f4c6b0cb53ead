/**
 * A policy as the settings that each agent enforces itself, and the table of what it does not. A seat belt, never the
 * wall: the sandbox and the gateway hold without them. Pure: which files with which content; who binds them where the
 * agent looks, or rolls them out to a fleet, is the caller's part.
 */
import { decide } from "./decide.ts";
import { UNKNOWN_POINT } from "./label.ts";
import type { Policy } from "./layer.ts";
import { claude } from "./native/claude.ts";
import { codex } from "./native/codex.ts";
import { copilot } from "./native/copilot.ts";
import { cursor } from "./native/cursor.ts";
import type { Cover, Emitted, Emitter, Grant, Hold, NativeFile, Surroundings } from "./native/form.ts";
import { gemini } from "./native/gemini.ts";
import { opencode } from "./native/opencode.ts";
import { qwen } from "./native/qwen.ts";
import { vscode } from "./native/vscode.ts";

const EMITTERS: readonly Emitter[] = [claude, codex, qwen, gemini, opencode, copilot, cursor, vscode];

/** The agents that settings can be written for. */
export const COMPILED_AGENTS: readonly string[] = EMITTERS.map(({ agent }) => agent);

/** A compiled file's place below a folder of files to roll out: `etc/…`, `home/…`, `workspace/…`. */
export const placeOf = (path: string): string =>
  path
    .replace(/^\//, "")
    .replace(/^~\//, "home/")
    .replace(/^<workspace>\//, "workspace/");

export interface Gap {
  readonly grant: Grant;
  readonly agent: Hold["agent"];
  /** Who else holds to the grant. */
  readonly wall: "sandbox" | "gateway" | "sandbox and gateway" | "nobody";
  readonly remark: string;
}

export interface NativeSettings {
  /** The emitter that wrote them, as `claude >= 2.1.198`; null: none fits the agent and version, nothing was written. */
  readonly emitter: string | null;
  readonly files: readonly NativeFile[];
  readonly covers: readonly Cover[];
  readonly arguments: readonly string[];
  /** Where the person's first word is one of these, the arguments are left out. */
  readonly plainCommands: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** One row for each grant that the policy uses: how far the agent holds to it, and who else does. */
  readonly gaps: readonly Gap[];
}

/** `version` null: unknown, taken as the newest. */
export function compileNative(
  policy: Policy,
  agent: string,
  version: string | null,
  around: Omit<Surroundings, "refusesTelemetry">,
): NativeSettings {
  const refusesTelemetry =
    decide(policy, { ...UNKNOWN_POINT, agent, channel: "telemetry" }).verdict === "deny";
  const emitter = EMITTERS.filter(
    (one) => one.agent === agent && (version === null || isAtLeast(version, one.since)),
  )
    .toSorted((a, b) => (isAtLeast(a.since, b.since) ? -1 : 1))
    .at(0);
  const emitted = emitter?.emit(policy, { ...around, refusesTelemetry }) ?? null;
  return {
    emitter: emitter === undefined ? null : `${emitter.agent} >= ${emitter.since}`,
    files: emitted?.files ?? [],
    covers: emitted?.covers ?? [],
    arguments: emitted?.arguments ?? [],
    plainCommands: emitted?.plainCommands ?? [],
    environment: emitted?.environment ?? {},
    gaps: gapsOf(policy, emitted, refusesTelemetry, isWalled(policy, emitter)),
  };
}

const isWalled = (policy: Policy, emitter: Emitter | undefined): boolean =>
  policy.sandbox.mode === "bubblewrap" && emitter?.isRolledOut !== true;

function gapsOf(
  policy: Policy,
  emitted: Emitted | null,
  refusesTelemetry: boolean,
  isWalled: boolean,
): readonly Gap[] {
  const used: readonly (readonly [grant: Grant, isUsed: boolean, wall: Gap["wall"]])[] = [
    ["hidden files", policy.files.hide.length > 0, isWalled ? "sandbox" : "nobody"],
    ["commands refused", policy.programs.deny.length > 0, "nobody"],
    ["commands asked about", policy.programs.ask.length > 0, "nobody"],
    ["agent's own web tools", policy.tools.deny.length > 0, "nobody"],
    ["MCP servers", policy.mcpServers !== null, "nobody"],
    // What a repository's settings start runs inside, and reaches only what the policy lets it reach.
    [
      "repository settings",
      policy.repositorySettings === "ignore",
      isWalled ? "sandbox and gateway" : "nobody",
    ],
    ["telemetry", refusesTelemetry, isWalled ? "gateway" : "nobody"],
    ["network destinations", true, isWalled ? "sandbox and gateway" : "nobody"],
    ["data that leaves", true, isWalled ? "gateway" : "nobody"],
  ];
  return used
    .filter(([, isUsed]) => isUsed)
    .map(([grant, , wall]): Gap => {
      const isBeyond = grant === "network destinations" || grant === "data that leaves";
      const hold = emitted?.holds[grant] ?? (isBeyond ? BEYOND_AGENTS : UNWRITTEN);
      return { grant, agent: hold.agent, wall, remark: hold.remark };
    });
}

const BEYOND_AGENTS: Hold = { agent: "none", remark: "an agent's own rules do not reach its own calls" };
const UNWRITTEN: Hold = { agent: "none", remark: "no settings are known for this agent and version" };

/** Compares numbers between dots; what follows a dash is not looked at. A version that is none is older than any. */
function isAtLeast(version: string, since: string): boolean {
  const [mine, theirs] = [version, since].map((text) => (text.split("-")[0] ?? "").split(".").map(Number));
  for (const [at, least] of (theirs ?? []).entries()) {
    const own = mine?.[at] ?? 0;
    if (Number.isNaN(own)) return false;
    if (own !== least) return own > least;
  }
  return true;
}
