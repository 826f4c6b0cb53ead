/**
 * Where runs are made: keeps the folder of homes, the authority, the canaries, and a queue that starts as many runs at
 * once as the machine has cores for. Owns all of it; `close` removes it.
 */
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { newLeafKey, SessionAuthority } from "../../gateway/index.ts";
import type { MachineFacts } from "../../sandbox/index.ts";
import { type Canary, canaryVariables, HomeMaker, makeCanaries } from "../chamber/home.ts";
import { TRACE_FILE, WORKSPACE_NAME } from "../chamber/plan.ts";
import { type Ran, runOnce } from "../chamber/run.ts";
import { BASELINE, type Patch, patched, type Setting } from "../chamber/setting.ts";
import type { Plan } from "../model/plan.ts";
import { changedSince, type FileLine, fileLines, type Listing, listing } from "../observe/files.ts";
import { requestsOf, type SeenRequest } from "../observe/http.ts";
import { needlesOf, type Taken, takenIn } from "./canary.ts";
import { commandOf, doorOf, type Target } from "./target.ts";

export interface Observed {
  readonly setting: Setting;
  readonly prompts: readonly string[];
  /** One per prompt, in the same home. */
  readonly runs: readonly Ran[];
  readonly requests: readonly SeenRequest[];
  readonly names: readonly string[];
  readonly taken: readonly Taken[];
  readonly from: number;
  readonly to: number;
  readonly trace: string | null;
  /** Files of the home that are new or changed, relative to it; and what is compared of them. */
  readonly written: readonly string[];
  readonly files: readonly FileLine[];
}

export interface BenchOptions {
  readonly target: Target;
  readonly facts: MachineFacts;
  /** Shared object that shifts the clock by these seconds; null where there is none. */
  readonly clock: (seconds: number) => Uint8Array | null;
  readonly jobs: number;
  readonly signal: AbortSignal;
}

/** A session that reads, runs a command, and answers; then one that only answers. */
export const PROMPTS: readonly string[] = [
  "Read README.md, then run the shell command: echo hi > out.txt",
  "What does src/ledgerline.py do? Answer in one sentence.",
];
const PLANS: readonly Plan[] = [
  {
    steps: [
      { kind: "read", path: "README.md" },
      { kind: "shell", command: "echo hi > out.txt" },
    ],
    final: "Done: README read, out.txt written.",
  },
  { steps: [], final: "It adds up the amounts of rows." },
];

/** For builds whose runs are quick: what begins after some requests is seen too. */
const LONG_PLANS: readonly Plan[] = PLANS.map((plan, at) =>
  at > 0
    ? plan
    : {
        ...plan,
        steps: [
          ...plan.steps,
          { kind: "read", path: "src/ledgerline.py" },
          { kind: "shell", command: "ls src" },
          { kind: "read", path: "Makefile" },
          { kind: "edit", path: "Makefile", before: "unittest", after: "unittest -v" },
          { kind: "shell", command: "cat Makefile" },
          { kind: "read", path: "README.md" },
          { kind: "shell", command: "date +%s > /dev/null" },
          { kind: "read", path: ".gitignore" },
        ],
      },
);

const MAX_CONTEXTS = 400;
const FIRST_LIMIT_MS = 90_000;

export class Bench {
  readonly #options: BenchOptions;
  readonly #folder = mkdtempSync(join(tmpdir(), "sallyport-lab-"));
  readonly #leafKey = newLeafKey();
  readonly #authorities = new Map<number, { readonly authority: SessionAuthority; readonly file: string }>();
  readonly #clocks = new Map<number, string>();
  readonly #canaries = makeCanaries(randomBytes(16).toString("hex"));
  readonly #needles;
  readonly #homes: HomeMaker;
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #isPlain = false;
  #plans = PLANS;
  #limitMs = FIRST_LIMIT_MS;
  /** Runs made so far. */
  made = 0;

  constructor(options: BenchOptions) {
    this.#options = options;
    this.#homes = new HomeMaker(this.#folder, this.#canaries);
    this.#needles = needlesOf(this.canaries);
  }

  get canaries(): readonly Canary[] {
    return Object.values(this.#canaries);
  }

  /** Ids of the commits in the workspaces made so far, long and short. */
  get commits(): readonly string[] {
    return this.#homes.commits;
  }

  get isKnownAgent(): boolean {
    return this.#options.target.kind !== null;
  }

  get hasGit(): boolean {
    return this.#homes.hasGit;
  }

  /** Bounds further runs, once it is known how long one takes. */
  limit(ms: number): void {
    this.#limitMs = ms;
  }

  /** The baseline with these patches. Waits for its turn; null when it is late by then. */
  async run(patches: readonly Patch[], how: RunKind = {}): Promise<Observed | null> {
    await this.#turn();
    try {
      if (how.isLate?.() === true) return null;
      return await this.#run(this.settingOf(patches), how);
    } finally {
      this.#running -= 1;
      this.#waiting.shift()?.();
    }
  }

  /** The baseline with these patches, as it is run. */
  settingOf(patches: readonly Patch[]): Setting {
    const setting = patched(BASELINE, patches);
    return this.#isPlain ? { ...setting, base: setting.base?.replace(/^https:/, "http:") ?? null } : setting;
  }

  /** From now on base URLs are `http://`. */
  speakPlainHttp(): void {
    this.#isPlain = true;
  }

  /** From now on the first prompt of a run takes many tools. */
  lengthenSessions(): void {
    this.#plans = LONG_PLANS;
  }

  close(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #turn(): Promise<void> {
    if (this.#running >= this.#options.jobs) await new Promise<void>((go) => this.#waiting.push(go));
    this.#running += 1;
  }

  async #run(
    setting: Setting,
    { prompts = PROMPTS.slice(0, 1), watch = false, trace = false, arguments: more = [] }: RunKind,
  ): Promise<Observed> {
    this.#options.signal.throwIfAborted();
    const home = this.#homes.make({ ...setting, files: [...this.#ownFiles(), ...setting.files] });
    try {
      const before = listing(home);
      const runs: Ran[] = [];
      for (const [index, prompt] of prompts.entries())
        runs.push(await this.#start(setting, home, { prompt, index, watch, trace, more }));
      const requests = runs.flatMap((ran) => requestsOf(ran.connections));
      const names = [...new Set(runs.flatMap((ran) => ran.names))];
      this.made += 1;
      return {
        ...{ setting, prompts, runs, requests, names },
        taken: takenIn(requests, names, this.#needles),
        from: runs[0]?.from ?? 0,
        to: runs.at(-1)?.to ?? 0,
        trace: trace ? readOr(join(home, TRACE_FILE)) : null,
        ...leftBehind(home, before),
      };
    } finally {
      await this.#homes.discard(home);
    }
  }

  /** Settings without which the agent does not start. */
  #ownFiles(): Setting["files"] {
    return (this.#options.target.kind?.homeFiles ?? [])
      .filter((file) => file.onlyForStandIn !== true)
      .map(({ path, content }) => ({ kind: "file", place: "home", path, text: content }));
  }

  #start(setting: Setting, home: string, { prompt, index, more, ...how }: OnePrompt): Promise<Ran> {
    const { target, facts, signal } = this.#options;
    const door = doorOf(target, setting.base);
    const { authority, file } = this.#authorityAt(setting.clockSeconds);
    return runOnce({
      chamber: {
        setting: { ...setting, variables: { ...canaryVariables(this.#canaries), ...setting.variables } },
        ...{
          command: commandOf(target, { ...door, arguments: [...door.arguments, ...more] }, prompt),
          agentFolder: target.folder,
          home,
          authority: file,
        },
        door: door.variables,
        clock: setting.clockSeconds === 0 ? null : this.#clockFile(setting.clockSeconds),
        ...how,
      },
      ...{ facts, authority, plan: this.#plans[index] ?? { steps: [], final: "" }, signal },
      limitMs: how.trace ? this.#limitMs * 5 : this.#limitMs,
    });
  }

  /** An authority whose certificates are valid on the shifted day. */
  #authorityAt(seconds: number): { readonly authority: SessionAuthority; readonly file: string } {
    const known = this.#authorities.get(seconds);
    if (known !== undefined) return known;
    const now = (): number => Date.now() + seconds * 1000;
    const authority = new SessionAuthority("lab", this.#leafKey, now, MAX_CONTEXTS);
    const file = join(this.#folder, `authority-${seconds}.pem`);
    writeFileSync(file, authority.certificate);
    const made = { authority, file };
    this.#authorities.set(seconds, made);
    return made;
  }

  #clockFile(seconds: number): string | null {
    const known = this.#clocks.get(seconds);
    if (known !== undefined) return known;
    const bytes = this.#options.clock(seconds);
    if (bytes === null) return null;
    mkdirSync(this.#folder, { recursive: true });
    const file = join(this.#folder, `clock-${seconds}.so`);
    writeFileSync(file, bytes, { mode: 0o755 });
    this.#clocks.set(seconds, file);
    return file;
  }
}

export interface RunKind {
  readonly prompts?: readonly string[];
  readonly watch?: boolean;
  readonly trace?: boolean;
  readonly isLate?: () => boolean;
  /** Before the arguments that every run has. */
  readonly arguments?: readonly string[];
}

interface OnePrompt {
  readonly prompt: string;
  readonly index: number;
  readonly watch: boolean;
  readonly trace: boolean;
  readonly more: readonly string[];
}

function readOr(file: string): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return null; // the tracer did not start
  }
}

function leftBehind(home: string, before: Listing): Pick<Observed, "written" | "files"> {
  const after = listing(home);
  return {
    written: changedSince(before, after),
    files: fileLines(home, join("projects", WORKSPACE_NAME), before, after),
  };
}
