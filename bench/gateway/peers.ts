/**
 * Other gateways and building blocks to measure beside ours, never dependencies of ours: each in a folder of its own under the
 * user's cache, or where the variable says. `installPeer` fetches what is not there, without running its install scripts.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** claude-code-router: later versions do not install (a dependency of theirs is not published). */
const PEERS = {
  undici: { version: "7.30.2", variable: "BENCH_UNDICI" },
  "@portkey-ai/gateway": { version: "1.15.2", variable: "BENCH_PORTKEY" },
  "@musistudio/claude-code-router": { version: "2.0.0", variable: "BENCH_CCR" },
} as const;
export type Peer = keyof typeof PEERS;

const placeOf = (name: Peer): string => {
  const { variable, version } = PEERS[name];
  const cache = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
  return (
    process.env[variable] ?? join(cache, "sallyport/bench", `${name.replaceAll(/[@/]+/g, "-")}-${version}`)
  );
};

/** The folder whose node_modules holds it; null: it is not installed. */
export function peerFolder(name: Peer): string | null {
  const place = placeOf(name);
  return existsSync(join(place, "node_modules", name, "package.json")) ? place : null;
}

export function installPeer(name: Peer): void {
  if (peerFolder(name) !== null) return;
  const place = placeOf(name);
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, "package.json"), '{"private":true}\n');
  const wanted = `${name}@${PEERS[name].version}`;
  execFileSync("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", wanted], {
    cwd: place,
    stdio: "inherit",
  });
}
