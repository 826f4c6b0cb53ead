/**
 * Records what the demonstration replays: each task of tasks.ts, by the real agent in the real sandbox against the scripted
 * model, under the profile that masks nothing. Needs the agents (fetched when missing), bubblewrap and the helper.
 * `node scripts/demo/record.ts [number of the task…]`
 */
import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { subjectOf } from "../../src/cli/admission.ts";
import { placesOf } from "../../src/cli/places.ts";
import { hashFile } from "../../src/cli/prepare.ts";
import { asSessionId, type LedgerEvent } from "../../src/core/index.ts";
import { startScriptedModel } from "../../src/lab/index.ts";
import { readEntries, readEvidence } from "../../src/ledger/index.ts";
import { agentNamed, hashBuild, locateAgent } from "../../src/register/index.ts";
import {
  FILE,
  PROJECTS,
  RECORDED_AT,
  type RecordedItem,
  type Recording,
  readRecordings,
  writeRecordings,
} from "./recording.ts";
import { TASKS, type Task } from "./tasks.ts";

const SALLYPORT = join(import.meta.dirname, "../../bin/sallyport");
/** Never recorded: stand-ins they are, but nothing that looks like a key belongs under version control. */
const CREDENTIAL = /^(?:authorization|x-api-key|x-goog-api-key|cookie|proxy-authorization):/i;
/** Of the wire, and made anew when it is sent again. */
const WIRE = /^(?:host|content-length|transfer-encoding|connection|accept-encoding|keep-alive):/i;

const home = mkdtempSync(join(tmpdir(), "sallyport-record-"));
const environment = { ...process.env, SALLYPORT_HOME: home };

function run(args: readonly string[], cwd: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(SALLYPORT, args, { cwd, env: environment, stdio: ["ignore", "pipe", "inherit"] });
    let out = "";
    child.stdout.on("data", (chunk: Buffer) => {
      out += chunk.toString("utf8");
    });
    child.once("error", reject);
    child.once("close", (code) =>
      code === 0 ? resolve(out) : reject(new Error(`${args.join(" ")}: exit ${code}`)),
    );
  });
}

async function record(task: Task): Promise<Recording> {
  const kind = agentNamed(task.agent);
  if (kind === null) throw new Error(`no agent ${task.agent}`);
  await run(["install", `${kind.name}@${kind.tested}`], "/");
  const project = join(RECORDED_AT, task.project);
  rmSync(project, { recursive: true, force: true });
  mkdirSync(RECORDED_AT, { recursive: true });
  cpSync(join(PROJECTS, task.project), project, { recursive: true });
  const model = await startScriptedModel({ plan: task.plan, cwd: project, websocket: "refuse" });
  try {
    const out = await run(
      [
        ...["run", "--json", "--no-undo", "--profile", "observe", "--upstream", model.url],
        ...[`${kind.name}@${kind.tested}`, ...kind.headless(task.prompt)],
      ],
      project,
    );
    const declared: unknown = JSON.parse(out.trim().split("\n").at(-1) ?? "");
    const session = asSessionId(String((declared as { session?: unknown }).session));
    if (session === null) throw new Error("the run told no session");
    return await recordingOf(task, session);
  } finally {
    await model.close();
  }
}

async function subject(name: string): Promise<Recording["subject"]> {
  const agent = await locateAgent(name, {
    ...{
      path: "",
      cwd: "/",
      agentsFolder: placesOf(environment).agents,
      arch: process.arch,
      node: process.execPath,
    },
  });
  return subjectOf(agent, { buildHash: (executable) => hashBuild(executable, hashFile) });
}

type Judged = Extract<LedgerEvent, { kind: "exchange.judged" }>;
type Answered = Extract<LedgerEvent, { kind: "exchange.answered" }>;

async function recordingOf(task: Task, session: string): Promise<Recording> {
  const events: LedgerEvent[] = [];
  for await (const { event } of readEntries(join(home, "ledger")))
    if ("session" in event && event.session === session) events.push(event);
  const started = events.find((event) => event.kind === "session.started");
  if (started?.kind !== "session.started") throw new Error("no beginning");
  const answers = new Map(
    events.flatMap((event) => (event.kind === "exchange.answered" ? [[event.exchange, event] as const] : [])),
  );
  const items: RecordedItem[] = [];
  for (const event of events) {
    const after = event.at - started.at;
    if (event.kind === "exchange.judged") {
      const answered = answers.get(event.exchange);
      items.push(
        answered === undefined
          ? { after, what: "tried", host: event.host, port: event.port }
          : await exchangeItem(after, event, answered),
      );
    } else if (event.kind === "connection.refused")
      items.push({ after, what: "tried", host: event.host, port: event.port });
    else if (/^(?:command|file)\./.test(event.kind) || event.kind === "connection.tried") {
      const evidence = "evidence" in event ? event.evidence : [];
      const rest = Object.fromEntries(Object.entries(event).filter(([name]) => !OUR_OWN.has(name)));
      const sealed = await Promise.all(evidence.map(({ id }) => bytesOf(id)));
      items.push({
        after,
        what: "event",
        event: rest,
        sealed: sealed.map((bytes) => bytes.toString("utf8")),
      });
    }
  }
  const { agent, admission } = started;
  return {
    agent: agent.name,
    version: agent.version,
    sha256: agent.sha256,
    build: admission?.build ?? "",
    subject: await subject(`${agent.name}@${agent.version}`),
    project: task.project,
    prompt: task.prompt,
    lasted: (events.at(-1)?.at ?? started.at) - started.at,
    items,
  };
}

/** Of the ledger, and made anew when it is appended again. */
const OUR_OWN: ReadonlySet<string> = new Set(["v", "at", "session", "evidence"]);

const bytesOf = (id: string): Promise<Buffer> => readEvidence(join(home, "ledger"), join(home, "keys"), id);

async function exchangeItem(after: number, judged: Judged, answered: Answered): Promise<RecordedItem> {
  const role = async (event: Judged | Answered, name: string): Promise<string> => {
    const ref = event.evidence.find((one) => one.role === name);
    return ref === undefined ? "" : (await bytesOf(ref.id)).toString("utf8");
  };
  const [first = "", ...headers] = (await role(judged, "request-head"))
    .split(/\r?\n/)
    .filter((line) => line !== "");
  const replyHead = (await role(answered, "response-head")).split(/\r?\n/).filter((line) => line !== "");
  return {
    ...{ after, what: "exchange", method: judged.method, host: judged.host },
    // HTTP/2 has no request line: the path is a field, and is sent again over HTTP/1.1.
    path:
      [first, ...headers].find((line) => line.startsWith(":path: "))?.slice(7) ??
      first.split(" ")[1] ??
      judged.path,
    headers: headers.filter((line) => !line.startsWith(":") && !CREDENTIAL.test(line) && !WIRE.test(line)),
    body: await role(judged, "request-body"),
    lasted: answered.at - judged.at,
    reply: {
      status: answered.status,
      headers: replyHead.slice(1).filter((line) => !WIRE.test(line)),
      body: await role(answered, "response-body"),
    },
  };
}

const chosen = process.argv.slice(2).map(Number);
const known = existsSync(FILE) && chosen.length > 0 ? [...readRecordings()] : [];
try {
  for (const [n, task] of TASKS.entries()) {
    if (chosen.length > 0 && !chosen.includes(n)) continue;
    process.stderr.write(`recording ${n}: ${task.agent} in ${task.project}\n`);
    known[n] = await record(task);
    // After each: recording takes a while.
    process.stderr.write(`${writeRecordings(known.filter((one) => one !== undefined))} bytes in ${FILE}\n`);
  }
} finally {
  await run(["down", "--force"], "/").catch(() => undefined);
  rmSync(home, { recursive: true, force: true });
  rmSync(RECORDED_AT, { recursive: true, force: true });
}
