/** The desks that the console's pages are handed: the register and policy as they lie on this machine, and the station. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Desks, OpenApprovals, PolicyFile, SavedReport } from "../console/index.ts";
import { systemClock } from "../core/index.ts";
import { READY_PROFILES, readyProfile } from "../policy/index.ts";
import { readApprovals } from "../register/index.ts";
import { type LoadedRegister, registerPlaces } from "./destinations.ts";
import { judgementOf } from "./judgements.ts";
import { labeller } from "./labels.ts";
import { ownModels } from "./models.ts";
import type { Places } from "./places.ts";
import { GUARDRAILS_FILE } from "./prepare.ts";
import { ownApprover, type Prepared, type Stated } from "./register-desk.ts";
import type { StationLine } from "./talk.ts";

const SYSTEM_PROPERTIES = "/etc/sallyport/properties.yaml";
const ROOT = 0;

/** `line`: to the station, which alone writes. `register`: the one in force. */
export function consoleDesks(
  places: Places,
  line: () => Promise<StationLine>,
  register: () => Promise<LoadedRegister>,
): Desks {
  const at = registerPlaces(places);
  const ask = async <T>(question: Parameters<StationLine["ask"]>[0]): Promise<T> =>
    (await line()).ask<T>(question);
  return {
    registerDesk: {
      approvals: () => readApprovals(at),
      signsAs: (by) => ownApprover(by, { registerPlaces: at }),
      sign: (asked, by) => ask<Stated>({ op: "register-desk", action: { do: "sign", ...asked }, by }),
      prepare: (asked, as, by) =>
        ask<Prepared>({ op: "register-desk", action: { do: "prepare", as, ...asked }, by }),
      submit: (envelope, by) => ask<Stated>({ op: "register-desk", action: { do: "submit", envelope }, by }),
    },
    vetReports: () => savedReports(join(places.state, "vettings")),
    registerSources: async () => (await register()).sources,
    ownServers: async () =>
      (await ownModels(places)).map(({ name, url, serverIn, operatorLaw }) => ({
        name,
        origin: new URL(url).origin,
        serverIn,
        operatorLaw,
      })),
    policyDesk: {
      files: () => policyFiles(places),
      properties: async () =>
        (await Promise.all([SYSTEM_PROPERTIES, join(places.config, "properties.yaml")].map(textAt))).flat(),
      judge: async () => {
        const loaded = await register();
        const label = labeller(() => loaded.register, systemClock);
        return (entry, event, agent) => judgementOf(entry, event, agent, label);
      },
      whereabouts: { guardrails: GUARDRAILS_FILE, profiles: join(places.config, "profiles") },
    },
    approvalsDesk: {
      list: () => ask<OpenApprovals>({ op: "approvals", action: { do: "list" } }),
      answer: async (answer, by) =>
        void (await ask({ op: "approvals", action: { do: "answer", ...answer }, by })),
      end: async (id, by) => void (await ask({ op: "approvals", action: { do: "end", id }, by })),
    },
  };
}

const textAt = async (file: string): Promise<{ readonly file: string; readonly text: string }[]> =>
  existsSync(file) ? [{ file, text: await readFile(file, "utf8") }] : [];

async function policyFiles(places: Places): Promise<readonly PolicyFile[]> {
  const folder = join(places.config, "profiles");
  const own = existsSync(folder)
    ? (await readdir(folder)).filter((name) => name.endsWith(".yaml")).sort()
    : [];
  const written = await Promise.all([
    ...(existsSync(GUARDRAILS_FILE) ? [policyFile(GUARDRAILS_FILE, "guardrails")] : []),
    ...own.map((name) => policyFile(join(folder, name), "own")),
  ]);
  const replaced = new Set(own.map((name) => name.slice(0, -".yaml".length)));
  const ready = READY_PROFILES.filter((name) => !replaced.has(name)).map(
    (name): PolicyFile => ({
      origin: "ready",
      file: `${name} (ready profile)`,
      text: readyProfile(name) ?? "",
      changedAt: null,
      belongsTo: null,
    }),
  );
  return [...written, ...ready];
}

async function policyFile(file: string, origin: PolicyFile["origin"]): Promise<PolicyFile> {
  const { mtimeMs, uid } = await stat(file);
  const belongsTo = uid === ROOT ? "administrator" : uid === process.getuid?.() ? "account" : "other";
  return { origin, file, text: await readFile(file, "utf8"), changedAt: Math.round(mtimeMs), belongsTo };
}

const fieldOf = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null
    ? (value as Readonly<Record<string, unknown>>)[name]
    : undefined; // checked by whoever asks

/** What `sallyport vet` has kept. A file that is no report is passed over: it was not written by a vetting. */
async function savedReports(folder: string): Promise<readonly SavedReport[]> {
  if (!existsSync(folder)) return [];
  const files = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith(".json"));
  const found = await Promise.all(
    files.map(async (name): Promise<SavedReport[]> => {
      const bytes = await readFile(join(folder, name));
      const report = reportIn(bytes.toString("utf8"));
      const { mtimeMs } = await stat(join(folder, name));
      const sha256 = createHash("sha256").update(bytes).digest("hex");
      const at = fieldOf(report, "at");
      return report === null
        ? []
        : [{ sha256, at: typeof at === "number" ? at : Math.round(mtimeMs), report }];
    }),
  );
  return found.flat().sort((a, b) => b.at - a.at);
}

function reportIn(text: string): SavedReport["report"] | null {
  try {
    const value: unknown = JSON.parse(text);
    const isReport =
      typeof fieldOf(value, "agent") === "string" &&
      typeof fieldOf(value, "sha256") === "string" &&
      Array.isArray(fieldOf(value, "findings")) &&
      typeof fieldOf(value, "touched") === "object";
    return isReport ? (value as SavedReport["report"]) : null; // the lab of this program wrote it
  } catch {
    return null; // no report
  }
}
