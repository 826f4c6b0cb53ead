/**
 * Vets one build from beginning to end: what it varies with, what it takes, what it touches, what its switches do.
 * Needs bubblewrap, Perl and loopback; nothing leaves the machine.
 */
import type { Clock } from "../../core/index.ts";
import type { MachineFacts } from "../../sandbox/index.ts";
import type { Patch } from "../chamber/setting.ts";
import { Bench, type Observed, PROMPTS } from "./bench.ts";
import type { Factor } from "./factors.ts";
import { findingsOf } from "./findings.ts";
import type { SwitchEffect, VetReport } from "./report.ts";
import type { SentPart } from "./sent.ts";
import { switchesOf } from "./switches.ts";
import type { Target } from "./target.ts";
import { templateOf, type WireTemplate } from "./template.ts";
import { touchedBy } from "./touch.ts";
import { Vetting } from "./vet.ts";

export interface VetOptions {
  readonly target: Target;
  /** As it was typed, for the commands that reproduce a finding. */
  readonly typed: string;
  readonly factors: readonly Factor[];
  readonly repeats: number;
  readonly budgetMs: number | null;
  readonly combinations: "none" | "all";
  /** Whether to try switches, and to look at files and processes. */
  readonly looks: boolean;
  readonly jobs: number;
  readonly facts: MachineFacts;
  readonly clock: Clock;
  readonly hasTracer: boolean;
  readonly shiftClock: (seconds: number) => Uint8Array | null;
  /** Why a factor cannot be varied here, one line each. */
  readonly cannotVary: readonly string[];
  readonly installScripts: readonly string[];
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

export interface Vetted {
  readonly report: VetReport;
  readonly template: WireTemplate;
  /** What it sent unchanged and by its vendor's own door: parts of requests in a form that is known. */
  readonly sent: readonly SentPart[];
  /** The prompts it was given. */
  readonly said: readonly string[];
}

/** What no factor here covers, always said. */
const NEVER_VARIED = [
  "the network's address and route, the hardware, the kernel, the distribution",
  "account, subscription and what the vendor's servers answer: the model is scripted, sign-in is not played",
  "the terminal program: every run is one prompt without a person",
];
const NEVER_OBSERVED = [
  "HTTP/2 framing: the lab answers with HTTP/1.1",
  "bits hidden in values that are random by design (ids, nonces), and in timing below a tenth of a second",
];

/** Throws `lab.silent` when the build sends nothing, `sandbox.failed` when the chamber cannot be built; aborts with `signal`. */
export async function vetBuild(options: VetOptions): Promise<Vetted> {
  const began = options.clock.monotonic();
  const { target, signal } = options;
  const bench = new Bench({
    target,
    facts: options.facts,
    clock: options.shiftClock,
    jobs: options.jobs,
    signal,
  });
  try {
    const vetting = new Vetting(bench, options, options.clock, options.say);
    const outcome = await vetting.run();
    const looked = options.looks ? await lookRound(bench, options, outcome.baseline.length > 0) : null;
    const baselines = new Map(options.factors.map((factor) => [factor.name, factor.baseline]));
    const { findings, explained } = findingsOf(outcome, options.typed, baselines);
    const template = templateOf(outcome.baseline, outcome.noise);
    const report: VetReport = {
      ...{
        agent: target.name,
        build: target.version ?? `sha256:${target.sha256}`,
        sha256: target.sha256,
        findings,
        explained,
      },
      varied: options.factors.map((factor) => ({
        ...{
          factor: factor.name,
          baseline: factor.baseline,
          levels: factor.levels.map((level) => level.name),
        },
      })),
      notVaried: [
        ...options.cannotVary,
        ...outcome.notVaried,
        ...outcome.silent.map((name) => `${name}: the agent sends nothing there`),
        ...NEVER_VARIED,
      ],
      notObserved: [
        ...NEVER_OBSERVED,
        ...(looked?.notObserved ?? ["what it touched, and its switches: left out by --quick or --only"]),
      ],
      touched: looked?.touched ?? NOTHING_TOUCHED,
      ...{ switches: looked?.switches ?? [], installScripts: options.installScripts },
      ...{ runs: bench.made, combinations: outcome.combinations },
      tookSeconds: Math.round((options.clock.monotonic() - began) / 1000),
    };
    return { report, template, sent: outcome.sent, said: PROMPTS };
  } finally {
    bench.close();
  }
}

const NOTHING_TOUCHED = {
  hosts: [],
  names: [],
  written: [],
  persistence: [],
  processesLeft: [],
  portsLeft: [],
  traced: null,
};

async function lookRound(
  bench: Bench,
  options: VetOptions,
  isWarm: boolean,
): Promise<Pick<VetReport, "touched" | "switches" | "notObserved"> | null> {
  if (!isWarm) return null;
  options.say("what it touches, and what its switches do");
  const [watched, traced, ...switched] = await Promise.all([
    bench.run([], { watch: true }),
    options.hasTracer ? bench.run([], { trace: true }) : null,
    ...switchesOf(options.target.name).map(async (one) => {
      const patches = Object.entries(one.variables).map(
        ([name, value]): Patch => ({ kind: "variable", name, value }),
      );
      return { name: one.name, observed: await bench.run(patches, { arguments: one.arguments }) };
    }),
  ]);
  if (watched === null) return null;
  const notObserved = options.hasTracer
    ? ["files and programs: from one traced run; a build that notices the tracer may behave otherwise"]
    : ["files read and programs started: install the system's strace package"];
  const effects = switched.flatMap(({ name, observed }) =>
    observed === null ? [] : [switchEffect(name, watched, observed)],
  );
  return { touched: touchedBy(watched, traced), switches: effects, notObserved };
}

function switchEffect(setting: string, off: Observed, on: Observed): SwitchEffect {
  const hosts = (observed: Observed): Set<string> =>
    new Set(observed.requests.map((r) => `${r.host} ${r.method} ${r.target.replace(/\?.*$/, "")}`));
  const [before, after] = [hosts(off), hosts(on)];
  const gone = [...before].filter((one) => !after.has(one));
  const come = [...after].filter((one) => !before.has(one));
  return { setting, stops: gone, starts: come };
}
