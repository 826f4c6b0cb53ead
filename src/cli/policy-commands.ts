/** `sallyport policy …`: what people ask of a policy before it is in force and after it has decided. */
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Fault, type SessionId, systemClock, type Verdict } from "../core/index.ts";
import { readEntries } from "../ledger/index.ts";
import {
  layer,
  type Point,
  type Policy,
  type PolicyDocument,
  parseDocument,
  READY_PROFILES,
  study,
} from "../policy/index.ts";
import { loadRegister } from "./destinations.ts";
import { judgementOf, lawful } from "./judgements.ts";
import { labeller } from "./labels.ts";
import type { Places } from "./places.ts";
import { documentsFor } from "./prepare.ts";
import { gapTable } from "./print.ts";

export interface PolicyFlags {
  readonly profile?: string;
  readonly to?: string;
  readonly agent?: string;
  readonly data?: string;
  readonly build?: string;
  readonly repo?: string;
  readonly model?: string;
  readonly properties?: string;
  readonly table?: string;
  readonly out?: string;
  readonly lang?: string;
  readonly cedar?: boolean;
  readonly gaps?: boolean;
  readonly json?: boolean;
}

/** Exit codes: 0 as asked; 4 when something is refused, overdue, looser, changed or unproved; 2 for bad input. */
export async function policy(words: readonly string[], flags: PolicyFlags, places: Places): Promise<number> {
  const [action = "", ...files] = words;
  const say = (value: unknown, text: string): void =>
    void process.stdout.write(flags.json === true ? `${JSON.stringify(value)}\n` : `${text}\n`);
  const language = languageOf(flags.lang);
  switch (action) {
    case "check":
      return check(await documents(files, flags, places), say);
    case "explain": {
      const asked = questionIn(files, places);
      if (asked === null) return explain(await documents(files, flags, places), places, flags, language, say);
      const meant = { ...flags, ...asked };
      return explain(await documents([], meant, places), places, meant, language, say);
    }
    case "test":
      return test(await documents(files, flags, places), flags, places, say);
    case "diff": {
      const [before, after] = files;
      if (before === undefined || after === undefined)
        throw new Fault("usage.invalid", { detail: "`policy diff` wants two documents, before and after" });
      const changes = study.diff(
        [await documentAt(before, places)],
        [await documentAt(after, places)],
        language,
      );
      say(
        changes,
        changes.length === 0
          ? "nothing changes"
          : changes.map((c) => `${c.loosens ? "LOOSER" : "tighter"}  ${c.sentence}`).join("\n"),
      );
      return changes.some((change) => change.loosens) ? 4 : 0;
    }
    case "replay": {
      const result = study.replay(
        layer(await documents(files, flags, places)),
        await judgements(places),
        language,
      );
      say(
        result,
        [
          `${result.judged} recorded judgements, ${result.changed} would change`,
          ...result.changes.map((c) => `${c.count} × ${c.sentence}`),
        ].join("\n"),
      );
      return result.changed > 0 ? 4 : 0;
    }
    case "prove":
      return prove(await documents(files, flags, places), flags, language, say);
    case "export": {
      if (flags.cedar !== true)
        throw new Fault("usage.invalid", { detail: "`policy export` wants a format", remedy: "add --cedar" });
      const cedar = study.exportCedar(await documents(files, flags, places));
      say(cedar, `${cedar.policies}\n// schema\n${cedar.schema}`);
      return 0;
    }
    case "reload":
      return (await import("./approvals-commands.ts")).reloadPolicies(places, flags.json === true);
    case "compile":
      return compile(await documents(files, flags, places), flags, say);
    default:
      throw new Fault("usage.invalid", {
        detail: `unknown action \`policy ${action}\``,
        remedy: "see `sallyport policy --help`",
      });
  }
}

type Say = (value: unknown, text: string) => void;

/** The named documents; without names, what would be in force here under `--profile`. */
async function documents(
  files: readonly string[],
  flags: PolicyFlags,
  places: Places,
): Promise<PolicyDocument[]> {
  if (files.length === 0) return documentsFor(flags.profile ?? null, process.cwd(), process.cwd(), places);
  return Promise.all(files.map((file) => documentAt(file, places)));
}

/** One document alone: a file, or the name of a ready or an own profile. */
async function documentAt(name: string, places: Places): Promise<PolicyDocument> {
  const isFile = name.includes("/") || /\.ya?ml$/.test(name);
  if (isFile && existsSync(name)) return parseDocument(await readFile(name, "utf8"), name);
  const found = (await documentsFor(name, process.cwd(), "/nonexistent", places)).find(
    ({ data }) => data.kind === "Profile",
  );
  if (found === undefined) throw new Fault("profile.unknown", { detail: `\`${name}\`` });
  return found;
}

function languageOf(text: string | undefined): "en" | "zh-CN" {
  if (text === undefined || text === "en" || text === "zh-CN") return text ?? "en";
  throw new Fault("usage.invalid", {
    detail: `unknown language \`${text}\``,
    remedy: "use --lang en or --lang zh-CN",
  });
}

function check(found: readonly PolicyDocument[], say: Say): number {
  const layered = layer(found);
  const late = study.overdue(found, new Date().toISOString().slice(0, 10));
  say(
    { name: layered.name, sha256: layered.sha256, documents: found.map(({ file }) => file), overdue: late },
    [
      `${layered.name}: ${found.length} document${found.length === 1 ? "" : "s"}, ${layered.send.rules.length} send rules, sha256 ${layered.sha256}`,
      ...late.map(
        (row) =>
          `overdue since ${row.review}: ${row.file}${row.rule === null ? "" : ` rule ${row.rule}`} (${row.owner})`,
      ),
    ].join("\n"),
  );
  return late.length > 0 ? 4 : 0;
}

/**
 * `may an engineer's claude send internal code to api.mistral.ai?`: the words before `send` end in the agent and may hold
 * a profile's name; data classes are written with spaces or underscores. null: it is no such question.
 */
function questionIn(
  words: readonly string[],
  places: Places,
): Pick<PolicyFlags, "profile" | "agent" | "data" | "to"> | null {
  const [, who = "", what = "", to = ""] =
    /^may\s+(.+?)\s+send\s+(.+?)\s+to\s+(\S+?)\s*\??$/i.exec(words.join(" ").trim()) ?? [];
  if (to === "") return null;
  const named = who.split(/\s+/).map((word) => word.replace(/['’]s?$/, ""));
  const agent = named.at(-1) ?? "";
  const profile = named
    .slice(0, -1)
    .find(
      (word) => READY_PROFILES.includes(word) || existsSync(join(places.config, "profiles", `${word}.yaml`)),
    );
  const data = what.replace(/^(?:my|our|the|its|their)\s+/i, "").replace(/\s+/g, "_");
  return { agent, data, to, ...(profile === undefined ? {} : { profile }) };
}

/** The documents' own examples have run when they were read; the table is what somebody expects beside them. */
async function test(
  found: readonly PolicyDocument[],
  flags: PolicyFlags,
  places: Places,
  say: Say,
): Promise<number> {
  const examples = found
    .flatMap(({ data }) => [
      ...(data.send?.rules ?? []),
      ...(data.network?.allow ?? []),
      ...(data.network?.deny ?? []),
    ])
    .reduce((sum, rule) => sum + (rule.match?.length ?? 0) + (rule.not_match?.length ?? 0), 0);
  const label = await labels(places);
  const known = (host: string, port: number): Partial<Point> => lawful(label(host, port, "/"))[0];
  const tested =
    flags.table === undefined
      ? []
      : study.checkExpectations(
          layer(found),
          study.parseExpectations(await readFile(flags.table, "utf8"), flags.table),
          known,
        );
  if (examples + tested.length === 0)
    throw new Fault("usage.invalid", {
      detail: "there is nothing to test: no rule has examples and there is no table",
      remedy: "write `match` and `not_match` into rules, or add --table FILE",
    });
  const failed = tested.filter(({ holds }) => !holds);
  say(
    { examples, cases: tested.length, failed },
    [
      ...failed.map(
        ({ title, expected, got }) => `FAILED  ${title}\n        expected ${expected}\n        got ${got}`,
      ),
      `${examples} examples in the documents hold; ${tested.length - failed.length} of ${tested.length} expectations hold`,
    ].join("\n"),
  );
  return failed.length > 0 ? 4 : 0;
}

async function explain(
  found: readonly PolicyDocument[],
  places: Places,
  flags: PolicyFlags,
  language: "en" | "zh-CN",
  say: Say,
): Promise<number> {
  if (flags.to === undefined)
    throw new Fault("usage.invalid", {
      detail: "`policy explain` wants --to HOST",
      remedy: "for example: sallyport policy explain --agent claude --data internal_code --to api.mistral.ai",
    });
  const target = URL.parse(flags.to.includes("://") ? flags.to : `https://${flags.to}`);
  if (target === null) throw new Fault("usage.invalid", { detail: `\`${flags.to}\` is no host` });
  const label = await labels(places);
  const port = Number(target.port || (target.protocol === "http:" ? 80 : 443));
  const layered = layer(found);
  const explanations = lawful(label(target.hostname, port, target.pathname)).map((labels) =>
    study.explain(
      layered,
      {
        agent: flags.agent ?? "unknown",
        build: (flags.build ?? "unknown") as Point["build"], // judged by the policy like any value it does not name
        host: target.hostname,
        port,
        ...labels,
        repo: flags.repo ?? layered.repo,
        data: flags.data ?? "public",
        model: flags.model ?? "unknown",
      },
      language,
    ),
  );
  // Under several laws the strictest answer is the one that counts.
  const explained = explanations.reduce((a, b) =>
    STRICTEST.indexOf(b.verdict) < STRICTEST.indexOf(a.verdict) ? b : a,
  );
  say({ verdict: explained.verdict, decision: explained.decision, waysOn: explained.waysOn }, explained.text);
  return explained.verdict === "allow" ? 0 : 4;
}

const STRICTEST: readonly Verdict[] = ["deny", "ask", "reroute", "redact", "normalise", "allow"];

async function prove(
  found: readonly PolicyDocument[],
  flags: PolicyFlags,
  language: "en" | "zh-CN",
  say: Say,
): Promise<number> {
  if (flags.properties === undefined)
    throw new Fault("usage.invalid", {
      detail: "`policy prove` wants --properties FILE",
      remedy: "see docs/policy.md for the form",
    });
  const properties = study.parseProperties(await readFile(flags.properties, "utf8"), flags.properties);
  const hasGuardrails = found.some(({ data }) => data.kind === "Guardrails");
  const proofs = hasGuardrails
    ? study.proveUnderAnyProfile(found, properties, language)
    : study.prove(found, properties, language);
  const mutants = hasGuardrails ? study.mutate(found, properties) : [];
  const idle = mutants.filter((mutant) => mutant.neededBy.length === 0 && mutant.unproved === null);
  const scope = hasGuardrails ? "under any profile anyone may write" : "for these documents";
  say(
    { scope, proofs, mutants },
    [
      ...proofs.map(
        (proof) =>
          `${proof.holds ? "holds " : "BROKEN"}  ${proof.property} ${proof.title} (${proof.points} kinds of sending, ${scope})${proof.counterExample === null ? "" : `\n        for example: ${proof.counterExample.words}`}`,
      ),
      ...idle.map((mutant) => `unneeded  ${mutant.document}/${mutant.rule}: no property fails without it`),
      "A proof is about labels: it says nothing of a detector that misses, a register row that is wrong, or bytes that go round the gateway.",
    ].join("\n"),
  );
  return proofs.some((proof) => !proof.holds) || idle.length > 0 ? 4 : 0;
}

async function compile(found: readonly PolicyDocument[], flags: PolicyFlags, say: Say): Promise<number> {
  const policy = layer(found);
  if (flags.gaps === true && flags.agent === undefined) {
    const all = study.COMPILED_AGENTS.map((agent) => ({ agent, ...compiled(policy, agent) }));
    const tables = all.map(({ agent, gaps }) => `${agent}\n${gapTable(gaps)}\n`);
    say(Object.fromEntries(all.map(({ agent, gaps }) => [agent, gaps])), tables.join("\n"));
    return 0;
  }
  if (flags.agent === undefined)
    throw new Fault("usage.invalid", { detail: "`policy compile` wants --agent NAME, or --gaps" });
  const native = compiled(policy, flags.agent);
  if (flags.gaps === true) {
    say(native.gaps, gapTable(native.gaps));
    return 0;
  }
  for (const file of flags.out === undefined ? [] : native.files) {
    const path = join(flags.out ?? "", study.placeOf(file.path));
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, file.content);
  }
  const files = native.files.map((file) =>
    flags.out === undefined
      ? `== ${file.path}\n${file.content}`
      : `wrote ${join(flags.out, study.placeOf(file.path))}`,
  );
  say(native, [...files, "", gapTable(native.gaps)].join("\n"));
  return 0;
}

function compiled(policy: Policy, named: string): study.NativeSettings {
  const [agent = "", version = null] = named.split("@");
  const native = study.compileNative(policy, agent, version, {
    workspace: process.cwd(),
    hiddenFiles: [],
    isInside: false,
  });
  if (native.emitter === null)
    throw new Fault("usage.invalid", {
      detail: `no settings are known for \`${named}\``,
      remedy: `name one of ${study.COMPILED_AGENTS.join(", ")}`,
    });
  return native;
}

async function labels(places: Places): Promise<ReturnType<typeof labeller>> {
  const { register } = await loadRegister(places);
  return labeller(() => register, systemClock);
}

/** Recorded judgements with the points that their labels and findings come to, as the register says them today. */
async function judgements(places: Places): Promise<study.Judgement[]> {
  const label = await labels(places);
  const agents = new Map<SessionId, string>();
  const found: study.Judgement[] = [];
  if (!existsSync(places.ledger)) return found;
  for await (const { index, event } of readEntries(places.ledger)) {
    if (event.kind === "session.started") agents.set(event.session, event.agent.name);
    if (event.kind === "exchange.judged")
      found.push(judgementOf(index, event, agents.get(event.session) ?? "unknown", label));
  }
  return found;
}
