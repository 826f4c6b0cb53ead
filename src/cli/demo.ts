/**
 * `sallyport demo`: the main job end to end on a machine that may have nothing yet. Real agent, real sandbox, real
 * gateway and ledger; only the model is scripted, on loopback, so that no key is needed and nothing leaves.
 */
import { randomBytes } from "node:crypto";
import { cp, mkdtemp, rename, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Fault } from "../core/index.ts";
import { type Plan, startScriptedModel } from "../lab/index.ts";
import { agentNamed } from "../register/index.ts";
import { ensureAgent } from "./install.ts";
import type { Places } from "./places.ts";
import { run } from "./run.ts";
import { ensureHelper, ensureSystemPackages } from "./setup.ts";

const PROMPT = "Read README.md and settings.ini, fix the known bug in total.sh, then run check.sh.";

const PLAN: Plan = {
  steps: [
    { kind: "read", path: "README.md" },
    { kind: "read", path: "settings.ini" },
    { kind: "read", path: "total.sh" },
    { kind: "edit", path: "total.sh", before: 'sum=""', after: "sum=0" },
    { kind: "shell", command: "sh check.sh | tee check.log" },
  ],
  final: "I read the README, set the empty sum to 0 in total.sh, and check.sh now passes.",
};

export async function demo(
  flags: { readonly agent?: string; readonly json?: boolean },
  places: Places,
): Promise<number> {
  const kind = agentNamed(flags.agent ?? "claude");
  if (kind === null)
    throw new Fault("agent.unknown", {
      detail: `\`${flags.agent}\``,
      remedy: "name one of claude, codex, opencode, qwen, gemini, copilot",
    });
  ensureSystemPackages();
  ensureHelper(false);
  await ensureAgent(kind, kind.tested, places);
  const project = await sampleProject();
  const model = await startScriptedModel({ plan: PLAN, cwd: project });
  const agent = `${kind.name}@${kind.tested}`;
  const args = kind.headless(PROMPT);
  const say = (text: string): void => void process.stderr.write(`${text}\n`);
  say(`\nsallyport: a scripted model listens on ${model.url}; the sample project is ${project}`);
  say(`  $ cd ${project}`);
  say(`  $ sallyport run --upstream ${model.url} ${agent} ${args.map(quoted).join(" ")}\n`);
  process.chdir(project);
  try {
    return await run(
      {
        agent,
        arguments: args,
        profile: null,
        upstream: model.url,
        door: "tls",
        json: flags.json === true,
        quiet: false,
        explain: false,
        system: "this",
        undo: true,
        review: false,
      },
      places,
    );
  } finally {
    await model.close();
    say("\n  With a key of your own, in a project of yours, the same without --upstream is the real thing:");
    say(`  $ sallyport run ${kind.name}`);
  }
}

/** A fresh copy under the temporary folder; it stays, so that you can look at what the agent did. */
async function sampleProject(): Promise<string> {
  const project = await mkdtemp(join(tmpdir(), "sallyport-demo-"));
  await cp(join(import.meta.dirname, "../../demo/project"), project, { recursive: true });
  await rename(join(project, "env.sample"), join(project, ".env"));
  // A secret in a file that the agent does read: made up anew each time, so that no scanner need know it.
  const made = randomBytes(24).toString("base64url");
  await writeFile(
    join(project, "settings.ini"),
    `; made up for this demonstration\n[shop]\napi_key = "${made}"\n`,
  );
  return project;
}

const quoted = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
