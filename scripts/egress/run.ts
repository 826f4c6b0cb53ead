/**
 * Runs cases of agent-egress-bench through the product's real gateway, inspector, policy and ledger, over its real
 * socket, and counts. Nothing here knows a case: what decides is what arrived at the recording server and what stands in
 * the record.
 *
 * - contained: a block-case of which not everything arrived, because the record says that it was refused. A case that
 *   comes in several messages may have lost its harmless beginning; `partly` counts those. What comes
 *   in a reply has arrived when the agent has it.
 * - false positive: an allow-case that the record says was refused.
 * - detected: a block-case with a finding, or a rule or fault that has a name, in the record.
 * A case in which neither happened (no refusal, and not everything arrived whole) is an error and counts against us.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  asFault,
  asSessionId,
  type EventBody,
  type FindingTally,
  type SessionId,
  systemClock,
} from "../../src/core/index.ts";
import { type Gateway, openGateway } from "../../src/gateway/index.ts";
import { createInspector } from "../../src/inspect/index.ts";
import { openLedger } from "../../src/ledger/index.ts";
import { layer, type Policy, parseDocument } from "../../src/policy/index.ts";
import { ask, chat } from "./agent.ts";
import { type Case, type Errand, errandOf, type Unreadable, unitsOf, whyNotApplicable } from "./case.ts";
import { openWorld, type World } from "./world.ts";

export interface Result {
  readonly id: string;
  readonly input: string;
  readonly transport: string;
  readonly expected: "block" | "allow";
  readonly actual: "block" | "allow" | "error";
  readonly detected: boolean;
  /** How many of the case's requests or messages arrived, of how many. */
  readonly arrived: readonly [number, number];
  /** Ids of rules and faults that refused. */
  readonly rules: readonly string[];
  readonly findings: readonly FindingTally[];
  readonly problem: string | null;
}

export interface Figures {
  readonly containment: number;
  readonly falsePositives: number;
  readonly detection: number;
  readonly applicable: number;
  readonly notApplicable: readonly { readonly id: string; readonly why: string }[];
  /** Applicable block-cases and allow-cases. */
  readonly block: number;
  readonly allow: number;
  /** Contained only after an earlier message of theirs had arrived. */
  readonly partly: number;
  readonly errors: number;
  readonly failing: readonly Result[];
}

const PROFILE = join(import.meta.dirname, "profile.yaml");
const TOOL = join(import.meta.dirname, "tool-profile.json");

export interface ToolProfile {
  readonly tool: string;
  readonly tool_version: string;
  readonly supports: Readonly<Record<string, boolean>>;
}

// Written beside this file, in the form of the suite's schema.
export const readToolProfile = (): ToolProfile => JSON.parse(readFileSync(TOOL, "utf8")) as ToolProfile;

export const readPolicy = (file: string = PROFILE): Policy =>
  layer([parseDocument(readFileSync(file, "utf8"), file)]);

/** Runs the cases one after the other, each in a session of its own. */
export async function runCases(
  cases: readonly (Case | Unreadable)[],
  policy: Policy,
): Promise<{ readonly figures: Figures; readonly results: readonly Result[] }> {
  const { supports } = readToolProfile();
  const notApplicable: { readonly id: string; readonly why: string }[] = [];
  const results: Result[] = [];
  const bench = await openBench(policy);
  try {
    for (const one of cases) {
      const why = whyNotApplicable(one, supports);
      if (why !== null || "why" in one) notApplicable.push({ id: one.id, why: why ?? "" });
      else results.push(await bench.run(one));
    }
  } finally {
    await bench.close();
  }
  return { figures: figuresOf(results, notApplicable), results };
}

export function figuresOf(results: readonly Result[], notApplicable: Figures["notApplicable"]): Figures {
  const block = results.filter(({ expected }) => expected === "block");
  const allow = results.filter(({ expected }) => expected === "allow");
  const contained = block.filter(({ actual }) => actual === "block");
  // Of nothing, nothing was contained: a run without cases must not look like a perfect one.
  const share = (part: number): number => (block.length === 0 ? 0 : part / block.length);
  return {
    containment: share(contained.length),
    falsePositives: allow.filter(({ actual }) => actual === "block").length,
    detection: share(block.filter(({ detected }) => detected).length),
    applicable: results.length,
    notApplicable,
    block: block.length,
    allow: allow.length,
    partly: contained.filter(({ arrived: [some] }) => some > 0).length,
    errors: results.filter(({ actual }) => actual === "error").length,
    failing: results.filter(({ expected, actual }) => expected !== actual),
  };
}

/** A line of result.schema.json. */
export interface ResultLine {
  readonly case_id: string;
  readonly tool: string;
  readonly tool_version: string;
  readonly expected_verdict: Case["expected_verdict"];
  readonly actual_verdict: Result["actual"] | "not_applicable";
  readonly score: "pass" | "fail" | "not_applicable" | "error";
  readonly evidence: object;
  readonly notes: string;
}

/** One line a case, in the cases' order. */
export function resultLines(
  cases: readonly (Case | Unreadable)[],
  results: readonly Result[],
  { notApplicable }: Figures,
): readonly ResultLine[] {
  const { tool, tool_version } = readToolProfile();
  const ran = new Map(results.map((result) => [result.id, result]));
  const reasons = new Map(notApplicable.map(({ id, why }) => [id, why]));
  return cases.map((one): ResultLine => {
    const { id } = one;
    // A file that is no case expects nothing; the form has no word for that.
    const expected_verdict = "expected_verdict" in one ? one.expected_verdict : "allow";
    const about = { case_id: id, tool, tool_version, expected_verdict };
    const result = ran.get(id);
    if (result === undefined) {
      const notes = reasons.get(id) ?? "";
      return { ...about, actual_verdict: "not_applicable", score: "not_applicable", evidence: {}, notes };
    }
    const { actual, arrived, rules, findings, problem } = result;
    const score = actual === "error" ? "error" : actual === expected_verdict ? "pass" : "fail";
    return {
      ...about,
      actual_verdict: actual,
      score,
      evidence: { arrived, rules, findings },
      notes: problem ?? "",
    };
  });
}

interface Bench {
  run(one: Case): Promise<Result>;
  close(): Promise<void>;
}

async function openBench(policy: Policy): Promise<Bench> {
  const folder = mkdtempSync(join(tmpdir(), "egress-"));
  const world = await openWorld();
  const ledger = await openLedger({
    directory: join(folder, "ledger"),
    keyDirectory: join(folder, "keys"),
    clock: systemClock,
    program: "egress bench",
  });
  const record: EventBody[] = [];
  const gateway = openGateway({
    clock: systemClock,
    append: async (body, evidence) => {
      const done = await ledger.append(body, evidence);
      record.push(body);
      return done;
    },
    inspector: createInspector({ key: Buffer.alloc(32, 1) }),
    placeholderKey: Buffer.alloc(32, 2),
    lookup: world.lookup,
    extraRoots: [world.root],
  });
  let sessions = 0;
  return {
    run: (one) => {
      record.length = 0;
      const id = asSessionId((++sessions).toString(16).padStart(8, "0"));
      if (id === null) throw new Error("more cases than session ids");
      return runCase(one, { world, gateway, policy, record, id, folder });
    },
    close: async () => {
      await gateway.close();
      await ledger.close();
      await world.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

interface Desk {
  readonly world: World;
  readonly gateway: Gateway;
  readonly policy: Policy;
  readonly record: readonly EventBody[];
  readonly id: SessionId;
  readonly folder: string;
}

async function runCase(one: Case, { world, gateway, policy, record, id, folder }: Desk): Promise<Result> {
  const socketPath = join(folder, `${id}.sock`);
  let expected: readonly [number, number] = [0, 0];
  let problem: string | null = null;
  try {
    const errand = errandOf(one);
    world.clear(errand.kind === "http" ? errand.replies : [], one.requires.includes("dns_rebinding_fixture"));
    const { caCertificate } = await gateway.openSession({
      id,
      agent: "bench",
      policy,
      socketPath,
      workspace: "/work",
      upstream: null,
      // The suite's destinations are in no register.
      label: () => ({
        destination: null,
        channel: "unknown",
        serverIn: "unknown",
        operatorLaw: "unknown",
        trains: "unknown",
        dpa: "unknown",
      }),
    });
    const sent = await send(errand, { socketPath, ca: caCertificate });
    problem = sent.problem;
    await gateway.closeSession(id);
    const what = errand.kind === "http" ? "request" : "message";
    const there = world.arrived.filter((arrival) => arrival.what === what).length;
    expected = [errand.kind === "http" && errand.comesIn ? sent.replies : there, unitsOf(errand)];
  } catch (error) {
    problem = asFault(error).message;
  }
  return {
    id: one.id,
    input: one.input_type,
    transport: one.transport,
    ...told(one, record, expected, problem),
  };
}

/** `problem` null: sent, and answered as the destination answers. `replies`: how many of them the agent got anything of. */
async function send(
  errand: Errand,
  door: { readonly socketPath: string; readonly ca: string },
): Promise<{ readonly problem: string | null; readonly replies: number }> {
  if (errand.kind === "websocket")
    return { problem: (await chat(door, errand)) ? null : "the conversation was cut", replies: 0 };
  for (const [i, one] of errand.asks.entries()) {
    const { status, body } = await ask(door, errand.way, one);
    if (status !== 200) return { problem: `status ${status}`, replies: i };
    const said = errand.replies[i] ?? errand.replies.at(-1) ?? errand.replies[0];
    // What begins to arrive has arrived, also where its end never does.
    if (!body.equals(said.body))
      return { problem: "the reply did not come through whole", replies: body.length > 0 ? i + 1 : i };
  }
  return { problem: null, replies: errand.asks.length };
}

function told(
  one: Case,
  record: readonly EventBody[],
  arrived: readonly [number, number],
  problem: string | null,
): Pick<Result, "expected" | "actual" | "detected" | "arrived" | "rules" | "findings" | "problem"> {
  const [some, all] = arrived;
  const rules = record.flatMap((event) => {
    if (event.kind === "connection.refused") return [event.rule];
    if (event.kind === "exchange.judged" && event.verdict === "deny") return event.rules;
    if (event.kind === "exchange.answered") return event.withheld?.rules ?? [];
    // Dialled and refused by the address that the name led to.
    return event.kind === "exchange.failed" && !event.mayHaveLeft ? [event.fault] : [];
  });
  const findings = record.flatMap((event) =>
    event.kind === "exchange.judged"
      ? event.findings
      : event.kind === "exchange.answered"
        ? (event.withheld?.findings ?? [])
        : [],
  );
  const isRefused = record.some(
    (event) =>
      event.kind === "connection.refused" ||
      (event.kind === "exchange.judged" && event.verdict === "deny") ||
      (event.kind === "exchange.answered" && event.withheld !== undefined) ||
      (event.kind === "exchange.failed" && !event.mayHaveLeft && event.fault === "gateway.address-refused"),
  );
  const actual = isRefused && some < all ? "block" : some >= all && problem === null ? "allow" : "error";
  return {
    expected: one.expected_verdict,
    actual,
    // Refused because nothing allowed it (`default`, `network.default`, `send.default`) detects nothing.
    detected: findings.length > 0 || rules.some((rule) => !/(?:^|\.)default$/.test(rule)),
    arrived,
    rules,
    findings,
    problem,
  };
}
