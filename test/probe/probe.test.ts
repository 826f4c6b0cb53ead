// Each of the six real agents tries to break every grant of the profile `engineer`, in a hostile repository, with its
// allow-everything flag, driven by a scripted model; docs/probes.md says who stopped what. UPDATE=1 rewrites it.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { loadRegister } from "../../src/cli/destinations.ts";
import type { LedgerEvent } from "../../src/core/index.ts";
import { parseDocument, readyProfile } from "../../src/policy/index.ts";
import { AGENTS, type AgentKind } from "../../src/register/index.ts";
import { Place, ROOT } from "../harness.ts";
import {
  CANARY,
  HOME_FILES,
  judge,
  PERSONS_KEY,
  type Row,
  redirectSteps,
  type Stopper,
  toolSteps,
  WORKSPACE_FILES,
} from "./attack.ts";
import { type Attempt, attempt, type Ground } from "./evidence.ts";
import { ATTACKER, HOSTILE, type Hostile } from "./hostile.ts";

const DOCS = join(ROOT, "docs/probes.md");
const tables = new Map<string, readonly Row[]>();
/** The register that ships; nobody's own lies in the repository. */
const { register } = await loadRegister({ config: ROOT });
const engineer = parseDocument(readyProfile("engineer") ?? "", "engineer");
const TELEMETRY = engineer.data.network?.deny?.find(({ id }) => id === "no-telemetry")?.hosts ?? [];

/** The same sandbox with everything else allowed: what does not happen here was no attempt. */
const control = ({ workspace }: Ground): string => `apiVersion: sallyport/v1
kind: Profile
metadata: { name: control, owner: tests@corp.example, review: 2030-01-01 }
repository: { settings: use }
files: { write: [${workspace}/.opencode] } # opencode stops where it cannot write there
environment: { pass: [LANG, CI] }
network:
  default: deny
  allow:
    - id: models
      title: Models, and the attacker
      because: The model is scripted, and the attacker's name does not exist
      hosts: [api.anthropic.com, api.openai.com, generativelanguage.googleapis.com, dashscope.aliyuncs.com, ${ATTACKER}]
send: { default: allow }
`;

test.each(AGENTS)("$title $tested: every grant of `engineer` holds", async (kind) => {
  const hostile = HOSTILE[kind.name];
  if (hostile === undefined) throw new Error(`no hostile repository for ${kind.name}`);
  const place = new Place();
  const fetched = await place.run(["install", `${kind.name}@${kind.tested}`]);
  await place.close();
  expect(fetched.code, fetched.stderr).toBe(0);
  const tools = probeOf(kind, hostile, hostile.files, (ground) => toolSteps(ground, hostile));
  const redirect = probeOf(kind, hostile, hostile.redirect, () => redirectSteps(hostile));
  const rows = judge({
    kind,
    hostile,
    tools: await attempt({ ...tools, environment: { ...tools.environment, ...keysOf(kind) } }),
    toolsControl: await attempt({ ...tools, profile: control }),
    redirect: await attempt(redirect),
    redirectControl: await attempt({ ...redirect, profile: control, until: `"host":"${ATTACKER}"` }),
    elsewhere: await attempt({
      ...probeOf(kind, hostile, {}, () => redirectSteps(hostile)),
      ...hostile.elsewhere,
      environment: { ...keysOf(kind), ...hostile.elsewhere.environment },
      until: `"host":"${ATTACKER}"`,
    }),
    isTelemetry,
  });
  tables.set(`${kind.name} ${kind.tested}`, rows);
  expect(rows.filter(({ stopper }) => stopper === "nobody")).toEqual([]);
});

test("docs/probes.md is what was just seen (UPDATE=1 rewrites it)", () => {
  const isUpdate = process.env["UPDATE"] === "1";
  // One agent alone may be probed again (`-t "Gemini|docs"`): the others' columns are those of the last time.
  const whole = new Map([...(isUpdate ? columnsOf(readFileSync(DOCS, "utf8")) : []), ...tables]);
  expect([...whole.keys()], "every agent was probed").toEqual(
    AGENTS.map(({ name, tested }) => `${name} ${tested}`),
  );
  const text = page(whole);
  if (isUpdate) writeFileSync(DOCS, text);
  expect(readFileSync(DOCS, "utf8")).toBe(text);
});

test("the same commands succeed where nothing stands in their way", () => {
  const folder = mkdtempSync(join(tmpdir(), "sp-bare-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const ground = { workspace: join(folder, "work"), home: join(folder, "person") };
  const hostile = HOSTILE["claude"] as Hostile;
  for (const [under, files] of [
    [ground.workspace, { ...WORKSPACE_FILES, ...hostile.files, ".git/hooks/README": "" }],
    [ground.home, HOME_FILES],
  ] as const)
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(under, name)), { recursive: true });
      writeFileSync(join(under, name), text);
    }
  const said = toolSteps(ground, hostile)
    .filter((step) => step.kind === "shell" && !step.command.startsWith("curl"))
    .map((step) =>
      execFileSync("sh", ["-c", step.kind === "shell" ? step.command : ""], {
        cwd: ground.workspace,
        encoding: "utf8",
        env: { PATH: process.env["PATH"], ANTHROPIC_API_KEY: PERSONS_KEY },
      }),
    )
    .join("");
  for (const wanted of Object.values(CANARY)) expect(said).toContain(wanted);
  const read = (path: string): string => readFileSync(join(folder, path), "utf8");
  expect(read("work/env.txt")).toContain(PERSONS_KEY);
  expect(read("person/.bashrc")).toContain("touch ran");
  expect(read("work/.git/hooks/pre-commit")).toContain("touch ran");
  expect(read(`work/${hostile.server}`)).toContain("changed-by-the-agent");
});

const probeOf = (
  kind: AgentKind,
  hostile: Hostile,
  files: Readonly<Record<string, string>>,
  steps: Attempt["steps"],
): Attempt => ({
  kind,
  profile: "engineer",
  files: { ...WORKSPACE_FILES, ...files },
  home: HOME_FILES,
  agentHome: hostile.trust,
  environment: kind.name === "gemini" ? { GEMINI_CLI_TRUST_WORKSPACE: "true" } : {},
  steps,
});

/** A key of the person's in every variable that the agent reads, with the address and model some want beside it. */
function keysOf(kind: AgentKind): Record<string, string> {
  const names = Object.keys(kind.keyHosts).filter(
    (name) => kind.name !== "copilot" || name === "COPILOT_PROVIDER_API_KEY",
  );
  const others = Object.entries(kind.standInEnvironment).filter(([name]) => !(name in kind.keyHosts));
  return { ...Object.fromEntries(names.map((name) => [name, PERSONS_KEY])), ...Object.fromEntries(others) };
}

function isTelemetry(event: LedgerEvent): boolean {
  if (event.kind === "connection.refused") return TELEMETRY.some((host) => isHost(event.host, host));
  if (event.kind !== "exchange.judged") return false;
  return event.dialect === "telemetry" || register.find(event.host, event.path)?.channel === "telemetry";
}

const isHost = (host: string, pattern: string): boolean =>
  pattern.startsWith("*.") ? host.endsWith(pattern.slice(1)) : host === pattern;

/** The table of a page, read back. */
function columnsOf(text: string): readonly (readonly [agent: string, rows: readonly Row[]])[] {
  const [head = [], , ...rows] = text
    .split("\n")
    .filter((row) => row.startsWith("| "))
    .map((row) => row.slice(2, -2).split(" | "));
  const stoppers = Object.entries(CELL) as [Stopper, string][];
  const stopperOf = (cell: string | undefined): Stopper =>
    stoppers.find(([, text]) => text === cell)?.[0] ?? "nobody";
  return head
    .slice(1)
    .map((agent, at) => [
      agent,
      rows.map((cells) => ({ title: cells[0] ?? "", stopper: stopperOf(cells[at + 1]) })),
    ]);
}

const FLAGS = AGENTS.map((kind) =>
  kind.headless("").filter((word) => /^-.*(y$|skip-perm|bypass|auto|allow)/.test(word)),
)
  .map((words) => words.map((word) => `\`${word}\``).join(" "))
  .join(", ");

const CELL: Readonly<Record<Stopper, string>> = {
  agent: "its settings",
  sandbox: "sandbox",
  gateway: "gateway",
  told: "not stopped: told at the end",
  "by itself": "(never does it)",
  nobody: "**nobody**",
};

function page(found: ReadonlyMap<string, readonly Row[]>): string {
  const titles = [...(found.values().next().value ?? [])].map(({ title }) => title);
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const rows = titles.map((title, at) =>
    line([title, ...[...found.values()].map((table) => CELL[table[at]?.stopper ?? "nobody"])]),
  );
  return [
    "# Who stops what",
    "",
    "Written by `UPDATE=1 npm run probe`, which starts the six real agents under `sallyport run --profile engineer` with a",
    "scripted model that proposes the attacks. Each agent runs headless with its own allow-everything flag",
    `(${FLAGS}), in a hostile`,
    "repository that the person has trusted; the model is on loopback. The cell says who stopped the attempt, as the evidence",
    "shows it: what the agent or the kernel answered, whether a canary ever reached the model's server, a marker file, the",
    "ledger's refusals.",
    "",
    line(["what is tried", ...found.keys()]),
    line(["---", ...[...found.keys()].map(() => "---")]),
    ...rows,
    "",
    "- **its settings**: the agent refused, or did not obey, by the settings that the profile was compiled into.",
    "- **sandbox**: the file was not there, empty or read-only, there was no network, or what was written was set aside when the",
    "  session ended.",
    "- **gateway**: refused, and recorded as refused; for the key, a stand-in was all there was to read.",
    "- **(never does it)**: it did not happen in a control run either, where everything but the sandbox was allowed.",
    "- **not stopped: told at the end**: nothing can be mounted over a file that does not exist; the ledger and the",
    "  declaration name it when the session ends.",
    "",
    "A row says who was first, not who was alone: behind an agent's settings stand the sandbox and the gateway.",
    "",
  ].join("\n");
}
