/**
 * `sallyport run`: the thin client that a person's terminal talks to. It asks the station for a session, starts the
 * agent by the station's plan on this terminal, joins the connections that come out of the sandbox to the gateway, and
 * prints the declaration. It imports little: every millisecond here is felt.
 *
 * When the station dies, the agent's next connection gets an answer that says so; nothing can leave, because only the
 * gateway's socket leads out.
 */
import net from "node:net";
import { isatty } from "node:tty";
import { asFault, type Fault } from "../core/index.ts";
import { type Ended as Exit, type Launched, launch, type Target } from "../sandbox/launch.ts";
import type { Places } from "./places.ts";
import { faultText, gapTable, printable, wantsColor } from "./print.ts";
import { begunEarly, type Early, reachStation } from "./reach.ts";
import type { Ended, Explained, Question, Reached, Started, StationLine } from "./talk.ts";

export interface RunOptions {
  readonly agent: string;
  readonly arguments: readonly string[];
  readonly profile: string | null;
  readonly upstream: string | null;
  readonly door: "tls" | "base";
  readonly json: boolean;
  readonly quiet: boolean;
  readonly explain: boolean;
  readonly system: "this" | "macos";
  /** Whether snapshots are taken. */
  readonly undo: boolean;
  /** Nothing of the workspace changes before it is reviewed. */
  readonly review: boolean;
}

const GONE =
  "HTTP/1.1 503 sallyport: the gateway is gone\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\nsallyport: the station stopped; nothing can leave this sandbox any more\n";

/** Resolves to the agent's own exit code. Throws what the station or the sandbox refuse. */
export async function run(options: RunOptions, places: Places): Promise<number> {
  const early = await begunEarly();
  if (early !== null) {
    const done = await earlySession(early, options);
    if (done !== null) return after(done, options, places);
  }
  const line = await reachStation(places);
  let done: Done;
  try {
    if (options.explain) {
      const explained = await line.ask<Explained>(questionOf(options));
      process.stdout.write(options.json ? `${JSON.stringify(explained)}\n` : `${explanation(explained)}\n`);
      return 0;
    }
    hearNews(line);
    done = await session(line, options, await line.ask<Started>(questionOf(options)), null);
  } finally {
    line.close();
  }
  return after(done, options, places);
}

interface Done {
  readonly code: number;
  readonly session: string;
  /** Changes wait for a review. */
  readonly isWaiting: boolean;
}

/** On a terminal the person is asked now; everywhere else is told how. */
async function after(
  { code, session: id, isWaiting }: Done,
  options: RunOptions,
  places: Places,
): Promise<number> {
  if (!isWaiting) return code;
  if (process.stdin.isTTY === true && process.stdout.isTTY === true && !options.json)
    await (await import("./review.ts")).reviewNow(id, places);
  else if (!options.quiet)
    process.stderr.write(`sallyport: changes wait for a review: sallyport review ${id}\n`);
  return code;
}

/** On a line that was asked before we were there. Null: the station has died before it answered, and nothing has begun. */
async function earlySession({ line, outside }: Early, options: RunOptions): Promise<Done | null> {
  hearNews(line);
  let isGiven = false;
  try {
    const started = await line.hear<Started>().catch((thrown: unknown) => {
      if (asFault(thrown).code === "station.lost") return null;
      throw thrown;
    });
    if (started === null) return null;
    isGiven = true;
    return await session(line, options, started, outside);
  } finally {
    line.close();
    if (!isGiven) outside?.hangUp(); // which ends it: nothing has started in there
  }
}

const hearNews = (line: StationLine): void =>
  line.onNews(({ line: text }) => text !== null && tellPerson(text));

async function session(
  line: StationLine,
  options: RunOptions,
  started: Started,
  outside: Early["outside"],
): Promise<Done> {
  if (started.note !== null && !options.quiet)
    process.stderr.write(`sallyport: ${printable(started.note)}\n`);
  let launched: Launched;
  try {
    launched = await launch(started.plan, {
      outside,
      ...(started.groups === null ? {} : { groups: started.groups }),
      onConnection: (socket, to) => join(socket, started.gatewaySocket, to),
      mayReach: async (host, port) => (await line.ask<Reached>({ op: "reach", host, port })).mayReach,
    });
  } catch (thrown) {
    await line.ask({ op: "failed" }).catch(() => {}); // the launch's own fault is the one to tell
    throw thrown;
  }
  const release = passSignals(launched);
  const ended = await launched.exit;
  release();
  if (ended.diskEnd !== null) process.stderr.write(`\nsallyport: ${diskLine(ended.diskEnd)}\n`);
  const isWaiting = await finish(line, options, started.session, ended);
  return { code: ended.code, session: started.session, isWaiting };
}

const diskLine = ({ path, why }: NonNullable<Exit["diskEnd"]>): string =>
  `THE SESSION WAS ENDED: ${why === "full" ? "hardly any space is left on" : "nobody can tell how much space is left on"} the disk of ${printable(path)}`;

/**
 * What somebody sends to us is meant for the agent. A terminal's keys reach it by themselves; without a terminal whoever
 * started us may send their signal as well.
 */
function passSignals(launched: Launched): () => void {
  const names: NodeJS.Signals[] = ["SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"];
  if (!isatty(0) && !isatty(1)) names.push("SIGINT");
  const pass = (name: NodeJS.Signals): void => void launched.signal(name);
  for (const name of names) process.on(name, pass);
  return () => {
    for (const name of names) process.off(name, pass);
  };
}

/** The plan as a person reads it; `--json` gives all of it, system-call filter included. */
function explanation({ agent, policy, admission, plan, native, seatbelt }: Explained): string {
  if (seatbelt !== null) return seatbelt.trimEnd();
  const version = agent.version === null ? "" : ` ${agent.version}`;
  return [
    `${agent.name}${version}: ${agent.executable}`,
    `build: ${admission}`,
    `profile ${policy.name}, sha256 ${policy.sha256}`,
    ...plan.explain,
    "environment:",
    ...Object.entries(plan.environment).map(([name, value]) => `  ${name}=${value}`),
    `starts: ${plan.program.join(" ")}`,
    `its own settings: ${nativeLine(native.emitter, plan.kind)}`,
    ...gapTable(native.gaps).split("\n"),
  ]
    .map(printable)
    .join("\n");
}

function nativeLine(emitter: string | null, kind: Explained["plan"]["kind"]): string {
  if (emitter === null) return "none are known for this agent and version";
  return kind === "bubblewrap"
    ? emitter
    : `${emitter}, arguments and environment only: without the sandbox its files are nobody's to lay here`;
}

function questionOf(options: RunOptions): Question {
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) if (value !== undefined) environment[name] = value;
  return {
    op: "run",
    agent: options.agent,
    arguments: options.arguments,
    cwd: process.cwd(),
    environment,
    profile: options.profile,
    upstream: options.upstream,
    door: options.door,
    explain: options.explain,
    system: options.system,
    undo: options.undo,
    review: options.review,
    isEarly: false,
  };
}

/**
 * Both ways, half-closes included; when either side breaks, the other does. `to`: the program does not know that it
 * speaks to the gateway, so the tunnel is asked for here in its place.
 */
function join(inside: net.Socket, gatewaySocket: string, to: Target | null): void {
  const outside = net.connect({ path: gatewaySocket, allowHalfOpen: true });
  let reached = false;
  outside.once("connect", () => {
    reached = true;
    if (to === null) splice(inside, outside);
    else askForTunnel(inside, outside, to);
  });
  inside.on("error", () => outside.destroy());
  inside.on("close", () => outside.destroy());
  outside.on("error", () => (reached ? inside.destroy() : inside.end(GONE)));
  outside.on("close", () => {
    if (reached) inside.destroySoon();
  });
}

/**
 * Tells the person something while the agent has the terminal. A full-screen program owns what is drawn there, so on a
 * terminal it is a bell and a notification (OSC 9, which terminals that do not know it pass over), and where standard
 * error goes elsewhere a line.
 */
function tellPerson(text: string): void {
  const words = printable(text).replace(/\s+/g, " ");
  const isDrawnOn = process.stderr.isTTY === true && process.stdout.isTTY === true;
  process.stderr.write(isDrawnOn ? `\u0007\u001b]9;${words.slice(0, 300)}\u0007` : `sallyport: ${words}\n`);
}

function splice(inside: net.Socket, outside: net.Socket): void {
  inside.pipe(outside);
  outside.pipe(inside);
}

/** The gateway's answer to CONNECT is its head alone, or a refusal, which ends the connection. */
const MAX_ANSWER_BYTES = 16_384;

function askForTunnel(inside: net.Socket, outside: net.Socket, { host, port }: Target): void {
  const authority = `${net.isIPv6(host) ? `[${host}]` : host}:${port}`;
  let answer = Buffer.alloc(0);
  const hear = (chunk: Buffer): void => {
    answer = Buffer.concat([answer, chunk]);
    const end = answer.indexOf("\r\n\r\n");
    if (end < 0 && answer.length < MAX_ANSWER_BYTES) return;
    outside.off("data", hear);
    outside.pause();
    if (!/^HTTP\/1\.1 200 /.test(answer.toString("latin1", 0, 13))) {
      // A program that speaks HTTP can read why; any other hears at once that it is over.
      if (port !== 80) {
        inside.resetAndDestroy();
        return;
      }
      outside.unshift(answer);
    } else if (answer.length > end + 4) outside.unshift(answer.subarray(end + 4));
    splice(inside, outside);
  };
  outside.on("data", hear);
  outside.write(`CONNECT ${authority} HTTP/1.1\r\nhost: ${authority}\r\n\r\n`);
}

/** Whether changes wait for a review. */
async function finish(line: StationLine, options: RunOptions, session: string, exit: Exit): Promise<boolean> {
  try {
    const ended = await line.ask<Ended>({
      ...{ op: "ended", exitCode: exit.code, withheld: exit.withheld },
      isTold: !options.quiet && !options.json,
    });
    if (options.json)
      process.stdout.write(`\n${JSON.stringify(ended.declaration)}\n`); // the agent may not have ended its line
    else if (!options.quiet)
      process.stderr.write(`\n${wantsColor(process.stderr) ? ended.colored : ended.text}\n`);
    return ended.isWaiting;
  } catch (thrown) {
    const fault: Fault = asFault(thrown);
    process.stderr.write(
      `\n${faultText(fault, wantsColor(process.stderr))}\n  session ${session}: see \`sallyport show ${session}\`\n`,
    );
    return false;
  }
}
