import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { asSessionId, type SessionId } from "../core/index.ts";
import { planRestore, restore, type Step } from "./restore.ts";
import { SnapshotStore, type Taken } from "./store.ts";

let folder: string;
let work: string;
let store: SnapshotStore;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sp-undo-"));
  work = join(folder, "work");
  mkdirSync(work);
  store = new SnapshotStore(join(folder, "snapshots"), work);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const NOW = 2_000_000_000_000; // after every file's time: none is fresh
const take = (now = NOW): Taken => store.take([], now);
const all = () => true;

function undo(before: Taken, after: Taken, isForced = false): readonly Step[] {
  const now = take();
  const steps = planRestore({
    before: before.tree,
    after: after.tree,
    now: now.tree,
    isChosen: all,
    isOwn: all,
    isForced,
  });
  const failed = restore(work, before.tree, steps, (file) => store.read(file)).filter(
    (r) => r.failed !== null,
  );
  expect(failed).toEqual([]);
  return steps;
}

type Shape = { [name: string]: Shape | string };
/** What a person would compare: kinds, bytes, modes, targets. */
function shape(at: string): Shape {
  return Object.fromEntries(
    readdirSync(at)
      .sort()
      .map((name) => {
        const path = join(at, name);
        const stat = lstatSync(path);
        const mode = (stat.mode & 0o7777).toString(8);
        if (stat.isSymbolicLink()) return [name, `-> ${readlinkSync(path)}`];
        if (stat.isDirectory()) return [`${name}/ ${mode}`, shape(path)];
        return [`${name} ${mode}`, readFileSync(path, "base64")];
      }),
  );
}

type Node =
  | { readonly kind: "file"; readonly bytes: Uint8Array; readonly mode: number }
  | { readonly kind: "link"; readonly target: string }
  | { readonly kind: "folder"; readonly mode: number; readonly inside: Readonly<Record<string, Node>> };
const NAME = fc.constantFrom("a", "b", "c", "ü", ".git", "node_modules");
const { node } = fc.letrec<{ node: Node }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.record({
      kind: fc.constant("file" as const),
      bytes: fc.uint8Array({ maxLength: 40 }),
      mode: fc.constantFrom(0o644, 0o755, 0o600, 0o444, 0o4755),
    }),
    fc.record({
      kind: fc.constant("link" as const),
      target: fc.constantFrom("a", "../b", "/etc", "nowhere"),
    }),
    fc.record({
      kind: fc.constant("folder" as const),
      mode: fc.constantFrom(0o755, 0o700, 0o555),
      inside: fc.dictionary(NAME, tie("node"), { maxKeys: 4 }),
    }),
  ),
}));
const TREE = fc.dictionary(NAME, node, { maxKeys: 5 });

function lay(at: string, inside: Readonly<Record<string, Node>>): void {
  for (const [name, item] of Object.entries(inside)) {
    const path = join(at, name);
    if (item.kind === "link") symlinkSync(item.target, path);
    else if (item.kind === "file") {
      writeFileSync(path, item.bytes);
      chmodSync(path, item.mode);
    } else {
      mkdirSync(path);
      lay(path, item.inside);
      chmodSync(path, item.mode);
    }
  }
}

function clear(at: string): void {
  for (const name of readdirSync(at)) {
    const path = join(at, name);
    if (lstatSync(path).isDirectory()) {
      chmodSync(path, 0o700);
      clear(path);
    }
    rmSync(path, { recursive: true, force: true });
  }
}

describe("the law of undo", () => {
  it("whatever a tree became, undoing gives the tree it was, and undoing that gives what it became", () => {
    fc.assert(
      fc.property(TREE, TREE, (was, became) => {
        clear(work);
        lay(work, was);
        const original = shape(work);
        const before = take();
        clear(work);
        lay(work, became);
        const changed = shape(work);
        const after = take();
        undo(before, after);
        expect(shape(work)).toEqual(original);
        const back = take();
        undo(after, back);
        expect(shape(work)).toEqual(changed);
      }),
      { numRuns: 40, interruptAfterTimeLimit: 12_000 },
    );
  });
});

describe("snapshots", () => {
  it("cost what changed: an unchanged workspace gives the state that is there, a changed file alone is kept", () => {
    writeFileSync(join(work, "big"), Buffer.alloc(100_000, "x"));
    writeFileSync(join(work, "small"), "one");
    const first = take();
    expect(take().id).toBe(first.id);
    writeFileSync(join(work, "small"), "two!");
    const second = take();
    expect(second.tree.get("big")).toBe(first.tree.get("big"));
    const packs = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((f) =>
      f.endsWith(".pack"),
    );
    const sizes = packs.sort().map((file) => lstatSync(join(folder, file)).size);
    expect(sizes).toHaveLength(2);
    expect(sizes[1]).toBeLessThan(50);
  });

  it("a file changed within the clock's tick, same size, times set back, is read again", () => {
    const file = join(work, "a");
    writeFileSync(file, "one");
    const at = lstatSync(file);
    const first = take(at.ctimeMs + 1);
    expect(first.tree.get("a")).toMatchObject({ isFresh: true });
    writeFileSync(file, "two");
    utimesSync(file, at.atime, at.mtime);
    expect(take(at.ctimeMs + 1).tree.get("a")).not.toMatchObject({
      sha256: (first.tree.get("a") as { sha256: string }).sha256,
    });
  });

  it("what was not kept is never claimed: a file over the limit is told as lost, and left alone", () => {
    const file = join(work, "huge");
    writeFileSync(file, "");
    truncateSync(file, (64 << 20) + 1);
    const before = take();
    expect(before.notKept).toBe(1);
    writeFileSync(file, "overwritten");
    expect(undo(before, take())).toEqual([
      { path: "huge", was: "changed", outcome: "lost", why: "larger than 64 MB" },
    ]);
    expect(readFileSync(file, "utf8")).toBe("overwritten");
  });

  it("installed packages beyond two thousand files are left, and said to be", () => {
    mkdirSync(join(work, "node_modules"));
    for (let n = 0; n < 2_001; n += 1) writeFileSync(join(work, "node_modules", `${n}`), "");
    const before = take();
    rmSync(join(work, "node_modules"), { recursive: true });
    expect(undo(before, take())).toMatchObject([{ path: "node_modules", was: "removed", outcome: "lost" }]);
  });

  it("a damaged pack gives nothing rather than something else", () => {
    writeFileSync(join(work, "a"), "precious");
    const entry = take().tree.get("a");
    const pack =
      readdirSync(folder, { recursive: true, encoding: "utf8" }).find((f) => f.endsWith(".pack")) ?? "";
    const bytes = readFileSync(join(folder, pack));
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 3) ^ 1, bytes.length - 3);
    writeFileSync(join(folder, pack), bytes);
    expect(entry?.kind === "file" && store.read(entry)).toBeNull();
  });

  it("pruning keeps what the last thirty sessions need, and nothing else", () => {
    const ids: Taken[] = [];
    for (let n = 0; n < 34; n += 1) {
      writeFileSync(join(work, "a"), `${n}`.padStart(4));
      const taken = take();
      ids.push(taken);
      const session = asSessionId(n.toString(16).padStart(8, "0")) as SessionId; // has the form of one
      store.remember(session, {
        workspace: work,
        before: taken.id,
        after: taken.id,
        isRecorded: false,
        undone: null,
      });
      const file = readdirSync(folder, { recursive: true, encoding: "utf8" }).find((f) =>
        f.endsWith(`${session}.json`),
      );
      utimesSync(join(folder, file ?? ""), n, n);
    }
    store.prune();
    expect(() => store.tree(ids[3]?.id ?? "")).toThrow();
    const entry = store.tree(ids[4]?.id ?? "").get("a");
    expect(entry?.kind === "file" && store.read(entry)?.toString()).toBe("   4");
  });
});

describe("undo", () => {
  it("what somebody changed after the session is not overwritten, unless forced", () => {
    writeFileSync(join(work, "a"), "before");
    const before = take();
    writeFileSync(join(work, "a"), "the session's");
    const after = take();
    writeFileSync(join(work, "a"), "mine, later");
    expect(undo(before, after)).toMatchObject([{ path: "a", outcome: "conflict" }]);
    expect(readFileSync(join(work, "a"), "utf8")).toBe("mine, later");
    undo(before, after, true);
    expect(readFileSync(join(work, "a"), "utf8")).toBe("before");
  });

  it("a folder that became a link out of the workspace is not stepped through", () => {
    mkdirSync(join(work, "src"));
    writeFileSync(join(work, "src/a"), "before");
    mkdirSync(join(folder, "outside"));
    writeFileSync(join(folder, "outside/a"), "not ours");
    const before = take();
    writeFileSync(join(work, "src/a"), "changed");
    const after = take();
    renameSync(join(work, "src"), join(folder, "elsewhere"));
    const now = take();
    symlinkSync(join(folder, "outside"), join(work, "src"));
    const steps = planRestore({
      before: before.tree,
      after: after.tree,
      now: now.tree,
      isChosen: all,
      isOwn: all,
      isForced: true,
    });
    const results = restore(work, before.tree, steps, (file) => store.read(file));
    expect(results.every(({ failed }) => failed !== null)).toBe(true);
    expect(readFileSync(join(folder, "outside/a"), "utf8")).toBe("not ours");
  });

  it("new git objects stay, and a file nobody of the session touched stays too", () => {
    mkdirSync(join(work, ".git/objects/ab"), { recursive: true });
    const before = take();
    writeFileSync(join(work, ".git/objects/ab/cd"), "object");
    writeFileSync(join(work, "mine"), "written by hand meanwhile");
    const after = take();
    const steps = planRestore({
      before: before.tree,
      after: after.tree,
      now: after.tree,
      isChosen: all,
      isOwn: () => false,
      isForced: false,
    });
    expect(steps.map(({ path, outcome }) => [path, outcome])).toEqual([
      [".git/objects/ab/cd", "stays"],
      ["mine", "other"],
    ]);
    expect(existsSync(join(work, "mine"))).toBe(true);
  });
});
