/**
 * Looks a workspace over when a session has ended, and sets aside what its programs put there for the host to obey: what
 * editors, shells, agents and CI act on by itself (core/obeyed.ts), what makes git run something (new repositories,
 * directories that look like one, redirections), and links that lead out of what the session could see. A mount can keep
 * nobody from making a name that is not there, so this is for workspaces that are written directly.
 *
 * What is new is told by what was there before, what has changed by the change time, which no program of the sandbox can set
 * back. It is not told who: what the person did meanwhile is set aside with the rest, and said. What was read-only inside
 * stays as it is.
 *
 * Nothing is destroyed: what is set aside is moved to the session's hold, from where `review` brings it back.
 */
import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { obeyedPart } from "../core/index.ts";
import { entryAt } from "./entry.ts";
import { gitPart, plainConfig } from "./git-rules.ts";
import { readPlain } from "./layers.ts";
import { bytesOf, openFolder, shown, within } from "./tree.ts";

export interface SweepOrders {
  /** Absolute, real. */
  readonly workspace: string;
  /** Unix ms. */
  readonly startedAt: number;
  /** Absolute: git directories that were copy-on-write, with what they were brought in with. */
  readonly overlaid: readonly string[];
  /** Absolute: what was there before of what is obeyed, repositories and what looks like one included. */
  readonly known: readonly string[];
  /** Absolute: what the session could not write, and what a grant let it write. */
  readonly untouched: readonly string[];
  readonly granted: readonly string[];
  /** Where links may lead besides the workspace. */
  readonly shown: readonly string[];
  /** Absolute: where what is set aside goes. */
  readonly aside: string;
}

export interface SetAside {
  /** Relative to the workspace. */
  readonly path: string;
  readonly why: string;
}

export interface Swept {
  readonly aside: readonly SetAside[];
  /** Relative: what could not be moved, or looked at. */
  readonly stayed: readonly string[];
}

/** Of names that are looked at; beyond it the sweep says that it is not whole. */
const MAX_ENTRIES = 2_000_000;
const MAX_DEPTH = 400;
const MAX_CONFIG_BYTES = 1 << 20;

export function sweep(orders: SweepOrders): Swept {
  return new Sweep(orders).run();
}

class Sweep {
  readonly #orders: SweepOrders;
  readonly #aside: SetAside[] = [];
  readonly #stayed: string[] = [];
  readonly #quiet: ReadonlySet<string>;
  readonly #known: ReadonlySet<string>;
  #left = MAX_ENTRIES;

  constructor(orders: SweepOrders) {
    this.#orders = orders;
    const below = (path: string): readonly string[] =>
      path.startsWith(`${orders.workspace}/`) ? [bytesOf(path.slice(orders.workspace.length + 1))] : [];
    this.#known = new Set(orders.known.flatMap(below));
    this.#quiet = new Set([...orders.overlaid, ...orders.untouched, ...orders.granted].flatMap(below));
  }

  run(): Swept {
    const root = openFolder(this.#orders.workspace);
    try {
      this.#folder(root, "", 0);
    } finally {
      closeSync(root);
    }
    return { aside: this.#aside, stayed: this.#stayed };
  }

  #folder(folder: number, prefix: string, depth: number): void {
    const entries = readdirSync(`/proc/self/fd/${folder}`, { withFileTypes: true, encoding: "latin1" });
    const names = new Set(entries.map(({ name }) => name));
    const isGitShaped = names.has("HEAD") && names.has("objects") && names.has("refs");
    if (isGitShaped && prefix !== "") {
      this.#gitDirectory(prefix.slice(0, -1));
      return;
    }
    for (const entry of entries) {
      this.#left -= 1;
      if (this.#left < 0) {
        this.#stayed.push(shown(prefix === "" ? "." : prefix));
        return;
      }
      const path = `${prefix}${entry.name}`;
      if (this.#quiet.has(path)) continue;
      if (entry.name === ".git") this.#dotGit(path, entry.isDirectory());
      else if (obeyedPart(shown(path)) !== null) this.#obeyed(path);
      else if (entry.isSymbolicLink()) this.#link(folder, entry.name, path);
      else if (entry.isDirectory()) this.#enter(folder, entry.name, path, depth);
    }
  }

  #enter(folder: number, name: string, path: string, depth: number): void {
    let inner: number;
    try {
      if (depth >= MAX_DEPTH) throw new Error("too deep");
      inner = openFolder(within(folder, name));
    } catch {
      // Nobody but its owner can look in either, who would have to open it first; but it is said.
      if (this.#isNew(path)) this.#stayed.push(shown(path));
      return;
    }
    try {
      this.#folder(inner, `${path}/`, depth + 1);
    } finally {
      closeSync(inner);
    }
  }

  #at(path: string): Buffer {
    return Buffer.from(`${bytesOf(this.#orders.workspace)}/${path}`, "latin1");
  }

  #stat(path: string): Stats | undefined {
    return entryAt(this.#at(path));
  }

  #isNew(path: string): boolean {
    const stat = this.#stat(path);
    return stat !== undefined && stat.ctimeMs >= this.#orders.startedAt;
  }

  /** What was not there is set aside whole; of what was, what has changed. */
  #obeyed(path: string): void {
    const why = "tools on this machine would obey it";
    const isFolder = this.#stat(path)?.isDirectory() === true;
    if (!this.#known.has(path) || (!isFolder && this.#isNew(path))) this.#set(path, why);
    else if (isFolder)
      for (const inner of this.#below(path))
        if (!this.#quiet.has(inner) && this.#isNew(inner)) this.#set(inner, why);
  }

  /** What is not a folder below one, no link followed. */
  #below(path: string): readonly string[] {
    const found: string[] = [];
    const visit = (at: string): void => {
      for (const entry of readdirSync(this.#at(at), { withFileTypes: true, encoding: "latin1" }))
        if (entry.isDirectory()) visit(`${at}/${entry.name}`);
        else found.push(`${at}/${entry.name}`);
    };
    try {
      visit(path);
    } catch {
      this.#stayed.push(shown(path));
    }
    return found;
  }

  #dotGit(path: string, isFolder: boolean): void {
    if (isFolder) {
      this.#gitDirectory(path);
      return;
    }
    if (!this.#isNew(path)) return;
    const text = readPlain(this.#at(path), 4_096)?.toString("utf8") ?? "";
    const target = /^gitdir: (.+)\n?$/.exec(text)?.[1];
    const place = resolve(this.#orders.workspace, dirname(shown(path)));
    const to = target === undefined ? null : resolve(place, target);
    // A worktree that was made inside and brought in: the repository knows it, and it knows the repository.
    const isOurs =
      to !== null &&
      this.#orders.overlaid.some((git) => to.startsWith(`${git}/`)) &&
      readPlain(Buffer.from(`${to}/gitdir`), 4_096)
        ?.toString("utf8")
        .trim() === `${place}/.git`;
    if (!isOurs) this.#set(path, "it leads git elsewhere");
  }

  /** A repository that was not copy-on-write: new ones, and what only looks like one. */
  #gitDirectory(path: string): void {
    // Packages are not looked into before a session: there it is by time alone.
    const wasThere = this.#known.has(path) || /(?:^|\/)(?:node_modules|\.git)\//.test(path);
    for (const inner of this.#below(path)) {
      if (this.#quiet.has(inner) || (wasThere && !this.#isNew(inner))) continue;
      const name = inner.slice(path.length + 1);
      const stat = this.#stat(inner);
      const part = stat?.isFile() === true ? gitPart(name) : "held";
      if (name === "config" && stat?.isFile() === true) this.#config(inner);
      else if (part === "module" && /\/config(?:\.worktree)?$|\/hooks\/|\/info\/(?!sparse)/.test(name))
        this.#set(inner, OBEYED);
      else if (part === "held" && !/(?:^|\/)hooks\/[\w-]+\.sample$|^description$|^info\/exclude$/.test(name))
        this.#set(inner, OBEYED);
    }
  }

  /** Its harmless part stays. */
  #config(path: string): void {
    const text = readPlain(this.#at(path), MAX_CONFIG_BYTES)?.toString("utf8") ?? "\0";
    const plain = plainConfig(text);
    const words = (all: string): string => all.replaceAll(/\s/g, "");
    if (words(plain) === words(text)) return;
    this.#set(path, OBEYED);
    if (plain !== "" && !existsSync(this.#at(path)))
      writeFileSync(this.#at(path), plain, { flag: "wx", mode: 0o644 });
  }

  #link(folder: number, name: string, path: string): void {
    if (!this.#isNew(path)) return;
    const target = readlinkSync(within(folder, name), "utf8");
    const { workspace, shown: places } = this.#orders;
    const isIn = (at: string, place: string): boolean => at === place || at.startsWith(`${place}/`);
    const ends = endsOf(join(workspace, dirname(shown(path))), target);
    if (!ends.every((end) => [workspace, ...places].some((place) => isIn(end, place))))
      this.#set(path, "a link that leads out of what the session could see");
  }

  /** Within the hold, under the same path. */
  #set(path: string, why: string): void {
    const to = Buffer.from(`${bytesOf(this.#orders.aside)}/${path}`, "latin1");
    try {
      mkdirSync(
        dirname(to.toString("latin1")) === "" ? to : Buffer.from(dirname(to.toString("latin1")), "latin1"),
        { recursive: true, mode: 0o700 },
      );
      moveTo(this.#at(path), to);
      this.#aside.push({ path: shown(path), why });
    } catch {
      this.#stayed.push(shown(path));
    }
  }
}

const OBEYED = "git on this machine would obey it";

/** What git takes for a repository wherever it stands in it (setup.c, is_git_directory). */
export const isGitShaped = (names: ReadonlySet<string>): boolean =>
  names.has("HEAD") && names.has("objects") && names.has("refs");

function moveTo(from: Buffer, to: Buffer): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EXDEV")) throw error;
    // cpSync takes no bytes: a name that is not UTF-8 fails here, and is told as having stayed.
    cpSync(from.toString("utf8"), to.toString("utf8"), {
      recursive: true,
      verbatimSymlinks: true,
      preserveTimestamps: true,
    });
    rmSync(from, { recursive: true, force: true });
  }
}

/** Where a link leads: as it is read, and as the kernel walks it now. */
function endsOf(folder: string, target: string): readonly string[] {
  const read = resolve(folder, target);
  const rest: string[] = [];
  // The longest part that is there, with its own links followed; what is not there can hold no link.
  for (let path = target.startsWith("/") ? target : `${folder}/${target}`; path !== "/" && path !== ""; ) {
    try {
      const real = realpathSync(path);
      return [read, ...(rest.includes("..") ? ["/"] : [join(real, ...rest)])];
    } catch {
      const end = path.lastIndexOf("/");
      rest.unshift(path.slice(end + 1));
      path = path.slice(0, end);
    }
  }
  return [read];
}
