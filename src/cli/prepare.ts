/**
 * From a person's `run` to everything the session needs: the program, the layered policy, the sandbox plan. Reads
 * files; starts and records nothing.
 */
import { createHash } from "node:crypto";
import { createReadStream, existsSync, statSync } from "node:fs";
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { Fault, obeyedPart, Secret } from "../core/index.ts";
import {
  isHidden,
  layer,
  type Policy,
  type PolicyDocument,
  parseDocument,
  readyProfile,
  study,
} from "../policy/index.ts";
import { type AgentKind, type LocatedAgent, locateAgent } from "../register/index.ts";
import { INSIDE, type SandboxSpec } from "../sandbox/index.ts";
import { isGitShaped } from "../workspace/index.ts";
import type { Places } from "./places.ts";
import type { Question } from "./talk.ts";

export type RunQuestion = Extract<Question, { op: "run" }>;

/** The port on the sandbox's own loopback where the way out is. */
export const PROXY_PORT = 3128;
/** Guardrails that an administrator rolls out; no profile loosens them. */
export const GUARDRAILS_FILE = "/etc/sallyport/guardrails.yaml";
const REPOSITORY_FILE = ".sallyport.yaml";
const DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin";
/** Entries of a workspace that are looked at for files to hide; more, and the promise could not be kept in time. */
const MAX_WALKED = 400_000;

/** A key the agent works with and never holds. */
export interface HeldKey {
  readonly variable: string;
  readonly secret: Secret;
  readonly hosts: readonly string[];
  /** The public beginning that programs look at, for example `sk-ant-api03-`. */
  readonly prefix: string;
}

export interface Prepared {
  readonly keys: readonly HeldKey[];
  readonly agent: LocatedAgent;
  readonly policy: Policy;
  readonly workspace: string;
  readonly upstream: URL | null;
  readonly spec: SandboxSpec;
  /** Absolute: what of the workspace hosts obey already. */
  readonly known: readonly string[];
  /** What the agent was told to hold itself to, and who holds what it does not. */
  readonly native: study.NativeSettings;
  /** Absolute: the agent's own program, and the toolchains that the ready profiles show. That these are read is no news. */
  readonly software: readonly string[];
}

export interface SessionFiles {
  /** The session's certificate, and the system's bundle with it: written by the station before the agent starts. */
  readonly caCertificate: string;
  readonly caBundle: string;
}

/** Throws `agent.*`, `profile.*`, `policy.invalid`, `sandbox.*`, `usage.invalid`. */
export async function prepare(
  question: RunQuestion,
  places: Places,
  files: SessionFiles,
  parse: typeof parseDocument = parseDocument,
): Promise<Prepared> {
  const workspace = workspaceOf(question.cwd);
  const [agent, policy] = await Promise.all([
    locateAgent(question.agent, {
      path: pathOf(question, places),
      cwd: question.cwd,
      agentsFolder: places.agents,
      arch: process.arch,
      node: process.execPath,
    }),
    documentsFor(question.profile, question.cwd, workspace, places, parse).then(layer),
  ]);
  const upstream = upstreamOf(question.upstream);
  const proxyPort = policy.sandbox.mode === "none" ? await freePort() : PROXY_PORT;
  const door = doorOf(question, agent.kind, proxyPort);
  const read = [...agent.folders, ...policy.files.read];
  const isOnlyWall = policy.sandbox.mode === "bubblewrap" && !policy.sandbox.nested;
  const { hide, obeyed, repositories, known } = await survey(workspace, policy.files.hide);
  const native = study.compileNative(policy, agent.name, agent.version, {
    workspace,
    hiddenFiles: hide,
    isInside: policy.sandbox.mode === "bubblewrap",
  });
  const spec: SandboxSpec = {
    mode: policy.sandbox.mode,
    program: [
      ...agent.program,
      ...(isOnlyWall ? (agent.kind?.confinedArguments ?? []) : []),
      ...(native.plainCommands.includes(question.arguments[0] ?? "") ? [] : native.arguments),
      ...door.arguments,
      ...question.arguments,
    ],
    workspace,
    cwd: question.cwd,
    homeDirectory: await homeFor(agent, upstream !== null, places),
    protect: [places.state, places.run, places.config],
    read,
    write: policy.files.write,
    hide,
    covers: foldersDown(workspace, question.cwd).flatMap((folder) =>
      native.covers.map(({ path, text }) => ({ path: join(folder, path), text })),
    ),
    files: native.files.map(({ path, content }) => ({ path, text: content })),
    environment: {
      ...environmentFor(question, agent.kind, policy, upstream),
      ...wayOut(
        policy.sandbox.mode === "none"
          ? files
          : { caCertificate: INSIDE.caCertificate, caBundle: INSIDE.caBundle },
        proxyPort,
      ),
      ...door.environment,
      ...native.environment,
      PATH: pathInside(pathOf(question, places), policy, read),
    },
    caCertificate: files.caCertificate,
    caBundle: files.caBundle,
    proxyPort,
    nested: policy.sandbox.nested,
    inner: { obeyed, repositories },
  };
  return {
    software: [...agent.folders, ...toolchains(parse)],
    agent,
    policy,
    workspace,
    upstream,
    spec,
    native,
    known,
    keys: heldKeys(agent.kind, spec.environment),
  };
}

/**
 * The settings by which programs find the gateway and trust the session's certificates. Measured on the six agents:
 * NODE_EXTRA_CA_CERTS and SSL_CERT_FILE and the proxy variables in both cases serve all; ALL_PROXY must not be set (one
 * agent then sends keys in clear). NO_PROXY is always set, or a repository's own settings could set it to `*`.
 */
function wayOut(at: SessionFiles, port: number): Record<string, string> {
  const proxy = `http://127.0.0.1:${port}`;
  const local = "127.0.0.1,localhost,::1";
  return {
    HTTPS_PROXY: proxy,
    HTTP_PROXY: proxy,
    https_proxy: proxy,
    http_proxy: proxy,
    NO_PROXY: local,
    no_proxy: local,
    NODE_USE_ENV_PROXY: "1",
    NODE_EXTRA_CA_CERTS: at.caCertificate,
    SSL_CERT_FILE: at.caBundle,
    CODEX_CA_CERTIFICATE: at.caBundle,
    CURL_CA_BUNDLE: at.caBundle,
    REQUESTS_CA_BUNDLE: at.caBundle,
    PIP_CERT: at.caBundle,
    GIT_SSL_CAINFO: at.caBundle,
    CARGO_HTTP_CAINFO: at.caBundle,
    AWS_CA_BUNDLE: at.caBundle,
  };
}

/** Without our own scripts: they would start us again in the agent's place. */
const pathOf = ({ environment }: RunQuestion, { shims }: Places): string =>
  (environment["PATH"] ?? DEFAULT_PATH)
    .split(":")
    .filter((entry) => entry.replace(/\/+$/, "") !== shims)
    .join(":");

/** The person's PATH as far as it can be seen inside; relative entries would run what the repository holds. */
function pathInside(path: string, policy: Policy, read: readonly string[]): string {
  if (policy.sandbox.mode === "none") return path;
  const seen = ["/usr", "/bin", "/sbin", ...[...read, ...policy.files.write].map(expandHome)];
  const entries = path
    .split(":")
    .filter((entry) => seen.some((folder) => entry === folder || entry.startsWith(`${folder}/`)));
  return entries.length > 0 ? entries.join(":") : DEFAULT_PATH;
}

/**
 * The nearest folder upwards that is a repository of the person's own, else the folder itself. Never the home folder or
 * `/` by that climb, nor a folder that others can write to: somebody's `/tmp/.git` must not make all of /tmp writable.
 */
export function workspaceOf(cwd: string): string {
  const home = homedir();
  for (let folder = cwd; folder !== home && folder !== "/"; folder = dirname(folder))
    if (isRepository(folder) && (folder === cwd || isOwn(folder))) return folder;
  return cwd;
}

/** The workspace, and each folder on the way down to where the agent starts: agents look for settings in all of them. */
function foldersDown(workspace: string, cwd: string): readonly string[] {
  const folders = [workspace];
  for (let folder = cwd; folder.startsWith(`${workspace}/`); folder = dirname(folder)) folders.push(folder);
  return folders;
}

const isRepository = (folder: string): boolean =>
  existsSync(join(folder, ".git/HEAD")) ||
  (statSync(join(folder, ".git"), { throwIfNoEntry: false })?.isFile() ?? false);

function isOwn(folder: string): boolean {
  const at = statSync(folder);
  return at.uid === process.getuid?.() && (at.mode & 0o002) === 0;
}

/** Parses each text once: a station sees the same profile at every start. The memory belongs to whoever made it. */
export function parsingOnce(): typeof parseDocument {
  const known = new Map<string, PolicyDocument>();
  return (text, file) => {
    const key = `${file}\0${text}`;
    const hit = known.get(key);
    if (hit !== undefined) return hit;
    const document = parseDocument(text, file);
    if (known.size >= 64) known.clear();
    known.set(key, document);
    return document;
  };
}

/** What is in force: the machine's guardrails, the profile, the repository's own narrowing. */
export async function documentsFor(
  profile: string | null,
  cwd: string,
  workspace: string,
  places: Places,
  parse: typeof parseDocument = parseDocument,
): Promise<PolicyDocument[]> {
  const documents: PolicyDocument[] = [];
  if (existsSync(GUARDRAILS_FILE))
    documents.push(parse(await readFile(GUARDRAILS_FILE, "utf8"), GUARDRAILS_FILE));
  const { text, file } = await profileText(profile ?? "default", cwd, places);
  documents.push(parse(text, file));
  const own = join(workspace, REPOSITORY_FILE);
  if (existsSync(own)) documents.push(parse(await readFile(own, "utf8"), own));
  return documents;
}

async function profileText(
  name: string,
  cwd: string,
  places: Places,
): Promise<{ readonly text: string; readonly file: string }> {
  const isFile = name.includes("/") || /\.ya?ml$/.test(name);
  const file = isFile ? resolve(cwd, name) : join(places.config, "profiles", `${name}.yaml`);
  if (isFile || existsSync(file)) {
    try {
      return { text: await readFile(file, "utf8"), file };
    } catch (cause) {
      throw new Fault("profile.unreadable", {
        at: file,
        cause,
        detail: cause instanceof Error ? cause.message : "",
      });
    }
  }
  const ready = readyProfile(name);
  if (ready === null) throw new Fault("profile.unknown", { detail: `\`${name}\``, at: file });
  return { text: ready, file: `${name} (ready profile)` };
}

function upstreamOf(text: string | null): URL | null {
  if (text === null) return null;
  const url = URL.parse(text);
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:") || url.pathname !== "/")
    throw new Fault("usage.invalid", {
      detail: `\`${text}\` is not an origin`,
      remedy: "give --upstream as http://host:port or https://host:port, without a path",
    });
  return url;
}

/** Without a network namespace of its own the session shares the machine's ports. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const at = server.address();
      server.close(() => resolve(typeof at === "object" && at !== null ? at.port : PROXY_PORT));
    });
  });
}

/** The agent's private home, kept between its sessions; files it needs to start are laid when they are missing. */
async function homeFor(agent: LocatedAgent, hasStandIn: boolean, places: Places): Promise<string> {
  const home = join(places.homes, agent.kind?.name ?? "other");
  await mkdir(home, { recursive: true, mode: 0o700 });
  for (const file of agent.kind?.homeFiles ?? []) {
    if (file.onlyForStandIn === true && !hasStandIn) continue;
    const path = join(home, file.path);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeFile(path, file.content, { flag: "wx", mode: 0o600 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
  }
  return home;
}

function doorOf(
  question: RunQuestion,
  kind: AgentKind | null,
  port: number,
): { readonly environment: Readonly<Record<string, string>>; readonly arguments: readonly string[] } {
  if (question.door === "tls") return { environment: {}, arguments: [] };
  if (kind === null || kind.baseUrl === null)
    throw new Fault("usage.invalid", {
      detail: `Sallyport knows no base-URL setting of \`${question.agent}\``,
      remedy: "leave --door out: the transparent door serves every program",
    });
  return kind.baseUrl(`http://127.0.0.1:${port}/${kind.modelHost}`);
}

const KEY_PREFIX = /^(?:sk-ant-[a-z0-9]+-|sk-proj-|sk-|AIza|github_pat_|gh[pousr]_|ya29\.)/;

/** The person's keys for this agent: they stay outside, and each is good for its own hosts alone. */
export function heldKeys(
  kind: AgentKind | null,
  environment: Readonly<Record<string, string>>,
): readonly HeldKey[] {
  if (kind === null) return [];
  const base = URL.parse(environment[kind.baseVariable ?? ""] ?? "");
  return Object.entries(kind.keyHosts).flatMap(([variable, hosts]) => {
    const value = environment[variable];
    if (value === undefined || value === "" || value === kind.standInEnvironment[variable]) return [];
    return {
      variable,
      secret: new Secret(value),
      hosts: base === null || base.hostname === "" ? hosts : [...hosts, base.hostname],
      prefix: KEY_PREFIX.exec(value)?.[0] ?? "",
    };
  });
}

/** The allowed part of the person's environment, the agent's own needs, and stand-in keys where nobody checks them. */
function environmentFor(
  question: RunQuestion,
  kind: AgentKind | null,
  policy: Policy,
  upstream: URL | null,
): Record<string, string> {
  const allowed = [...policy.environment.pass, ...(kind?.passEnvironment ?? [])];
  const passed: Record<string, string> = {};
  for (const [name, value] of Object.entries(question.environment))
    if (allowed.some((pattern) => nameMatches(pattern, name))) passed[name] = value;
  const hasKey = kind?.keyVariables.some((name) => passed[name] !== undefined) ?? true;
  const standIn = upstream !== null && !hasKey ? kind?.standInEnvironment : {};
  return { ...kind?.environment, ...standIn, ...passed };
}

const nameMatches = (pattern: string, name: string): boolean =>
  pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : pattern === name;

const expandHome = (path: string): string => (path.startsWith("~/") ? join(homedir(), path.slice(2)) : path);

/** A build opens thousands of their files: telling each would cost it more than the record may (docs/benchmarks.md). */
const toolchains = (parse: typeof parseDocument): readonly string[] =>
  (parse(readyProfile("default") ?? "", "default (ready profile)").data.files?.read ?? []).map(expandHome);

/** What is found in a workspace before a session, absolute. */
interface Survey {
  /** Files and folders that a hide pattern names. */
  readonly hide: readonly string[];
  /** Below the top: what tools on the host obey, and repositories' `.git`. */
  readonly obeyed: readonly string[];
  readonly repositories: readonly string[];
  /** All of that, at the top too, and folders that look like a repository. */
  readonly known: readonly string[];
}

/** Each costs a mount. What is more than that is set aside at the end if the session changed it. */
const MOST_OBEYED = 64;

/**
 * `node_modules` and `.git` are not looked into: packages come from outside and hold no secret of this workspace, and
 * git's own files have guards of their own.
 */
async function survey(workspace: string, patterns: readonly string[]): Promise<Survey> {
  const hide: string[] = [];
  const obeyed: string[] = [];
  const repositories: string[] = [];
  const known: string[] = [];
  let left = MAX_WALKED;
  const walk = async (folder: string): Promise<void> => {
    const entries = await readdir(join(workspace, folder), { withFileTypes: true }).catch(() => []); // unreadable for us and the agent
    if (isGitShaped(new Set(entries.map(({ name }) => name)))) known.push(join(workspace, folder));
    for (const entry of entries) {
      left -= 1;
      if (left < 0)
        throw new Fault("sandbox.hide", {
          at: workspace,
          detail: `it has more than ${MAX_WALKED} files`,
          remedy: "run in a smaller folder",
        });
      const path = join(folder, entry.name);
      const at = join(workspace, path);
      const isObeyed = entry.name === ".git" || obeyedPart(path) === path;
      if (isObeyed) known.push(at);
      if (patterns.length > 0 && isHidden(patterns, path)) hide.push(at);
      else {
        if (isObeyed && folder !== "") (entry.name === ".git" ? repositories : obeyed).push(at);
        if (entry.isDirectory() && entry.name !== ".git" && entry.name !== "node_modules") await walk(path);
      }
    }
  };
  await walk("");
  return { hide, obeyed: obeyed.slice(0, MOST_OBEYED), repositories, known };
}

/** SHA-256 of the executable, hex. The caller remembers it by the file's identity: agents are hundreds of megabytes. */
export async function hashFile(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(chunk);
  return hash.digest("hex");
}

/** What identifies a file's bytes without reading them: device, inode, size, change time. */
export async function fileIdentity(file: string): Promise<string> {
  const at = await stat(file, { bigint: true });
  return `${at.dev}:${at.ino}:${at.size}:${at.ctimeNs}`;
}
