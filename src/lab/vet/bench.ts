/**
 * Where runs are made: keeps the folder of homes, the authority, the canaries, and a queue that starts as many runs at
 * once as the machine has cores for. Owns all of it; `close` removes it.
 */
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { newLeafKey, SessionAuthority } from "../../gateway/index.ts";
import type { MachineFacts } from "../../sandbox/index.ts";
import { type Canary, canaryVariables, HomeMaker, makeCanaries } from "../chamber/home.ts";
import { TRACE_FILE } from "../chamber/plan.ts";
import { type Ran, runOnce } from "../chamber/run.ts";
import { BASELINE, type Patch, patched, type Setting } from "../chamber/setting.ts";
import type { Plan } from "../model/plan.ts";
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
  /** Files of the home that are new or changed, relative to it. */
  readonly written: readonly string[] | null;
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
      return await this.#run(patched(BASELINE, patches), how);
    } finally {
      this.#running -= 1;
      this.#waiting.shift()?.();
    }
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
      const before = watch ? listing(home) : null;
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
        written: before === null ? null : changedSince(before, listing(home)),
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
      ...{ facts, authority, plan: PLANS[index] ?? PLANS[0] ?? { steps: [], final: "" }, signal },
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

/** Path to a digest, for every file below. */
function listing(folder: string): ReadonlyMap<string, string> {
  const out = new Map<string, string>();
  for (const entry of readTree(folder)) out.set(entry.path, entry.digest);
  return out;
}

function* readTree(folder: string): Generator<{ readonly path: string; readonly digest: string }> {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const full = join(entry.parentPath, entry.name);
    const { size } = statSync(full);
    // Of large files the size says enough: unpacked programs, not settings.
    const digest =
      size > 4 * 1024 * 1024 ? `size ${size}` : createHash("sha256").update(readFileSync(full)).digest("hex");
    yield { path: full.slice(folder.length + 1), digest };
  }
}

const changedSince = (
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): readonly string[] =>
  [...after].filter(([path, digest]) => before.get(path) !== digest).map(([path]) => path);
