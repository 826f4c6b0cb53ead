/**
 * `sallyport install`: an agent's npm package at an exact version, in a folder of its own, without its install
 * scripts (they would run outside every sandbox). npm checks the registry's integrity hashes as it unpacks.
 */
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Fault, systemClock } from "../core/index.ts";
import {
  type AgentKind,
  agentNamed,
  buildFolder,
  hashBuild,
  locateAgent,
  readApprovals,
  splitVersion,
  standingOf,
} from "../register/index.ts";
import { standingText, subjectOf } from "./admission.ts";
import { registerPlaces } from "./destinations.ts";
import { npm } from "./npm.ts";
import type { Places } from "./places.ts";
import { hashFile } from "./prepare.ts";

export async function installCommand(names: readonly string[], places: Places): Promise<number> {
  if (names.length === 0)
    throw new Fault("usage.invalid", {
      detail: "`install` needs an agent",
      remedy: "for example: sallyport install claude",
    });
  for (const typed of names) {
    const { name, version } = splitVersion(typed);
    const kind = agentNamed(name);
    if (kind === null)
      throw new Fault("agent.unknown", {
        detail: `\`${name}\``,
        remedy: "name one of claude, codex, opencode, qwen, gemini, copilot",
      });
    const wanted = version ?? kind.tested;
    const wasThere = isComplete(buildFolder(kind, wanted, places.agents), kind);
    const folder = await ensureAgent(kind, wanted, places);
    await refuseOtherBytes(kind, wanted, { folder, wasThere }, places);
    process.stderr.write(`sallyport: ${kind.title} ${version ?? kind.tested} is in ${folder}\n`);
  }
  return 0;
}

/** What the register speaks about is kept only when its bytes are the approved ones. */
async function refuseOtherBytes(
  kind: AgentKind,
  version: string,
  { folder, wasThere }: { readonly folder: string; readonly wasThere: boolean },
  places: Places,
): Promise<void> {
  const agent = await locateAgent(`${kind.name}@${version}`, {
    path: "",
    cwd: folder,
    agentsFolder: places.agents,
    arch: process.arch,
    node: process.execPath,
  });
  const subject = await subjectOf(agent, { buildHash: (executable) => hashBuild(executable, hashFile) });
  const { statements, required } = readApprovals(registerPlaces(places));
  const said = statements.map(({ statement }) => statement);
  const found = standingOf(subject, said, required, systemClock.now());
  if (found.state === "changed" || found.state === "revoked") {
    if (!wasThere) await rm(folder, { recursive: true, force: true });
    const kept = wasThere ? "it was there already and stays where it is" : "what was fetched is removed";
    throw new Fault("admission.refused", {
      at: folder,
      detail: `${kind.package}@${version}: ${standingText(found)}; ${kept}`,
      remedy:
        found.state === "revoked"
          ? "use an approved build"
          : "ask who keeps your mirror where these bytes come from",
    });
  }
  process.stderr.write(`sallyport: ${kind.title} ${version}: ${standingText(found)}\n`);
}

/** The folder of that build, fetched when it is not there. Whole or not at all: it is renamed into place. */
export async function ensureAgent(kind: AgentKind, version: string, places: Places): Promise<string> {
  const folder = buildFolder(kind, version, places.agents);
  if (isComplete(folder, kind)) return folder;
  await mkdir(dirname(folder), { recursive: true });
  const fresh = await mkdtemp(`${folder}.`);
  try {
    process.stderr.write(`sallyport: fetching ${kind.package}@${version} from npm\n`);
    // A package of its own to install into, not `--prefix`: that would also move where npm looks for the machine's
    // settings, and with them an organisation's mirror and certificates.
    await writeFile(join(fresh, "package.json"), '{"private":true}\n');
    const args = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--no-package-lock"];
    // As often as npm is set to try again, but after 2 and 10 seconds and not 10 and 60: where a certificate or the bytes are
    // not what they should be, a second try changes nothing, and a person is waiting.
    args.push("--fetch-retry-mintimeout=2000", "--fetch-retry-maxtimeout=10000");
    const done = npm([...args, "--loglevel=error", `${kind.package}@${version}`], {
      cwd: fresh,
      prints: "to-stderr",
    });
    if (done.status !== 0 || !isComplete(fresh, kind))
      throw new Fault("setup.failed", {
        detail: `${kind.package}@${version}`,
        remedy: "check that npm reaches its registry, and the version",
      });
    await rm(folder, { recursive: true, force: true });
    await rename(fresh, folder);
    return folder;
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

const isComplete = (folder: string, kind: AgentKind): boolean =>
  kind.programs.some((program) =>
    existsSync(join(folder, "node_modules", program.replaceAll("{arch}", process.arch))),
  );
