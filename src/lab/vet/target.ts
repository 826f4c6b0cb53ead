/**
 * What is vetted: a build, how it lies inside the chamber, and how its door is set. The caller (the command line) has
 * found or fetched it; nothing here knows what a build should or should not do.
 */
import type { AgentKind } from "../../register/index.ts";
import { AGENT_INSIDE } from "../chamber/plan.ts";

export interface Target {
  /** `claude`, or the file's name. */
  readonly name: string;
  readonly version: string | null;
  /** SHA-256 of the executable, hex. */
  readonly sha256: string;
  /** Host folder or file shown at `/opt/agent`; null for a program of the system. */
  readonly folder: string | null;
  /** Program and first arguments, inside. */
  readonly command: readonly string[];
  readonly kind: AgentKind | null;
}

export interface Door {
  readonly variables: Readonly<Record<string, string>>;
  readonly arguments: readonly string[];
}

const KEY = "sallyport-lab-not-a-key";

/** What an executable that no row knows is given: every provider's base URL and key. */
function anyProvider(base: string | null): Record<string, string> {
  const keys = {
    ANTHROPIC_API_KEY: `sk-ant-${KEY}`,
    OPENAI_API_KEY: `sk-${KEY}`,
    GEMINI_API_KEY: `AIza-${KEY}`,
    GOOGLE_API_KEY: `AIza-${KEY}`,
  };
  if (base === null) return keys;
  return {
    ...keys,
    ANTHROPIC_BASE_URL: base,
    OPENAI_BASE_URL: `${base}/v1`,
    OPENAI_API_BASE: `${base}/v1`,
    GOOGLE_GEMINI_BASE_URL: base,
  };
}

/** `base` null: the vendor's own host, over TLS under the lab's authority. */
export function doorOf(target: Target, base: string | null): Door {
  const { kind } = target;
  if (kind === null) return { variables: anyProvider(base), arguments: [] };
  // Its side traffic is part of what is vetted: a row's setting that keeps it quiet is left out.
  const { COPILOT_OFFLINE: _, ...keys } = kind.standInEnvironment;
  const set = base === null ? null : (kind.baseUrl?.(base) ?? null);
  return { variables: { ...keys, ...set?.environment }, arguments: set?.arguments ?? [] };
}

export function commandOf(target: Target, door: Door, prompt: string): readonly string[] {
  const asked = target.kind === null ? [prompt] : target.kind.headless(prompt);
  return [...target.command, ...door.arguments, ...asked];
}

/** A path below the target's folder, as it is inside. */
export const insidePath = (folder: string, path: string): string =>
  path === folder ? AGENT_INSIDE : `${AGENT_INSIDE}${path.slice(folder.length)}`;
