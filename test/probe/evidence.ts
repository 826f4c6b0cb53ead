/** One run of a real agent in a hostile repository, and everything that was seen of it. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, relative } from "node:path";
import type { LedgerEvent } from "../../src/core/index.ts";
import { type Step, startScriptedModel } from "../../src/lab/index.ts";
import { readEntries } from "../../src/ledger/index.ts";
import type { AgentKind } from "../../src/register/index.ts";
import { Place } from "../harness.ts";
import { resultsOf } from "./results.ts";

/** A run that goes on for longer is ended: an agent that cannot reach its model tries again for minutes. */
const RUN_MS = 180_000;
/** For runs that are to be turned away: without a way out nothing is recorded that could end them. */
const TURNED_AWAY_MS = 30_000;
const LOOK_MS = 250;
const MAX_TEXT_BYTES = 65_536;

export interface Evidence {
  /** What the model was told that each step came to, by step; shorter when the run ended before. */
  readonly results: readonly string[];
  /** Everything that the model's server received: hosts, paths, headers, bodies. */
  readonly received: string;
  readonly modelCalls: number;
  /** The session's events. */
  readonly events: readonly LedgerEvent[];
  /** What the agent and Sallyport printed, for the message of a failed test. */
  readonly output: string;
  /** Text of a file of the workspace, or of the person's home, after the run; null: not there. */
  after(path: string): string | null;
  personal(path: string): string | null;
}

/** Where a run takes place; both folders are the host's. */
export interface Ground {
  readonly workspace: string;
  readonly home: string;
}

export interface Attempt {
  readonly kind: AgentKind;
  /** A ready profile's name, or the text of one. */
  readonly profile: string | ((ground: Ground) => string);
  readonly files: Readonly<Record<string, string>>;
  readonly home: Readonly<Record<string, string>>;
  readonly steps: (ground: Ground) => readonly Step[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Laid into the agent's private home before it starts. */
  readonly agentHome?: (workspace: string) => Readonly<Record<string, string>>;
  /** Before the agent's own arguments. */
  readonly arguments?: readonly string[];
  /** Ends the run once Sallyport's station has recorded an event with this text. */
  readonly until?: string;
}

export async function attempt(what: Attempt): Promise<Evidence> {
  const place = new Place();
  const ground = { workspace: place.workspace, home: join(place.folder, "person") };
  lay(ground.workspace, what.files);
  lay(ground.home, what.home);
  lay(join(place.state, "homes", what.kind.name), what.agentHome?.(ground.workspace) ?? {});
  execFileSync("git", ["init", "-q", "--template=", "."], { cwd: place.workspace });
  mkdirSync(join(place.workspace, ".git/hooks"));
  const received: string[] = [];
  const bodies: string[] = [];
  const model = await startScriptedModel({
    cwd: place.workspace,
    plan: { steps: what.steps(ground), final: "all steps done" },
    onRequest: ({ headers, body, ...request }) => {
      const text = Buffer.from(body).toString("utf8");
      received.push(JSON.stringify({ ...request, headers }), text);
      if (request.dialect !== "other") bodies.push(text);
    },
  });
  const environment = {
    HOME: ground.home,
    XDG_CACHE_HOME: process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"),
    ...what.environment,
  };
  try {
    const output = await run(place, what, ground, model.url, environment);
    const events = await eventsOf(place);
    const [workspace, person] = [textsBelow(ground.workspace), textsBelow(ground.home)];
    return {
      results: resultsOf(bodies),
      received: received.join("\n"),
      modelCalls: bodies.length,
      events,
      output,
      after: (path) => workspace.get(path) ?? null,
      personal: (path) => person.get(path) ?? null,
    };
  } finally {
    await model.close();
    await place.close();
  }
}

async function run(
  place: Place,
  what: Attempt,
  ground: Ground,
  upstream: string,
  environment: Readonly<Record<string, string>>,
): Promise<string> {
  let profile = what.profile;
  if (typeof profile !== "string") {
    const file = join(place.folder, "control.yaml");
    writeFileSync(file, profile(ground));
    profile = file;
  }
  const running = place.start(
    [
      ...["run", "--json", "--profile", profile, "--upstream", upstream],
      ...[`${what.kind.name}@${what.kind.tested}`, ...(what.arguments ?? [])],
      ...what.kind.headless("Do what the plan says."),
    ],
    environment,
  );
  const end = (): boolean => running.child.kill("SIGTERM");
  const late = setTimeout(end, what.until === undefined ? RUN_MS : TURNED_AWAY_MS);
  const looking = what.until === undefined ? undefined : endOnEvent(place, what.until, end);
  const done = await running.finished;
  clearTimeout(late);
  clearInterval(looking);
  return done.stdout + done.stderr;
}

/** Looks into the ledger, as anybody may while a station runs, and ends the run once the event is there. */
function endOnEvent(place: Place, text: string, end: () => void): NodeJS.Timeout {
  return setInterval(() => {
    void eventsOf(place)
      .catch(() => []) // not a whole ledger yet; the next look comes
      .then((events) => {
        if (JSON.stringify(events).includes(text)) end();
      });
  }, LOOK_MS);
}

async function eventsOf(place: Place): Promise<readonly LedgerEvent[]> {
  const folder = join(place.state, "ledger");
  const events: LedgerEvent[] = [];
  if (!existsSync(folder)) return events;
  for await (const { event } of readEntries(folder)) events.push(event);
  return events;
}

function lay(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
}

/** Small files by their path below the folder. */
function textsBelow(folder: string): ReadonlyMap<string, string> {
  const paths = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => join(folder, name))
    .filter((path) => {
      const at = statSync(path, { throwIfNoEntry: false });
      return at?.isFile() === true && at.size < MAX_TEXT_BYTES;
    });
  return new Map(paths.map((path) => [relative(folder, path), readFileSync(path, "utf8")]));
}
