/**
 * `sallyport shim`: a folder of small scripts, one for each agent, to be first on PATH. Whatever starts `claude` by its
 * name, an IDE's extension above all, then starts it through Sallyport: same arguments, same input and output, same exit
 * code, signals passed on.
 *
 * A script becomes `sallyport run`, which leaves the folder out of PATH: it finds the agent itself, and nothing that the
 * agent starts meets the scripts again. Where Sallyport has gone a script fails and says so; it never starts the agent
 * without it. What is not ours in the folder is never overwritten or removed.
 */
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";
import { Fault } from "../core/index.ts";
import { AGENTS, agentNamed } from "../register/index.ts";
import type { Places } from "./places.ts";
import { printable, table } from "./print.ts";

const MARK = "# Made by `sallyport shim`.";
const PROGRAM = join(import.meta.dirname, "../../bin/sallyport");

interface Flags {
  readonly profile?: string;
  readonly json?: boolean;
}

/** Resolves to the exit code. Throws `usage.invalid`. */
export async function shim(words: readonly string[], flags: Flags, places: Places): Promise<number> {
  const [action = "list", ...names] = words;
  switch (action) {
    case "install":
      return install(names, flags.profile ?? null, places);
    case "remove":
      return remove(names, places);
    case "list":
      return list(flags.json === true, places);
    default:
      throw new Fault("usage.invalid", {
        detail: `\`shim\` does not know \`${action}\``,
        remedy: "use install, remove or list",
      });
  }
}

function install(names: readonly string[], profile: string | null, places: Places): number {
  const found = AGENTS.filter(({ command }) => realOne(command, places) !== null).map(({ name }) => name);
  const wanted = names.length > 0 ? names : found;
  if (wanted.length === 0)
    throw new Fault("usage.invalid", {
      detail: "none of the agents that Sallyport knows is on PATH",
      remedy: "name the agents: `sallyport shim install claude codex`",
    });
  mkdirSync(places.shims, { recursive: true, mode: 0o755 });
  for (const name of wanted) {
    const kind = agentNamed(name);
    if (kind === null)
      throw new Fault("usage.invalid", {
        detail: `\`${name}\` is no agent that Sallyport knows`,
        remedy: `name one of ${AGENTS.map((agent) => agent.name).join(", ")}`,
      });
    const file = join(places.shims, kind.command);
    if (existsSync(file) && !isOurs(file))
      throw new Fault("usage.invalid", {
        at: file,
        detail: "it is not of our making",
        remedy: "move it away, then again",
      });
    writeFileSync(file, scriptFor(kind.name, profile), { mode: 0o755 });
    process.stdout.write(`${kind.command}: ${printable(file)}\n`);
  }
  if (!isFirst(wanted, places))
    process.stdout.write(
      `\nNot first on PATH yet. Put this at the end of your shell's profile, and start your editor anew:\n  export PATH=${quoted(places.shims)}:"$PATH"\n`,
    );
  return 0;
}

function remove(names: readonly string[], places: Places): number {
  const there = ours(places);
  for (const name of names)
    if (!there.includes(agentNamed(name)?.command ?? name))
      throw new Fault("usage.invalid", { detail: `there is no shim for \`${name}\``, at: places.shims });
  const gone = names.length > 0 ? names.map((name) => agentNamed(name)?.command ?? name) : there;
  for (const command of gone) {
    rmSync(join(places.shims, command));
    process.stdout.write(`removed ${printable(command)}\n`);
  }
  return 0;
}

function list(json: boolean, places: Places): number {
  const rows = ours(places).map((command) => ({
    command,
    file: join(places.shims, command),
    /** What it stands before; null: no such agent on PATH. */
    agent: realOne(command, places),
    isFirst: firstOnPath(command) === join(places.shims, command),
  }));
  if (json) process.stdout.write(`${JSON.stringify({ folder: places.shims, shims: rows })}\n`);
  else if (rows.length === 0) process.stdout.write("no shims; see `sallyport shim --help`\n");
  else
    process.stdout.write(
      `${table(
        rows.map(({ command, agent, isFirst }) => [
          command,
          isFirst ? "first on PATH" : "NOT first on PATH",
          printable(agent ?? "the tested version, where `sallyport install` put it"),
        ]),
      )}\n`,
    );
  return 0;
}

/** On a terminal with what a person reads; else with the agent's own words alone. */
function scriptFor(agent: string, profile: string | null): string {
  const chosen = profile === null ? "" : ` --profile ${quoted(profile)}`;
  return `#!/bin/sh
${MARK} Starts ${agent} inside the sandbox; \`sallyport shim remove ${agent}\` takes it away.
sallyport=${quoted(PROGRAM)}
if [ ! -x "$sallyport" ]; then
  echo "${agent}: Sallyport is not at $sallyport any more: run its \\\`shim install\\\` again, or remove this file: $0" >&2
  exit 127
fi
if [ -t 0 ] && [ -t 1 ] && [ -t 2 ]; then exec "$sallyport" run${chosen} -- ${agent} "$@"; fi
exec "$sallyport" run -q${chosen} -- ${agent} "$@"
`;
}

const isOurs = (file: string): boolean =>
  readFileSync(file, "utf8").split("\n", 2)[1]?.startsWith(MARK) === true;

const ours = ({ shims }: Places): readonly string[] =>
  existsSync(shims)
    ? readdirSync(shims)
        .filter((name) => isOurs(join(shims, name)))
        .sort()
    : [];

const isFirst = (names: readonly string[], places: Places): boolean =>
  names.every((name) => {
    const command = agentNamed(name)?.command ?? name;
    return firstOnPath(command) === join(places.shims, command);
  });

/** The agent that a shim stands before. */
const realOne = (command: string, { shims }: Places): string | null => firstOnPath(command, shims);

function firstOnPath(command: string, except: string | null = null): string | null {
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    if (!isAbsolute(folder) || folder.replace(/\/+$/, "") === except) continue;
    try {
      accessSync(join(folder, command), constants.X_OK);
      return join(folder, command);
    } catch {
      // not there
    }
  }
  return null;
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
