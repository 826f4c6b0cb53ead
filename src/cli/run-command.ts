/** `run` as it is typed. */
import { Fault } from "../core/index.ts";
import { flags } from "./flags.ts";
import type { Places } from "./places.ts";
import { run } from "./run.ts";

const RUN_FLAGS = {
  profile: { type: "string", short: "p" },
  upstream: { type: "string" },
  door: { type: "string" },
  json: { type: "boolean" },
  quiet: { type: "boolean", short: "q" },
  explain: { type: "boolean" },
  for: { type: "string" },
  "no-undo": { type: "boolean" },
  review: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

/** Our flags stand before the agent's name; everything after it is the agent's own, `--json` and `--help` included. */
export async function runCommand(argv: readonly string[], places: Places): Promise<number> {
  const split = agentIndex(argv);
  const { values } = flags(argv.slice(0, split.flagsEnd), RUN_FLAGS);
  if (values.help === true) {
    process.stdout.write(`${(await import("./help.ts")).helpFor("run")}\n`);
    return 0;
  }
  const agent = argv[split.agent];
  if (agent === undefined)
    throw new Fault("usage.invalid", {
      detail: "`run` needs an agent or a program",
      remedy: "for example: sallyport run claude",
    });
  const door = values.door ?? "tls";
  if (door !== "tls" && door !== "base")
    throw new Fault("usage.invalid", {
      detail: `unknown door \`${door}\``,
      remedy: "use --door tls or --door base",
    });
  const system = values.for ?? "this";
  if ((system !== "this" && system !== "macos") || (system === "macos" && values.explain !== true))
    throw new Fault("usage.invalid", {
      detail: `\`--for ${system}\``,
      remedy: "`run --explain --for macos` prints what the wall would be there; there is no other",
    });
  return run(
    {
      agent,
      arguments: argv.slice(split.agent + 1),
      profile: values.profile ?? null,
      upstream: values.upstream ?? null,
      door,
      json: values.json === true,
      quiet: values.quiet === true,
      explain: values.explain === true,
      system,
      undo: values["no-undo"] !== true,
      review: values.review === true,
    },
    places,
  );
}

function agentIndex(argv: readonly string[]): { readonly flagsEnd: number; readonly agent: number } {
  for (let at = 0; at < argv.length; at += 1) {
    const word = argv[at] ?? "";
    if (word === "--") return { flagsEnd: at, agent: at + 1 };
    if (!word.startsWith("-")) return { flagsEnd: at, agent: at };
    const takesValue = ["--profile", "-p", "--upstream", "--door", "--for"].includes(word);
    if (takesValue) at += 1;
  }
  return { flagsEnd: argv.length, agent: argv.length };
}
