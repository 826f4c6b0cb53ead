/** For tests: a console over a real ledger, with a station that writes into it, and people who sign in over real HTTP. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  asSessionId,
  type EventBody,
  exchangeId,
  type Fault,
  type SessionId,
  type SourceTally,
} from "../core/index.ts";
import { type EvidenceInput, type Ledger, openEvidence, openLedger } from "../ledger/index.ts";
import { parseDestinations } from "../register/index.ts";
import type { Role } from "./api/me.ts";
import { type Console, openConsole } from "./console.ts";
import type { ConsoleEvent, Neighbours } from "./rooms.ts";

export const SESSION = asSessionId("0000000a") as SessionId; // of that form
export const START = Date.parse("2026-11-20T10:00:00Z");
/** Of a form that a detector knows, and nobody's. */
export const SECRET = `ghp_${"Q7x2Lk9Vb4Nc8Rt1Wz6Yp3Sd5Fg0Hj7Am2Bn"}`.slice(0, 40);
export const PROMPT = "please look at the token";
export const HOSTILE = "<img src=x onerror=alert(1)>\u001b[31m\u202e\"=cmd|' /C calc'!A0";

const NOTHING: SourceTally = { files: [], commands: 0, others: 0 };

export const startedEvent = (
  more: Partial<Extract<EventBody, { kind: "session.started" }>> = {},
): EventBody => ({
  ...{ kind: "session.started", session: SESSION, principal: "local:1", workspace: HOSTILE },
  agent: { name: "claude", version: "2.1.329", sha256: "ab" },
  profile: { name: "default", sha256: "" },
  ...{ sandbox: "bubblewrap", gaps: [], upstream: null },
  ...more,
});

export const judgedEvent = (
  n: number,
  more: Partial<Extract<EventBody, { kind: "exchange.judged" }>> = {},
): EventBody => ({
  ...{
    kind: "exchange.judged",
    session: SESSION,
    exchange: exchangeId(SESSION, n),
    door: "tls",
    protocol: "http/1.1",
  },
  ...{ method: "POST", host: "api.anthropic.com", port: 443, path: "/v1/messages", queryBytes: 0 },
  ...{ sentTo: "https://api.anthropic.com", destination: "anthropic-api", dialect: "anthropic-messages" },
  ...{
    understood: true,
    model: "m",
    requestBytes: 300,
    sources: NOTHING,
    verdict: "allow",
    rules: ["default"],
  },
  findings: [{ class: "secret", detector: "github-token", count: 1 }],
  evidence: [],
  ...more,
});

/** A request as an agent writes it, with the secret in a person's words. */
export const REQUEST: readonly EvidenceInput[] = [
  {
    role: "request-head",
    chunks: [
      Buffer.from("POST /v1/messages HTTP/1.1\r\nhost: api.anthropic.com\r\nx-api-key: sk-not-shown\r\n\r\n"),
    ],
  },
  {
    role: "request-body",
    chunks: [
      Buffer.from(
        JSON.stringify({
          model: "m",
          max_tokens: 9,
          messages: [{ role: "user", content: `${PROMPT} ${SECRET}` }],
        }),
      ),
    ],
  },
];

export interface Kit {
  readonly console: Console;
  readonly ledger: Ledger;
  readonly clock: { at: number };
  /** What was done, in order: `record <kind>`, `open <id>`. */
  readonly done: string[];
  /** Set: recording fails with it. */
  fails: Fault | null;
  readonly faults: Fault[];
  /** Everything appended is in the index after it. */
  settle(): Promise<void>;
  signIn(roles: readonly Role[]): Promise<Person>;
  close(): Promise<void>;
}

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly text: string;
  /** Of a JSON answer; undefined of others. */
  readonly json: unknown;
}

export interface Person {
  readonly cookie: string;
  readonly csrf: string;
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<Reply>;
  post(path: string, body: unknown, headers?: Readonly<Record<string, string>>): Promise<Reply>;
}

export async function startKit(
  o: {
    readonly maxRequests?: number;
    /** Told to the ledger before there is a console. */
    readonly before?: (ledger: Ledger) => Promise<void>;
  } = {},
): Promise<Kit> {
  const home = mkdtempSync(join(tmpdir(), "console-"));
  const web = join(home, "web");
  mkdirSync(join(web, "assets"), { recursive: true });
  writeFileSync(join(web, "index.html"), "<!doctype html><title>console</title>");
  writeFileSync(join(web, "assets/page-1a2b.js"), "export {};");
  writeFileSync(join(home, "outside.txt"), "outside");
  const clock = { at: START };
  const time = { now: () => clock.at, monotonic: () => performance.now() };
  const keyDirectory = join(home, "keys");
  const directory = join(home, "ledger");
  const ledger = await openLedger({ directory, keyDirectory, clock: time, program: "test" });
  await o.before?.(ledger);
  const done: string[] = [];
  const faults: Fault[] = [];
  const kit: { fails: Fault | null } = { fails: null };
  const neighbours: Neighbours = {
    ...emptyDesks(),
    clock: time,
    version: "0.0.0-test",
    isDemo: false,
    places: {
      state: home,
      ledger: directory,
      index: join(home, "index.sqlite"),
      snapshots: join(home, "none"),
      web,
    },
    station: {
      record: async (event: ConsoleEvent) => {
        if (kit.fails !== null) throw kit.fails;
        const { index } = await ledger.append(event);
        done.push(`record ${event.kind}`);
        return index;
      },
      state: async () => ({
        ...{
          pid: 1,
          version: "0.0.0-test",
          startedAt: START,
          residentBytes: 1,
          sessions: [],
          ledgerSize: ledger.size,
        },
        ...{ isReady: true, metrics: "", waiting: 0 },
      }),
      sign: async () => void (await ledger.checkpoint()),
    },
    openEvidence: async (id) => {
      done.push(`open ${id}`);
      return openEvidence(directory, keyDirectory, id);
    },
    register: async () => parseDestinations("version: 1\nrows: []\n", "test"),
    machine: async () => ({ controls: [], agents: [] }),
    stationFaults: async () => [],
    findingKey: Buffer.alloc(32, 3),
  };
  const console = await openConsole({
    ...{ neighbours, port: 0, exact: true, report: (fault: Fault) => void faults.push(fault) },
    ...(o.maxRequests === undefined ? {} : { maxRequests: o.maxRequests }),
  });
  return {
    ...{ console, ledger, clock, done, faults },
    get fails() {
      return kit.fails;
    },
    set fails(fault) {
      kit.fails = fault;
    },
    settle: async () => {
      await ledger.checkpoint();
      const person = await signIn(console, ["viewer"]);
      // The index follows by the kernel's word; a person who reloads sees it.
      for (;;) {
        const { json } = await person.get("/api/ledger");
        if ((json as { data: { size: number } }).data.size >= ledger.size) return;
      }
    },
    signIn: (roles) => signIn(console, roles),
    close: async () => {
      await console.close();
      await ledger.close();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

export async function signIn(console: Console, roles: readonly Role[]): Promise<Person> {
  const { url } = console.link({ principal: "local:1/test", roles, language: "en" });
  const token = url.split("/").at(-1) ?? "";
  const reply = await send(console, "POST", "/api/sign-in", {
    body: { token },
    headers: { origin: console.origin },
  });
  if (reply.status !== 200) throw new Error(`${reply.status} ${reply.text}`);
  const [cookie = ""] = (reply.headers["set-cookie"] as readonly string[])[0]?.split(";") ?? [];
  const { csrf } = (reply.json as { data: { csrf: string } }).data;
  return {
    ...{ cookie, csrf },
    get: (path, headers = {}) => send(console, "GET", path, { headers: { cookie, ...headers } }),
    post: (path, body, headers = {}) =>
      send(console, "POST", path, {
        body,
        headers: { cookie, origin: console.origin, "x-sallyport-csrf": csrf, ...headers },
      }),
  };
}

/** As written: `fetch` would not let a test send a Host, an Origin, or `..` in a path. */
export function send(
  console: Pick<Console, "port">,
  method: string,
  path: string,
  o: { readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<Reply> {
  const text =
    o.body === undefined ? undefined : typeof o.body === "string" ? o.body : JSON.stringify(o.body);
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        ...{ host: "127.0.0.1", port: console.port, method, path, agent: false },
        headers: {
          ...(text === undefined
            ? {}
            : { "content-type": "application/json", "content-length": Buffer.byteLength(text) }),
          ...o.headers,
        },
      },
      (response) => {
        let got = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          got += chunk;
        });
        response.once("end", () => {
          const isJson = String(response.headers["content-type"]).startsWith("application/json");
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text: got,
            json: isJson ? JSON.parse(got) : undefined,
          });
        });
      },
    );
    sent.once("error", reject);
    sent.end(text);
  });
}

/** Desks with nothing on them. */
function emptyDesks(): Pick<
  Neighbours,
  "registerDesk" | "vetReports" | "registerSources" | "ownServers" | "policyDesk" | "approvalsDesk"
> {
  const stated = { index: 0, statement: "", by: "" };
  return {
    registerDesk: {
      approvals: () =>
        ({ approvers: [], statements: [], required: 1 }) as unknown as ReturnType<
          Neighbours["registerDesk"]["approvals"]
        >,
      signsAs: async () => null,
      sign: async () => stated,
      prepare: async () => ({ payload: "", signed: "" }),
      submit: async () => stated,
    },
    vetReports: async () => [],
    registerSources: async () => ({}),
    ownServers: async () => [],
    policyDesk: {
      files: async () => [],
      properties: async () => [],
      judge: async () => {
        throw new Error("no request is judged here");
      },
      whereabouts: { guardrails: "", profiles: "" },
    },
    approvalsDesk: {
      list: async () => ({ questions: [], exceptions: [] }),
      answer: async () => undefined,
      end: async () => undefined,
    },
  };
}
