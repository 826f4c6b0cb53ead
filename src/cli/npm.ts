/** npm as the machine has it. */
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { delimiter } from "node:path";

interface NpmOptions {
  readonly cwd?: string;
  /** Milliseconds. */
  readonly timeout?: number;
  /** Where what it prints goes: to stderr, and none is returned; or back to the caller, its complaints to nobody. */
  readonly prints: "to-stderr" | "back";
}

const MAX_OUTPUT_BYTES = 64 << 20;

/**
 * Not the `node` that a script of npm's (`npm run`, `npx`) has put first on PATH: npm looks beside the node that runs it for the
 * machine's settings, and would miss an organisation's mirror and certificates.
 */
export function npm(
  args: readonly string[],
  { prints, ...options }: NpmOptions,
): SpawnSyncReturns<string | null> {
  return spawnSync("npm", args, {
    ...options,
    env: { ...process.env, PATH: machinePath(process.env["PATH"] ?? "") },
    encoding: "utf8",
    shell: false,
    maxBuffer: MAX_OUTPUT_BYTES,
    stdio: prints === "back" ? ["ignore", "pipe", "ignore"] : ["ignore", 2, 2],
  });
}

export const machinePath = (path: string): string =>
  path
    .split(delimiter)
    .filter((folder) => !/(?:^|[\\/])node_modules[\\/]\.bin[\\/]?$/.test(folder))
    .join(delimiter);
