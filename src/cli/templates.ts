/** `sallyport template`: a build's own words, taken in runs against the scripted model in a state folder of their own. */
import { spawn } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Fault, systemClock } from "../core/index.ts";
import { createDecoder } from "../dialect/index.ts";
import { ambiguous, makeTemplate } from "../inspect/index.ts";
import { type Plan, startScriptedModel } from "../lab/index.ts";
import { readEntries, readEvidence } from "../ledger/index.ts";
import { type AgentKind, agentNamed, hashBuild, locateAgent, splitVersion } from "../register/index.ts";
import { type Places, placesOf } from "./places.ts";
import { hashFile } from "./prepare.ts";
import { printable } from "./print.ts";
import { templateName } from "./template-watch.ts";

const PROMPTS = [
  "Read README.md and tell me what the project is for.",
  "Fix the known bug in total.sh, then run check.sh and report.",
];
const PLAN: Plan = {
  steps: [
    { kind: "read", path: "README.md" },
    { kind: "edit", path: "total.sh", before: 'sum=""', after: "sum=0" },
    { kind: "shell", command: "sh check.sh" },
  ],
  final: "Done.",
};

export async function templateCommand([typed]: readonly string[], places: Places): Promise<number> {
  const { name } = splitVersion(typed ?? "");
  const kind = agentNamed(name);
  if (typed === undefined || kind === null)
    throw new Fault("agent.unknown", {
      detail: `\`${typed ?? ""}\``,
      remedy: "name one of claude, codex, opencode, qwen, gemini, copilot, at a version: claude@2.1.329",
    });
  const agent = await locateAgent(typed, {
    path: process.env["PATH"] ?? "",
    cwd: process.cwd(),
    agentsFolder: places.agents,
    arch: process.arch,
    node: process.execPath,
  });
  const { hash } = await hashBuild(agent.executable, hashFile);
  const state = await mkdtemp(join(tmpdir(), "sallyport-template-"));
  try {
    const parts = await partsSent(typed, kind, state);
    if (parts.length === 0)
      throw new Fault("setup.failed", { detail: `${typed} sent nothing to the scripted model` });
    for (const line of await keepTemplate(typed, hash, parts, PROMPTS, places))
      process.stdout.write(`${printable(line)}\n`);
    return 0;
  } finally {
    await rm(state, { recursive: true, force: true });
  }
}

/** Writes the template of a build, by its hash, where sessions look for it. Resolves to what there is to say. */
export async function keepTemplate(
  typed: string,
  build: string,
  parts: readonly { readonly role: string; readonly text: string }[],
  said: readonly string[],
  places: Pick<Places, "config">,
): Promise<readonly string[]> {
  const template = makeTemplate(parts, { build, at: systemClock.now(), said });
  const folder = join(places.config, "register/templates");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, templateName(build));
  await writeFile(file, `${JSON.stringify(template)}\n`, { mode: 0o600 });
  return [
    `${typed}: ${template.lines.length} lines of its own, in ${file}`,
    ...ambiguous(template.lines).map(
      (forms) => `  in ${forms.length} forms that look the same: ${forms.map(withEscapes).join(" · ")}`,
    ),
  ];
}

/** What the build sends in two tasks, one of them in a repository that it may change. */
async function partsSent(
  typed: string,
  kind: AgentKind,
  state: string,
): Promise<readonly { readonly role: string; readonly text: string }[]> {
  const environment = { ...process.env, SALLYPORT_HOME: join(state, "home") };
  const doors = kind.baseUrl === null ? ["tls"] : ["tls", "base"];
  const runs = doors.flatMap((door) => PROMPTS.map((prompt) => ({ door, prompt })));
  try {
    for (const [at, { door, prompt }] of runs.entries()) {
      const project = join(state, `project-${at}`);
      await cp(join(import.meta.dirname, "../../demo/project"), project, { recursive: true });
      const model = await startScriptedModel({ plan: PLAN, cwd: project });
      try {
        process.stderr.write(
          `sallyport: ${typed} does task ${at + 1} of ${runs.length} with a scripted model\n`,
        );
        const args = [
          "run",
          "-q",
          "--profile",
          "observe",
          "--door",
          door,
          "--upstream",
          model.url,
          typed,
          ...kind.headless(prompt),
        ];
        await command(args, project, environment);
      } finally {
        await model.close();
      }
    }
    return await recorded(placesOf(environment));
  } finally {
    await command(["down", "--force"], state, environment);
  }
}

/** What is outside ASCII as code points: a person must see the difference. */
const withEscapes = (text: string): string =>
  text.replaceAll(
    /\P{ASCII}/gu,
    (char) => `<U+${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}>`,
  );

function command(args: readonly string[], cwd: string, env: NodeJS.ProcessEnv): Promise<void> {
  const own = process.argv[1] ?? "";
  const child = spawn(process.execPath, [...process.execArgv, own, ...args], { cwd, env, stdio: "ignore" });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", () => resolve());
  });
}

async function recorded(
  places: Places,
): Promise<readonly { readonly role: string; readonly text: string }[]> {
  const decoder = createDecoder();
  const parts: { readonly role: string; readonly text: string }[] = [];
  for await (const { event } of readEntries(places.ledger)) {
    if (event.kind !== "exchange.judged" || event.verdict === "deny") continue;
    const body = event.evidence.find(({ role }) => role === "request-body");
    if (body === undefined) continue;
    const { method, host, path } = event;
    const bytes = await readEvidence(places.ledger, places.keys, body.id);
    parts.push(...decoder.decode({ method, host, path, headers: [], body: bytes }).parts);
  }
  return parts;
}
