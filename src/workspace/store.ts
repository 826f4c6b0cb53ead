/**
 * Snapshots of workspaces, in `<state>/snapshots/<workspace>/`: 0700, and protected from the agent like all state.
 *
 *   workspace           the folder's path
 *   <n>.pack            bytes of files, in zstd frames; n: 8 digits, as the tree that first kept them
 *   <n>.tree            a line of JSON `{"v":1,"packs":[…]}`, then the entries as zstd of JSON; files' bytes lie in packs
 *   sessions/<id>.json  {@link SessionSnapshots}
 *
 * A file whose identity is that of the last tree is not read again, so a snapshot costs what has changed and one `lstat`
 * a file. A pack is written before the tree that names it, the tree by rename: a crash leaves a pack that nobody names,
 * which the next pruning removes. Nothing is synced; each file's SHA-256 is checked before it is put back, so what a power
 * cut took is told as lost and never put back wrong.
 */
import { createHash, randomBytes } from "node:crypto";
import {
  type BigIntStats,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { constants as zlib, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import type { SessionId } from "../core/index.ts";
import { type Entry, type FileEntry, identityOf, isSame, type Kept, readTree, type Tree } from "./tree.ts";

/** What undoing a session needs to know. */
export interface SessionSnapshots {
  readonly workspace: string;
  readonly before: string;
  /** Null: the session is running, or its end was not seen. */
  readonly after: string | null;
  /** Whether the ledger tells which files the session's programs changed. */
  readonly isRecorded: boolean;
  /** The states round the last undo, by which it is undone; `after` is null while it is under way, or when it was cut off. */
  readonly undone: { readonly before: string; readonly after: string | null } | null;
}

export interface Taken {
  readonly id: string;
  readonly tree: Tree;
  /** Files and folders whose content nothing can bring back. */
  readonly notKept: number;
}

/** A larger file is listed, and not kept. */
const MAX_FILE_BYTES = 64 << 20;
/** Of one snapshot; what is beyond is listed, not kept, and kept by a later one. */
const MAX_NEW_BYTES = 1 << 30;
/** So is what is not read after this time, so that a session's start is never held up for long. */
const MAX_READING_MS = 10_000;
/** Files are compressed together up to this. */
const FRAME_BYTES = 1 << 20;
/** Older kernels stamp files by a tick of up to 10 ms. */
const FRESH_MS = 50;
/** Of one workspace: older ones can no longer be undone. */
const KEPT_SESSIONS = 30;

export class SnapshotStore {
  readonly #root: string;
  readonly #folder: string;
  readonly #workspace: string;
  /** The frame that was read last: files are kept, and put back, in the order of their paths. */
  #frame: { readonly at: string; readonly bytes: Buffer } | null = null;
  #last: { readonly id: string; readonly tree: Tree } | null = null;

  /** `root`: `<state>/snapshots`. `workspace`: absolute, links resolved. */
  constructor(root: string, workspace: string) {
    this.#root = root;
    this.#workspace = workspace;
    this.#folder = join(root, createHash("sha256").update(workspace).digest("hex").slice(0, 16));
  }

  /** The session's snapshots, in whichever workspace it ran; null: there are none. */
  static find(root: string, session: SessionId): SessionSnapshots | null {
    if (!existsSync(root)) return null;
    for (const folder of readdirSync(root)) {
      const file = join(root, folder, "sessions", `${session}.json`);
      if (existsSync(file)) return JSON.parse(readFileSync(file, "utf8")) as SessionSnapshots; // written by `remember`
    }
    return null;
  }

  remember(session: SessionId, snapshots: SessionSnapshots): void {
    const file = join(this.#folder, "sessions", `${session}.json`);
    writeWhole(file, Buffer.from(JSON.stringify(snapshots)));
  }

  recall(session: SessionId): SessionSnapshots | null {
    return SnapshotStore.find(this.#root, session);
  }

  /** The workspace as it is. `except` as for `readTree`; `now`: Unix ms. Throws `workspace.too-large`, and what the disk says. */
  take(except: readonly string[], now: number): Taken {
    mkdirSync(join(this.#folder, "sessions"), { recursive: true, mode: 0o700 });
    const last = this.#newest();
    const id = this.#nextId();
    const pack = new Pack(join(this.#folder, `${id}.pack`), id);
    let tree: Tree;
    try {
      tree = readTree(this.#workspace, except, keeper(last?.tree ?? new Map(), pack, now));
    } finally {
      pack.close();
    }
    const notKept = [...tree.values()].filter(
      (e) => e.kind === "left" || (e.kind === "file" && e.kept === null),
    ).length;
    if (last !== null && isUnchanged(last.tree, tree)) return { id: last.id, tree: last.tree, notKept };
    writeWhole(join(this.#folder, `${id}.tree`), encode(tree));
    this.#last = { id, tree };
    return { id, tree, notKept };
  }

  /** The newest state, from memory if it is still that: another process may have written one since. */
  #newest(): { readonly id: string; readonly tree: Tree } | null {
    const id = this.#numbers("tree").at(-1);
    if (id === undefined) {
      writeFileSync(join(this.#folder, "workspace"), this.#workspace, { mode: 0o600 });
      return null;
    }
    if (this.#last?.id === id) return this.#last;
    try {
      return { id, tree: this.tree(id) };
    } catch {
      return null; // damaged: everything is read again
    }
  }

  /** Throws when it is not there or damaged. */
  tree(id: string): Tree {
    const bytes = readFileSync(join(this.#folder, `${id}.tree`));
    const rows: unknown = JSON.parse(
      zstdDecompressSync(bytes.subarray(bytes.indexOf(10) + 1)).toString("utf8"),
    );
    return new Map(rows as [string, Entry][]); // written by `take`
  }

  /** The bytes that were kept; null when they are not there any more or not the same. */
  read(file: FileEntry): Buffer | null {
    if (file.kept === null) return null;
    try {
      const { start } = file.kept;
      const bytes = this.#frameOf(file.kept).subarray(start, start + file.bytes);
      return createHash("sha256").update(bytes).digest("hex") === file.sha256 ? bytes : null;
    } catch {
      return null; // told as lost
    }
  }

  #frameOf({ pack, offset, length }: Kept): Buffer {
    const at = `${pack}:${offset}`;
    if (this.#frame?.at === at) return this.#frame.bytes;
    const frame = Buffer.alloc(length);
    const fd = openSync(join(this.#folder, `${pack}.pack`), constants.O_RDONLY);
    try {
      readSync(fd, frame, 0, length, offset);
    } finally {
      closeSync(fd);
    }
    this.#frame = { at, bytes: zstdDecompressSync(frame) };
    return this.#frame.bytes;
  }

  /** Removes what belongs to no session that can still be undone, and to no newest state. */
  prune(): void {
    const folder = join(this.#folder, "sessions");
    const sessions = readdirSync(folder)
      .map((name) => ({ name, at: statSync(join(folder, name)).mtimeMs }))
      .sort((one, other) => other.at - one.at);
    for (const { name } of sessions.slice(KEPT_SESSIONS)) rmSync(join(folder, name), { force: true });
    const named = new Set(this.#numbers("tree").slice(-1));
    for (const { name } of sessions.slice(0, KEPT_SESSIONS)) {
      const kept = JSON.parse(readFileSync(join(folder, name), "utf8")) as SessionSnapshots; // as in `find`
      for (const id of [kept.before, kept.after, kept.undone?.before, kept.undone?.after])
        if (typeof id === "string") named.add(id);
    }
    const packs = new Set<string>();
    for (const id of this.#numbers("tree"))
      if (!named.has(id)) rmSync(join(this.#folder, `${id}.tree`), { force: true });
      else for (const pack of packsOf(join(this.#folder, `${id}.tree`))) packs.add(pack);
    for (const id of this.#numbers("pack"))
      if (!packs.has(id)) rmSync(join(this.#folder, `${id}.pack`), { force: true });
  }

  #numbers(ending: "tree" | "pack"): string[] {
    return readdirSync(this.#folder)
      .flatMap((name) => (/^\d{8}\./.test(name) && name.endsWith(`.${ending}`) ? [name.slice(0, 8)] : []))
      .sort();
  }

  #nextId(): string {
    const newest = [...this.#numbers("tree"), ...this.#numbers("pack")].sort().at(-1);
    return String(Number(newest ?? "0") + 1).padStart(8, "0");
  }
}

/** Makes the entries of files: out of the last tree where nothing has changed, else by reading and keeping. */
function keeper(
  last: Tree,
  pack: Pack,
  now: number,
): (path: string, at: Buffer, stat: BigIntStats) => FileEntry {
  const until = performance.now() + MAX_READING_MS;
  let left = MAX_NEW_BYTES;
  let known: Map<string, Kept> | null = null;
  return (path, at, stat) => {
    const identity = identityOf(stat);
    const mode = Number(stat.mode) & 0o7777;
    const before = last.get(path);
    if (before?.kind === "file" && before.identity === identity && !before.isFresh && before.kept !== null)
      return before.mode === mode ? before : { ...before, mode };
    const bytes = Number(stat.size);
    const isFresh = now - Number(stat.ctimeMs) < FRESH_MS;
    const file = { kind: "file", mode, bytes, identity, isFresh } as const;
    const not = (why: string): FileEntry => ({ ...file, sha256: null, kept: null, why });
    if (bytes > MAX_FILE_BYTES) return not("larger than 64 MB");
    if (bytes > left) return not("over the limit of one snapshot");
    if (performance.now() > until) return not("there was no time to read it");
    const read = readWhole(at, bytes, identity);
    if (typeof read === "string") return not(read);
    left -= bytes;
    const sha256 = createHash("sha256").update(read).digest("hex");
    known ??= new Map(
      [...last.values()].flatMap((e) =>
        e.kind === "file" && e.sha256 !== null && e.kept !== null ? [[e.sha256, e.kept]] : [],
      ),
    );
    const kept = known.get(sha256) ?? pack.add(read);
    known.set(sha256, kept);
    return { ...file, sha256, kept, why: null };
  };
}

/** The bytes of the file that was listed, or why not. */
function readWhole(at: Buffer, bytes: number, identity: string): Buffer | string {
  let fd: number;
  try {
    fd = openSync(at, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return "cannot be read";
  }
  try {
    const buffer = Buffer.allocUnsafe(bytes);
    let got = 0;
    while (got < bytes) {
      const count = readSync(fd, buffer, got, bytes - got, null);
      if (count === 0) break;
      got += count;
    }
    return got === bytes && identityOf(fstatSync(fd, { bigint: true })) === identity
      ? buffer
      : "was being changed";
  } catch {
    return "cannot be read";
  } finally {
    closeSync(fd);
  }
}

/** A new pack; the file is made when there is something to keep. */
class Pack {
  readonly #file: string;
  readonly #id: string;
  #fd: number | null = null;
  #offset = 0;
  #parts: Buffer[] = [];
  #size = 0;
  /** Those of the frame under way: their offset and length are known when it is full. */
  #waiting: { offset: number; length: number }[] = [];

  constructor(file: string, id: string) {
    this.#file = file;
    this.#id = id;
  }

  add(bytes: Buffer): Kept {
    const kept = { pack: this.#id, offset: 0, length: 0, start: this.#size };
    this.#parts.push(bytes);
    this.#size += bytes.length;
    this.#waiting.push(kept);
    if (this.#size >= FRAME_BYTES) this.#flush();
    return kept;
  }

  close(): void {
    this.#flush();
    if (this.#fd !== null) closeSync(this.#fd);
  }

  #flush(): void {
    if (this.#waiting.length === 0) return;
    this.#fd ??= openSync(this.#file, "wx", 0o600);
    const frame = zstdCompressSync(Buffer.concat(this.#parts), {
      params: { [zlib.ZSTD_c_compressionLevel]: 1 },
    });
    for (let done = 0; done < frame.length; ) done += writeSync(this.#fd, frame, done);
    for (const kept of this.#waiting) Object.assign(kept, { offset: this.#offset, length: frame.length });
    this.#offset += frame.length;
    this.#parts = [];
    this.#size = 0;
    this.#waiting = [];
  }
}

const isUnchanged = (last: Tree, tree: Tree): boolean =>
  last.size === tree.size &&
  [...tree].every(([path, entry]) => {
    const before = last.get(path);
    return entry.kind === "file" ? entry === before : isSame(before, entry);
  });

function encode(tree: Tree): Buffer {
  const packs = new Set<string>();
  for (const entry of tree.values())
    if (entry.kind === "file" && entry.kept !== null) packs.add(entry.kept.pack);
  const head = `${JSON.stringify({ v: 1, packs: [...packs] })}\n`;
  const rows = zstdCompressSync(JSON.stringify([...tree]), { params: { [zlib.ZSTD_c_compressionLevel]: 1 } });
  return Buffer.concat([Buffer.from(head), rows]);
}

function packsOf(file: string): readonly string[] {
  const bytes = readFileSync(file);
  const head = JSON.parse(bytes.toString("utf8", 0, bytes.indexOf(10))) as { packs: readonly string[] }; // as `encode` made it
  return head.packs;
}

function writeWhole(file: string, bytes: Buffer): void {
  const temporary = `${file}.${randomBytes(4).toString("hex")}`;
  writeFileSync(temporary, bytes, { flag: "wx", mode: 0o600 });
  renameSync(temporary, file);
}
