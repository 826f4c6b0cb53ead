/**
 * Brings a session's work into a repository: what its programs wrote to the copy-on-write `.git` (layers.ts) becomes the
 * repository's own as far as git-rules.ts knows it for harmless, the rest stays in the hold and is told.
 *
 * The order is git's own: objects, then what names them. Every object is checked against its name, packs are indexed
 * anew by git (outside of any repository, so that it obeys none): nothing that a program wrote can take the place of
 * another object. Refs, HEAD, index and packed-refs are written under git's own locks.
 *
 * What changed here while the session ran is not overwritten: a ref goes to `refs/sallyport/<session>/…` instead, any
 * other file stays in the hold. Nothing is removed but refs and notes that the session removed; objects never.
 *
 * A crash in between leaves a repository that git takes for whole (each file appears by rename), and the same import goes
 * on from there.
 */
import { spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { inflateSync } from "node:zlib";
import { entryAt, targetAt } from "./entry.ts";
import { gitPart, isLog, isPlainNote, isPlainProgress, refValue } from "./git-rules.ts";
import { at, entriesOf, type LayerEntry, type Layers, mergedFile, mergedNames, readPlain } from "./layers.ts";
import { shown } from "./tree.ts";

export interface GitOrders {
  readonly layers: Layers;
  /** Absolute, of the working tree. */
  readonly workspace: string;
  readonly session: string;
  /** Unix ms, before any program of the session ran. */
  readonly startedAt: number;
  /** A copy of the index as it was then; it need not be there. */
  readonly index: string;
  /** Absolute: what a grant lets the session write, whatever it is. */
  readonly granted: readonly string[];
}

export interface ImportedRef {
  readonly name: string;
  readonly from: string | null;
  readonly to: string | null;
}

export interface GitImport {
  readonly refs: readonly ImportedRef[];
  readonly objects: number;
  readonly packs: number;
  /** Relative to the git directory, with why. */
  readonly held: readonly { readonly path: string; readonly why: string }[];
}

const MAX_OBJECT_BYTES = 1 << 30;
const MAX_NOTE_BYTES = 64 << 20;
const GIT_MS = 300_000;
/** `git` as a tool that reads its arguments and obeys nobody's settings. */
const GIT_ENVIRONMENT = {
  PATH: "/usr/local/bin:/usr/bin:/bin",
  LC_ALL: "C",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_ATTR_NOSYSTEM: "1",
  GIT_TERMINAL_PROMPT: "0",
};

const OBEYED = "git on this machine would obey it";
const CHANGED = "changed here while the session ran";

/** Throws when a file system call fails that should not; what had been brought in by then stays. */
export function importGit(orders: GitOrders): GitImport {
  return new Import(orders).run();
}

/** What an import would do to refs, a word each; null: nothing at all was written. Changes nothing. */
export function changedRefs(orders: GitOrders): readonly string[] | null {
  return new Import(orders).preview();
}

class Import {
  readonly #orders: GitOrders;
  readonly #layers: Layers;
  readonly #held: { path: string; why: string }[] = [];
  readonly #refs: ImportedRef[] = [];
  #objects = 0;
  #packs = 0;

  constructor(orders: GitOrders) {
    this.#orders = orders;
    this.#layers = orders.layers;
  }

  run(): GitImport {
    const groups = this.#sorted();
    for (const entry of groups.object) this.#object(entry.path);
    for (const entry of groups.pack) this.#pack(entry.path);
    for (const module of this.#modules(groups.module)) this.#module(module);
    for (const entry of groups.worktree) this.#group(entry, worktreeOf, (files) => this.#worktree(files));
    for (const entry of groups.progress) this.#group(entry, topOf, (files) => this.#progress(files));
    if (groups.ref.length > 0 || groups["packed-refs"].length > 0) this.#bringRefs();
    for (const entry of groups.log) this.#log(entry);
    for (const entry of groups.note) this.#note(entry);
    for (const entry of groups.index) this.#index(entry);
    for (const entry of groups.held) this.#hold(entry);
    return { refs: this.#refs, objects: this.#objects, packs: this.#packs, held: this.#held };
  }

  preview(): readonly string[] | null {
    const groups = Object.values(this.#sorted()).flat();
    if (groups.every((entry) => entry.kind === "file" && this.#isUnchanged(entry.path))) return null;
    const [was, became] = [this.#hostRefs(), this.#seenRefs()];
    return [...new Set([...was.keys(), ...became.keys()])]
      .filter((name) => was.get(name) !== became.get(name))
      .map((name) => {
        const word = !was.has(name) ? "new" : became.has(name) ? "moved" : "removed";
        return `${shown(name).replace(/^refs\/(?:heads\/)?/, "")} ${word}`;
      });
  }

  readonly #done = new Set<string>();

  /** Calls `work` once for all entries that belong together. */
  #group(entry: LayerEntry, key: (path: string) => string, work: (folder: string) => void): void {
    const folder = key(entry.path);
    if (this.#done.has(folder)) return;
    this.#done.add(folder);
    work(folder);
  }

  #sorted(): Record<ReturnType<typeof gitPart>, LayerEntry[]> {
    const groups: Record<ReturnType<typeof gitPart>, LayerEntry[]> = {
      ...{ object: [], pack: [], derived: [], ref: [], "packed-refs": [], log: [], index: [], note: [] },
      ...{ progress: [], worktree: [], module: [], held: [] },
    };
    for (const entry of entriesOf(this.#layers)) {
      if (entry.kind === "folder") continue;
      const part = gitPart(entry.path);
      if (part === "derived") continue;
      // Repacked inside, or no longer needed there; here they stay.
      if (entry.kind === "removed" && entry.path.startsWith("objects")) continue;
      // A link or a device where git has a file would make git read or write elsewhere.
      const isPlain = entry.kind === "file" || entry.kind === "removed";
      groups[isPlain ? part : "held"].push(entry);
    }
    return groups;
  }

  #hold(entry: LayerEntry, why = OBEYED): void {
    if (entry.kind === "removed" && !existsSync(at(this.#layers.lower, entry.path))) return;
    if (entry.kind === "file" && this.#isUnchanged(entry.path)) return;
    const place = `${this.#layers.lower}/${shown(entry.path)}`;
    const isGranted = this.#orders.granted.some((path) => place === path || place.startsWith(`${path}/`));
    if (isGranted && why === OBEYED && entry.kind === "file") {
      const mode = lstatSync(at(this.#layers.upper, entry.path)).mode & 0o777;
      this.#place(entry.path, readFileSync(at(this.#layers.upper, entry.path)), mode);
      return;
    }
    this.#held.push({ path: shown(entry.path), why: entry.kind === "removed" ? `its removal: ${why}` : why });
  }

  #isUnchanged(path: string): boolean {
    const [upper, lower] = [readPlain(at(this.#layers.upper, path), MAX_NOTE_BYTES), this.#own(path)];
    return upper !== null && lower !== null && upper.equals(lower);
  }

  #own(path: string): Buffer | null {
    return readPlain(at(this.#layers.lower, path), MAX_NOTE_BYTES);
  }

  /** Whether somebody else wrote it since the session began. */
  #isTouched(path: string): boolean {
    const stat = targetAt(at(this.#layers.lower, path));
    return stat !== undefined && stat.ctimeMs >= this.#orders.startedAt;
  }

  // ---- objects ----

  #object(path: string): void {
    const { upper, lower } = this.#layers;
    const name = path.slice("objects/".length).replace("/", "");
    if (existsSync(at(lower, path)) || !existsSync(at(upper, path))) return;
    const packed = lstatSync(at(upper, path)).isFile() ? readPlain(at(upper, path), MAX_OBJECT_BYTES) : null;
    if (packed === null) return;
    try {
      const bytes = inflateSync(packed, { maxOutputLength: MAX_OBJECT_BYTES });
      if (
        createHash(name.length === 40 ? "sha1" : "sha256")
          .update(bytes)
          .digest("hex") !== name
      )
        throw new Error("it is not what its name says");
    } catch (error) {
      this.#held.push({ path, why: error instanceof Error ? error.message : String(error) });
      return;
    }
    this.#place(path, packed, 0o444);
    this.#objects += 1;
  }

  #pack(path: string): void {
    const { upper, lower } = this.#layers;
    if (existsSync(at(lower, path)) || !existsSync(at(upper, path))) return;
    const folder = at(lower, "objects/pack").toString("latin1");
    mkdirSync(Buffer.from(folder, "latin1"), { recursive: true });
    const draft = `${folder}/tmp_sallyport_${randomBytes(6).toString("hex")}`;
    const [pack, index] = [Buffer.from(`${draft}.pack`, "latin1"), Buffer.from(`${draft}.idx`, "latin1")];
    const format = this.#isSha256() ? ["--object-format=sha256"] : [];
    try {
      copyFileSync(at(upper, path), pack, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
      chmodSync(pack, 0o444);
      const names = [shown(index.toString("latin1")), shown(pack.toString("latin1"))] as const;
      const done = spawnSync("git", ["index-pack", ...format, "-o", ...names], {
        ...{ cwd: "/", env: GIT_ENVIRONMENT, encoding: "utf8", timeout: GIT_MS, shell: false },
      });
      const name = /^(?:pack\s+)?([0-9a-f]{40,64})$/m.exec(done.stdout ?? "")?.[1];
      if (done.status !== 0 || name === undefined)
        throw new Error((done.stderr || String(done.error ?? "git index-pack failed")).trim().slice(0, 200));
      // The pack first: an index without its pack is an error, a pack without its index is not seen.
      renameSync(pack, Buffer.from(`${folder}/pack-${name}.pack`, "latin1"));
      renameSync(index, Buffer.from(`${folder}/pack-${name}.idx`, "latin1"));
      this.#packs += 1;
    } catch (error) {
      this.#held.push({ path, why: error instanceof Error ? error.message : String(error) });
    } finally {
      for (const left of [pack, index]) rmSync(left, { force: true });
    }
  }

  #isSha256(): boolean {
    return /^\s*objectformat\s*=\s*sha256/im.test(this.#own("config")?.toString("utf8") ?? "");
  }

  /** Whole, or not at all. */
  #place(path: string, bytes: Buffer, mode: number): void {
    const { lower } = this.#layers;
    const folder = dirname(path);
    mkdirSync(at(lower, folder === "." ? "" : folder), { recursive: true });
    const draft = at(lower, `${path}.sallyport-${randomBytes(6).toString("hex")}`);
    const fd = openSync(draft, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, mode);
    try {
      for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
    } finally {
      closeSync(fd);
    }
    renameSync(draft, at(lower, path));
  }

  /** As git writes such a file: nobody else has its lock, and it changes in one step. False: somebody else has it. */
  #locked(path: string, bytes: Buffer | null): boolean {
    const { lower } = this.#layers;
    const folder = dirname(path);
    const lock = at(lower, `${path}.lock`);
    let fd: number;
    try {
      mkdirSync(at(lower, folder === "." ? "" : folder), { recursive: true });
      fd = openSync(lock, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o666);
    } catch {
      return false;
    }
    try {
      if (bytes !== null) for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
    } finally {
      closeSync(fd);
    }
    try {
      if (bytes !== null) renameSync(lock, at(lower, path));
      else {
        if (existsSync(at(lower, path))) unlinkSync(at(lower, path));
        unlinkSync(lock);
      }
      return true;
    } catch {
      rmSync(lock, { force: true });
      return false; // a folder of refs where a ref should be
    }
  }

  // ---- what names them ----

  #bringRefs(): void {
    const [was, became] = [this.#hostRefs(), this.#seenRefs()];
    const names = [...new Set([...was.keys(), ...became.keys()])].filter(
      (name) => was.get(name) !== became.get(name),
    );
    // Removals first: `a` must be gone before `a/b` can be.
    names.sort((a, b) => Number(became.has(a)) - Number(became.has(b)) || (a < b ? -1 : 1));
    const unknown = this.#missing(names.flatMap((name) => became.get(name) ?? []));
    for (const name of names) {
      const [from, to] = [was.get(name) ?? null, became.get(name) ?? null];
      if (to !== null && unknown.has(to)) {
        this.#held.push({ path: shown(name), why: `${to} is not there` });
        continue;
      }
      if (from !== null && this.#isRefTouched(name)) {
        if (to === null) continue; // removed inside, moved here: what is here stays
        const aside = `refs/sallyport/${this.#orders.session}/${name.slice("refs/".length)}`;
        if (this.#locked(aside, Buffer.from(`${to}\n`)))
          this.#refs.push({ name: shown(aside), from: null, to });
        this.#held.push({ path: shown(name), why: `${CHANGED}; the session's is ${shown(aside)}` });
        continue;
      }
      const isDone = to === null ? this.#removeRef(name) : this.#locked(name, Buffer.from(`${to}\n`));
      if (isDone) this.#refs.push({ name: shown(name), from, to });
      else
        this.#held.push({
          path: shown(name),
          why: "another program has it locked, or it is in another's way",
        });
    }
  }

  #isRefTouched(name: string): boolean {
    return existsSync(at(this.#layers.lower, name)) ? this.#isTouched(name) : this.#isTouched("packed-refs");
  }

  #removeRef(name: string): boolean {
    const packed = this.#own("packed-refs")?.toString("latin1") ?? "";
    const lines = packed.split(/(?<=\n)/);
    const found = lines.findIndex((line) => line.replace(/\n$/, "").endsWith(` ${name}`));
    if (found >= 0) {
      const isPeeled = lines[found + 1]?.startsWith("^") === true;
      lines.splice(found, isPeeled ? 2 : 1);
      if (!this.#locked("packed-refs", Buffer.from(lines.join(""), "latin1"))) return false;
    }
    return !existsSync(at(this.#layers.lower, name)) || this.#locked(name, null);
  }

  /** Hashes that this repository has no object for; empty where git is not there to ask. */
  #missing(values: readonly string[]): ReadonlySet<string> {
    const hashes = [...new Set(values.filter((value) => /^[0-9a-f]{40,64}$/.test(value)))];
    if (hashes.length === 0) return new Set();
    const { status, stdout } = this.#git(["cat-file", "--batch-check"], `${hashes.join("\n")}\n`);
    if (status !== 0) return new Set();
    return new Set([...stdout.matchAll(/^([0-9a-f]{40,64}) missing$/gm)].map((match) => match[1] ?? ""));
  }

  /** On the repository itself, which no program of the session could write. */
  #git(args: readonly string[], input: string, extra: Readonly<Record<string, string>> = {}) {
    return spawnSync("git", ["-c", "core.fsmonitor=false", ...args], {
      cwd: "/",
      env: {
        ...GIT_ENVIRONMENT,
        GIT_DIR: this.#layers.lower,
        GIT_CONFIG_COUNT: "1",
        GIT_CONFIG_KEY_0: "safe.directory",
        GIT_CONFIG_VALUE_0: "*",
        ...extra,
      },
      input,
      encoding: "latin1",
      maxBuffer: 512 << 20,
      timeout: GIT_MS,
      shell: false,
    });
  }

  #hostRefs(): Map<string, string> {
    const { lower } = this.#layers;
    const refs = packedRefs(this.#own("packed-refs"));
    const visit = (folder: string): void => {
      for (const name of namesOf(at(lower, folder))) {
        const path = `${folder}/${name}`;
        const stat = targetAt(at(lower, path));
        if (stat?.isDirectory() === true) visit(path);
        else take(refs, path, readPlain(at(lower, path), 4_096));
      }
    };
    visit("refs");
    return refs;
  }

  #seenRefs(): Map<string, string> {
    const packed = mergedFile(this.#layers, "packed-refs");
    const refs = packedRefs(packed === null ? null : readPlain(packed, MAX_NOTE_BYTES));
    const visit = (folder: string): void => {
      for (const name of mergedNames(this.#layers, folder)) {
        const path = `${folder}/${name}`;
        const file = mergedFile(this.#layers, path);
        if (file === null) visit(path);
        else take(refs, path, readPlain(file, 4_096));
      }
    };
    visit("refs");
    return refs;
  }

  // ---- the rest ----

  #log(entry: LayerEntry): void {
    if (entry.kind === "removed") {
      this.#locked(entry.path, null);
      return;
    }
    const bytes = readPlain(at(this.#layers.upper, entry.path), MAX_NOTE_BYTES);
    if (bytes === null || !isLog(bytes.toString("utf8"))) {
      this.#hold(entry, "it is no log of git's");
      return;
    }
    const own = this.#own(entry.path);
    if (own === null || !this.#isTouched(entry.path)) {
      this.#place(entry.path, bytes, 0o644);
      return;
    }
    // Both sides have gone on: what is here, then what the session added.
    const known = new Set(own.toString("latin1").split("\n"));
    const added = bytes
      .toString("latin1")
      .split("\n")
      .filter((line) => line !== "" && !known.has(line));
    this.#place(
      entry.path,
      Buffer.concat([own, Buffer.from(added.map((line) => `${line}\n`).join(""), "latin1")]),
      0o644,
    );
  }

  #note(entry: LayerEntry): void {
    const { path } = entry;
    if (entry.kind === "file" && this.#isUnchanged(path)) return;
    if (this.#isTouched(path)) {
      this.#hold(entry, CHANGED);
      return;
    }
    if (entry.kind === "removed") {
      if (path !== "HEAD") this.#locked(path, null);
      return;
    }
    const bytes = readPlain(at(this.#layers.upper, path), MAX_NOTE_BYTES);
    if (bytes === null || !isPlainNote(path, bytes.toString("utf8"))) {
      this.#hold(entry, "git does not write it so");
      return;
    }
    if (!this.#locked(path, bytes)) this.#hold(entry, "another program has it locked");
  }

  #index(entry: LayerEntry): void {
    const { path } = entry;
    if (entry.kind === "removed" || this.#isUnchanged(path)) return;
    // Whoever looks at `git status` writes the index anew; what is staged is what counts.
    if (this.#isTouched(path) && !this.#isStagedAlike(path)) {
      this.#hold(entry, `${CHANGED}; \`git reset\` makes one of the last commit`);
      return;
    }
    const bytes = readPlain(at(this.#layers.upper, path), MAX_OBJECT_BYTES);
    if (bytes === null || !this.#locked(path, bytes)) this.#hold(entry, "another program has it locked");
  }

  #isStagedAlike(path: string): boolean {
    const staged = (file: string): string | null => {
      const { status, stdout } = this.#git(["ls-files", "--stage", "-z"], "", { GIT_INDEX_FILE: file });
      return status === 0 ? stdout : null;
    };
    const before = existsSync(this.#orders.index) ? staged(this.#orders.index) : null;
    return path === "index" && before !== null && before === staged(`${this.#layers.lower}/index`);
  }

  #progress(folder: string): void {
    const entries = [...entriesOf(this.#layers)].filter(
      (entry) => entry.path.startsWith(`${folder}/`) && entry.kind !== "folder",
    );
    const removed = entryAt(at(this.#layers.upper, folder));
    const isPlain = entries.every(
      (entry) =>
        entry.kind === "removed" ||
        (entry.kind === "file" &&
          isPlainProgress(
            entry.path,
            readPlain(at(this.#layers.upper, entry.path), MAX_NOTE_BYTES)?.toString("utf8") ?? "exec",
          )),
    );
    if (!isPlain) {
      this.#held.push({ path: shown(folder), why: "going on with it could run a program" });
      return;
    }
    if (removed?.isDirectory() !== true) return;
    for (const entry of entries)
      if (entry.kind === "removed") rmSync(at(this.#layers.lower, entry.path), { force: true });
      else this.#place(entry.path, readFileSync(at(this.#layers.upper, entry.path)), 0o644);
  }

  /** A worktree that the session made in its workspace, or the one that it ran in. */
  #worktree(folder: string): void {
    const text = (name: string): string =>
      readPlain(mergedFile(this.#layers, `${folder}/${name}`) ?? Buffer.from("/dev/null"), 4_096)
        ?.toString("utf8")
        .trim() ?? "";
    const isNew = !existsSync(at(this.#layers.lower, folder));
    const place = text("gitdir");
    const isHere =
      place === `${this.#orders.workspace}/.git` ||
      (place.startsWith(`${this.#orders.workspace}/`) && place.endsWith("/.git") && !place.includes("/../"));
    const entries = [...entriesOf(this.#layers)].filter(
      (entry) => entry.path.startsWith(`${folder}/`) && entry.kind !== "folder",
    );
    if (!isHere || (isNew && text("commondir") !== "../..")) {
      if (isNew || entries.some((entry) => entry.kind === "file" && !this.#isUnchanged(entry.path)))
        this.#held.push({ path: shown(folder), why: "a worktree that is not in the session's workspace" });
      return;
    }
    for (const entry of entries) {
      const inner = entry.path.slice(folder.length + 1);
      const part = gitPart(inner);
      if (part === "derived") continue;
      if (inner === "gitdir" || inner === "commondir") {
        if (isNew && entry.kind === "file")
          this.#place(entry.path, readFileSync(at(this.#layers.upper, entry.path)), 0o644);
        else if (!isNew) this.#hold(entry);
      } else if (entry.kind !== "file" && entry.kind !== "removed") this.#hold(entry);
      else if (part === "log") this.#log(entry);
      else if (part === "note") this.#worktreeNote(entry, inner);
      else if (part === "index") this.#worktreeIndex(entry);
      else if (part === "ref") this.#worktreeNote(entry, "HEAD");
      else this.#hold(entry);
    }
  }

  #worktreeNote(entry: LayerEntry, as: string): void {
    if (
      entry.kind === "file" &&
      !isPlainNote(
        as,
        readPlain(at(this.#layers.upper, entry.path), MAX_NOTE_BYTES)?.toString("utf8") ?? "\0",
      )
    )
      this.#hold(entry, "git does not write it so");
    else if (this.#isTouched(entry.path)) this.#hold(entry, CHANGED);
    else
      this.#locked(
        entry.path,
        entry.kind === "removed" ? null : readFileSync(at(this.#layers.upper, entry.path)),
      );
  }

  #worktreeIndex(entry: LayerEntry): void {
    if (entry.kind === "removed") return;
    if (this.#isTouched(entry.path)) this.#hold(entry, CHANGED);
    else this.#locked(entry.path, readFileSync(at(this.#layers.upper, entry.path)));
  }

  /** The outermost git directories below `modules/` that something was written to. */
  #modules(entries: readonly LayerEntry[]): readonly string[] {
    const found = new Set<string>();
    for (const { path } of entries) {
      const names = path.split("/");
      let module = names.slice(0, 2).join("/");
      for (let end = 2; end < names.length; end += 1) {
        const folder = names.slice(0, end).join("/");
        if (mergedFile(this.#layers, `${folder}/HEAD`) === null) continue;
        module = folder;
        break;
      }
      found.add(module);
    }
    return [...found];
  }

  #module(folder: string): void {
    const own = at(this.#layers.lower, `${folder}/HEAD`);
    if (!existsSync(own)) {
      this.#held.push({ path: shown(folder), why: "a new submodule's directory, with settings of its own" });
      return;
    }
    const opaque = [...this.#layers.opaque].flatMap((path) =>
      path.startsWith(`${folder}/`) ? [path.slice(folder.length + 1)] : [],
    );
    const layers = {
      upper: `${this.#layers.upper}/${shown(folder)}`,
      lower: `${this.#layers.lower}/${shown(folder)}`,
      opaque: new Set(opaque),
    };
    const done = importGit({ ...this.#orders, layers, index: "" });
    this.#objects += done.objects;
    this.#packs += done.packs;
    for (const ref of done.refs) this.#refs.push({ ...ref, name: `${shown(folder)}/${ref.name}` });
    for (const { path, why } of done.held) this.#held.push({ path: `${shown(folder)}/${path}`, why });
  }
}

const topOf = (path: string): string => path.slice(0, path.indexOf("/"));
const worktreeOf = (path: string): string => path.split("/").slice(0, 2).join("/");

function packedRefs(bytes: Buffer | null): Map<string, string> {
  const refs = new Map<string, string>();
  for (const line of bytes?.toString("latin1").split("\n") ?? []) {
    const [, hash, name] = /^([0-9a-f]{40,64}) (refs\/.+)$/.exec(line) ?? [];
    if (hash !== undefined && name !== undefined && gitPart(name) === "ref") refs.set(name, hash);
  }
  return refs;
}

function take(refs: Map<string, string>, name: string, bytes: Buffer | null): void {
  const value = bytes === null || gitPart(name) !== "ref" ? null : refValue(bytes.toString("latin1"));
  if (value !== null) refs.set(name, value);
}

function namesOf(folder: Buffer): readonly string[] {
  try {
    return readdirSync(folder, "latin1");
  } catch {
    return [];
  }
}

/** Before a session: git replaces its index by rename, so a second name keeps what it was for nothing. */
export function keepIndex(gitDirectory: string, to: string): void {
  const from = `${gitDirectory}/index`;
  if (!existsSync(from)) return;
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to); // another file system
  }
}
