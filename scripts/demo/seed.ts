/**
 * Fills a state folder with a past: recorded traffic of real agents goes through the real gateway, by the real doors, under real
 * policy, into a real ledger, with a clock that is handed in. Only the model servers are played by what they once answered.
 * What is made up is told in days.ts: who, when, which folder.
 */
import { randomBytes } from "node:crypto";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { zstdDecompressSync } from "node:zlib";
import { destinationsOf, labelling } from "../../src/cli/models.ts";
import type { Places } from "../../src/cli/places.ts";
import { type House, openHouse } from "../../src/cli/wire.ts";
import { type Clock, type EventBody, newSessionId, type SessionId } from "../../src/core/index.ts";
import type { EvidenceInput } from "../../src/ledger/index.ts";
import { layer, type Policy, readyProfile, study } from "../../src/policy/index.ts";
import { approvingKey, putStatement, type Statement, statementId } from "../../src/register/index.ts";
import { type Day, days } from "./days.ts";
import {
  MADE_UP,
  PROJECTS,
  RECORDED_AT,
  type RecordedItem,
  type Recording,
  readRecordings,
} from "./recording.ts";
import { type ReplayServer, startReplayServer } from "./replay-server.ts";
import { connectTo, sendOn } from "./send.ts";

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const OWN_MODEL = "own-model";

/** A clock that its owner sets. */
interface Hand extends Clock {
  at: number;
}

export interface Seeded {
  readonly sessions: number;
}

/** `now`: when the demonstration begins. `workspaces`: where the copies of the sample projects lie. `say` is told of progress. */
export async function seed(
  places: Places,
  {
    now,
    workspaces,
    say,
  }: { readonly now: number; readonly workspaces: string; readonly say: (text: string) => void },
): Promise<Seeded> {
  const clock: Hand = { at: now, now: () => clock.at, monotonic: () => performance.now() };
  const plan = days();
  const first = plan[0];
  clock.at = startOf(first, now) - HOUR_MS;
  writeProfiles(places);
  const server = await startReplayServer();
  writeFileSync(join(places.config, "models.yaml"), modelsText(server.url));
  const house = await openHouse(places, (fault) => say(`  ${fault.code}: ${fault.message}`), clock);
  const recordings = readRecordings();
  try {
    for (const [n, day] of plan.entries()) {
      const recording = recordings[day.recording];
      if (recording === undefined) throw new Error(`no recording ${day.recording}`);
      clock.at = Math.max(clock.at + 60_000, startOf(day, now));
      await decideBuilds(house, clock, plan, n, recordings);
      await replay({ recording, day, house, clock, server, places, workspaces });
      if (n % 5 === 4) say(`  ${n + 1} of ${plan.length} sessions`);
    }
    await house.ledger.checkpoint();
  } finally {
    await house.close();
    await server.close();
  }
  keepVetting(places);
  return { sessions: plan.length };
}

/** What `sallyport vet claude@2.1.169 --json` kept when it was run, as it was. */
function keepVetting(places: Places): void {
  const report = zstdDecompressSync(readFileSync(join(import.meta.dirname, "../../demo/vetting.json.zst")));
  const folder = join(places.state, "vettings");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeFileSync(join(folder, "claude@2.1.169-2026-11-30T21-20-18-564Z.json"), report, { mode: 0o600 });
}

const startOf = (day: Day | undefined, now: number): number => {
  if (day === undefined) throw new Error("no days");
  const midnight = Math.floor(now / DAY_MS) * DAY_MS;
  // Of today, what would lie ahead was an hour ago.
  return Math.min(midnight - day.daysAgo * DAY_MS + day.hour * HOUR_MS, now - HOUR_MS);
};

/** `careful` is the ready profile with two rules more: the Policy page shows who owns them. */
function writeProfiles(places: Places): void {
  const folder = join(places.config, "profiles");
  mkdirSync(folder, { recursive: true });
  const own = readFileSync(join(PROJECTS, "../careful.yaml.part"), "utf8");
  const text = (readyProfile("default") ?? "")
    .replace("name: default", "name: careful")
    .replace(
      /title: \{ en: "[^"]*", zh-CN: [^}]*\}/,
      'title: { en: "As default, and personal data is asked about", zh-CN: 同默认，个人数据须询问 }',
    )
    .replace(/owner: .*/, "owner: Security office");
  writeFileSync(
    join(folder, "careful.yaml"),
    `${text.trimEnd()}\n${own}approvals: { self: allow, seconds: 3600 }\n`,
  );
}

const modelsText = (url: string): string =>
  `apiVersion: sallyport/v1\nkind: Models\nmodels:\n  - name: ${OWN_MODEL}\n    url: ${url}\n    model: own-coder\n    speaks: [anthropic-messages, openai-chat, openai-responses]\n`;

interface Replaying {
  readonly recording: Recording;
  readonly day: Day;
  readonly house: House;
  readonly clock: Hand;
  readonly server: ReplayServer;
  readonly places: Places;
  readonly workspaces: string;
}

async function replay(o: Replaying): Promise<void> {
  const { recording, day, house, clock, server, places } = o;
  const id = newSessionId(randomBytes);
  const workspace = join(o.workspaces, day.workspace);
  rmSync(workspace, { recursive: true, force: true });
  mkdirSync(o.workspaces, { recursive: true });
  cpSync(join(PROJECTS, recording.project), workspace, { recursive: true });
  const key = madeUpFor(day.workspace);
  putKey(workspace, key);
  const policy = policyOf(day.profile, places, house);
  const folder = join(places.run, "s", id);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const socketPath = join(folder, "out.sock");
  const destinations = await destinationsOf(study.parseModels(modelsText(server.url), "models.yaml"), {});
  const { inspector } = await house.inspectorFor(policy);
  const tracer = house.tracesOf(id, workspace);
  const isApproved = approvedBuilds(house, recording);
  const { caCertificate } = await house.gateway.openSession({
    ...{ id, agent: recording.agent, policy, socketPath, workspace, inspector, tracer, destinations },
    ...{ upstream: new URL(server.url), label: labelling(destinations, house.label), repo: policy.repo },
    ...{
      build: isApproved ? "approved" : "unapproved",
      principal: day.principal,
      language: "en",
      credentials: [],
    },
  });
  const { stop: stopAnswering, hasGivenUp } = answerer(house, id, day);
  await house.append(startedEvent(id, o, policy, isApproved));
  const began = clock.at;
  const own = (text: string): string =>
    text.replaceAll(`${RECORDED_AT}/${recording.project}`, workspace).replaceAll(MADE_UP, key);
  for (const item of recording.items) {
    if (hasGivenUp()) break;
    clock.at = Math.max(clock.at, began + item.after);
    await play(item, { ...o, id, socketPath, caCertificate, own });
  }
  clock.at = Math.max(clock.at, began + recording.lasted);
  await house.gateway.closeSession(id);
  stopAnswering();
  await tracer.finish();
  await house.append({
    kind: "session.ended",
    session: id,
    reason: "exited",
    exitCode: 0,
    setAside: [],
    appeared: [],
  });
  await house.ledger.checkpoint();
  rmSync(folder, { recursive: true, force: true });
}

async function play(
  item: RecordedItem,
  o: Replaying & {
    readonly id: SessionId;
    readonly socketPath: string;
    readonly caCertificate: string;
    readonly own: (text: string) => string;
  },
): Promise<void> {
  const { house, clock, server, id, own } = o;
  if (item.what === "event") {
    const evidence: EvidenceInput[] = item.sealed.map((text) => ({
      role: "arguments",
      chunks: [Buffer.from(own(text))],
    }));
    const told = JSON.parse(own(JSON.stringify(item.event))) as { readonly commands?: readonly object[] };
    // The call that asked for a command is an exchange of the recorded session.
    const commands = told.commands?.map((one) =>
      Object.fromEntries(Object.entries(one).filter(([name]) => name !== "call")),
    );
    const more = {
      ...(commands === undefined ? {} : { commands }),
      ...(evidence.length > 0 ? { evidence: [] } : {}),
    };
    // As the recorder told it: the union's own kinds, from our own file.
    await house.append({ ...told, ...more, session: id } as unknown as EventBody, evidence);
    return;
  }
  const { host } = item;
  const port = item.what === "tried" ? item.port : 443;
  const socket = await connectTo(o.socketPath, host, port, o.caCertificate);
  if (socket === null) return;
  if (item.what === "tried") {
    socket.destroy();
    return;
  }
  server.due({ ...item.reply, body: own(item.reply.body) }, () => {
    clock.at += item.lasted;
  });
  await sendOn(socket, {
    method: item.method,
    host,
    path: item.path,
    headers: item.headers,
    body: own(item.body),
  }).catch(
    () => undefined, // refused by resetting: it is on the record
  );
  socket.destroy();
}

/** Answers what policy asks, as somebody who is not who asked. */
function answerer(
  house: House,
  session: SessionId,
  { answers }: Day,
): { readonly stop: () => void; readonly hasGivenUp: () => boolean } {
  let hasGivenUp = false;
  const stop = house.gateway.approvals.subscribe((told) => {
    if (told.what !== "asked" || told.question.session !== session) return;
    if (answers === "nobody") {
      // The agent gives up: its session ends, and the question with it.
      hasGivenUp = true;
      void house.gateway.closeSession(session);
      return;
    }
    void house.gateway.approvals.answer(told.question.id, {
      verdict: answers,
      by: "local:2001",
      reason: answers === "allow" ? "sample data for a test, no customer of ours" : "ask the customer first",
      scope: answers === "allow" ? "session" : "once",
    });
  });
  return { stop, hasGivenUp: () => hasGivenUp };
}

function policyOf(profile: Day["profile"], places: Places, house: House): Policy {
  const file = join(places.config, "profiles", "careful.yaml");
  const text = profile === "careful" ? readFileSync(file, "utf8") : (readyProfile(profile) ?? "");
  return layer([house.parse(text, profile === "careful" ? file : `${profile} (ready profile)`)]);
}

function startedEvent(
  id: SessionId,
  { recording, day, server }: Replaying,
  policy: Policy,
  isApproved: boolean,
): EventBody {
  return {
    ...{ kind: "session.started", session: id, principal: day.principal, workspace: day.workspace },
    agent: { name: recording.agent, version: recording.version, sha256: recording.sha256 },
    profile: { name: policy.name, sha256: policy.sha256 },
    ...{ sandbox: "bubblewrap", gaps: [], upstream: server.url },
    admission: { build: recording.build, standing: isApproved ? "approved" : "unknown", template: false },
  };
}

/** Made up once for each workspace of one demonstration: no scanner knows it, and no repository holds it. */
const madeUp = (seed: string): string => `${randomBytes(18).toString("base64url")}${seed.length}`;
const madeUpFor = (() => {
  const known = new Map<string, string>();
  return (workspace: string): string => {
    const key = known.get(workspace) ?? madeUp(workspace);
    known.set(workspace, key);
    return key;
  };
})();

function putKey(workspace: string, key: string): void {
  const file = join(workspace, "config/settings.ini");
  try {
    writeFileSync(file, readFileSync(file, "utf8").replace(MADE_UP, key));
  } catch (error) {
    // Most sample projects have no such file.
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  }
}

const approved = new Set<string>();
const approvedBuilds = (_house: House, recording: Recording): boolean => approved.has(recording.build);

/** After a week the officer speaks about two builds, and later takes a word back. */
async function decideBuilds(
  house: House,
  clock: Hand,
  plan: readonly Day[],
  n: number,
  recordings: readonly Recording[],
): Promise<void> {
  const say = async (agent: string, action: Statement["action"], reason: string): Promise<void> => {
    const recording = recordings.find((one) => one.agent === agent);
    if (recording === undefined) return;
    const key = await approvingKey(house.registerPlaces);
    const statement: Statement = {
      ...{ type: "sallyport/register/v1", action, by: house.registerPlaces.principal, at: clock.at, reason },
      subject: recording.subject,
      expires: action === "approve" ? clock.at + 90 * DAY_MS : null,
      evidence: {},
    };
    await house.append({
      ...{ kind: "register.changed", principal: house.registerPlaces.principal },
      action: action === "approve" ? "approved" : "revoked",
      subject: {
        kind: "build",
        name: `${agent}@${recording.version} ${recording.subject.platform}`,
        hash: recording.build,
      },
      ...{ by: statement.by, statement: statementId(statement), reason, expires: statement.expires },
    });
    await putStatement(house.registerPlaces, statement, key);
    if (action === "approve") approved.add(recording.build);
    else approved.delete(recording.build);
  };
  const third = Math.floor(plan.length / 3);
  if (n === third) {
    await say("claude", "approve", "vetted, same bytes as the vendor's release");
    await say("codex", "approve", "vetted, telemetry is refused by the profile");
    await say("qwen", "approve", "trial until the end of the quarter");
  }
  if (n === third * 2)
    await say(
      "qwen",
      "revoke",
      "the trial is over; its operator is under a law that the bank's contract excludes",
    );
}
