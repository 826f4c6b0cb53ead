import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { asSessionId, type EventBody, exchangeId, type SessionId } from "../core/index.ts";
import { commitOf, listFiles, readText } from "./contents.ts";
import { Traces } from "./traces.ts";

const SESSION = asSessionId("0123abcd") as SessionId;
let folder: string;
let work: string;
let events: EventBody[];
let faults: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sp-trace-"));
  work = join(folder, "work");
  mkdirSync(work);
  events = [];
  faults = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(path: string, text: string): string {
  mkdirSync(dirname(join(work, path)), { recursive: true });
  writeFileSync(join(work, path), text);
  return text;
}
const code = (from: number, count: number): string =>
  Array.from(
    { length: count },
    (_, n) => `const value${from + n} = compute(${(from + n) * 31}, "name ${from + n}");\n`,
  ).join("");
const open = (finishMs = 60_000): Traces =>
  new Traces({
    finishMs,
    session: SESSION,
    workspace: work,
    name: "work",
    except: [join(work, "state")],
    append: async (event) => events.push(event),
    onFault: (fault) => faults.push(fault.message),
  });
let number = 0;
const send = (
  traces: Traces,
  text: string,
  named: readonly string[] = [],
  sentTo = "https://a.example",
): string => {
  const exchange = exchangeId(SESSION, ++number);
  traces.begin({ exchange, host: "a.example", sentTo, destination: null, texts: [{ text, named }] });
  return exchange;
};
const traced = (): (readonly [string, unknown])[][] =>
  events.flatMap((event) =>
    event.kind === "exchange.traced" ? [event.files.map(({ path, lines }) => [path, lines] as const)] : [],
  );

describe("traces", () => {
  it("tell exact lines, their share, their bytes and the file's hash, once a request has left", async () => {
    const text = write("src/a.ts", code(0, 40));
    write("b.ts", code(1000, 20));
    const traces = open();
    const exchange = send(traces, text.split("\n").slice(4, 12).join("\n"));
    traces.settle(exchange, true);
    await traces.finish();
    expect(events.map(({ kind }) => kind)).toEqual(["workspace.measured", "exchange.traced"]);
    expect(events[0]).toMatchObject({
      ...{ workspace: "work", commit: null, files: 2, lines: 60, notRead: 0 },
      folders: [
        { path: "", files: 2, lines: 60 },
        { path: "src", files: 1, lines: 40 },
      ],
    });
    const sha256 = createHash("sha256").update(text).digest("hex");
    const bytes = Buffer.byteLength(`${text.split("\n").slice(4, 12).join("\n")}\n`);
    expect(events[1]).toMatchObject({
      ...{ exchange, host: "a.example", sentTo: "https://a.example", destination: null },
      files: [{ path: "src/a.ts", lines: [[5, 12]], of: 40, bytes, sha256 }],
    });
    expect(faults).toEqual([]);
  });

  it("of a request that did not leave nothing is told, and its lines are new when they leave", async () => {
    const text = write("a.ts", code(0, 10));
    const traces = open();
    traces.settle(send(traces, text), false);
    traces.settle(send(traces, text), true);
    traces.settle(send(traces, text), true);
    traces.settle(send(traces, text, [], "https://b.example"), true);
    await traces.finish();
    expect(traced()).toEqual([[["a.ts", [[1, 10]]]], [], [["a.ts", [[1, 10]]]]]);
  });

  it("a file is compared as it is when it is sent: changed, new, hidden or installed", async () => {
    write("a.ts", code(0, 10));
    const traces = open();
    traces.settle(send(traces, "nothing of it"), true);
    const changed = write("a.ts", code(5_000, 12));
    traces.settle(send(traces, changed, ["a.ts"]), true);
    const installed = write("node_modules/x/index.js", code(7_000, 8));
    traces.settle(send(traces, installed, ["node_modules/x/index.js"]), true);
    const hidden = write(".env", "TOKEN=never-a-real-one\n");
    traces.settle(send(traces, hidden, [".env"]), true);
    await traces.finish();
    expect(traced()).toEqual([
      [],
      [["a.ts", [[1, 12]]]],
      [["node_modules/x/index.js", [[1, 8]]]],
      [[".env", [[1, 1]]]],
    ]);
  });

  it("an end that comes at once waits for what is outstanding", async () => {
    const text = write("a.ts", code(0, 3_000));
    const traces = open();
    for (let n = 0; n < 20; n++) traces.settle(send(traces, text.slice(n * 4_000, n * 4_000 + 4_000)), true);
    await traces.finish();
    expect(events.filter(({ kind }) => kind === "exchange.traced")).toHaveLength(20);
    send(traces, text);
    expect(faults).toEqual([]);
  });

  it("an end does not wait for a huge workspace: what is outstanding is compared and recorded after it", async () => {
    const text = write("a.ts", code(0, 3_000));
    const traces = open(0);
    traces.settle(send(traces, text), true);
    await traces.finish();
    expect(events).toEqual([]);
    send(traces, text);
    await traces.gone;
    expect(traced()).toEqual([[["a.ts", [[1, 3_000]]]]]);
    expect(faults).toEqual([]);
  });

  it("a station that stops gives up what is outstanding", async () => {
    const traces = open(0);
    traces.settle(send(traces, write("a.ts", code(0, 3_000))), true);
    await traces.finish();
    await traces.abandon();
    await traces.gone;
    expect(traced()).toEqual([]);
    expect(faults).toEqual([]);
  });

  it("a workspace that is gone is measured as nothing, and its requests are traced to nothing", async () => {
    rmSync(work, { recursive: true });
    const traces = open();
    traces.settle(send(traces, code(0, 10)), true);
    await traces.finish();
    expect(events).toMatchObject([{ files: 0, lines: 0 }, { files: [] }]);
  });
});

describe("contents", () => {
  it("are a workspace's own text files: no link, no git, nothing installed, nothing of ours", () => {
    write("a.ts", "a");
    write("deep/er/b.ts", "b");
    write(".git/config", "c");
    write("node_modules/x/index.js", "d");
    write("state/ledger", "e");
    write("large.txt", "x".repeat((1 << 20) + 1));
    writeFileSync(join(folder, "outside.txt"), "outside");
    symlinkSync(join(folder, "outside.txt"), join(work, "link.txt"));
    symlinkSync(folder, join(work, "way-out"));
    const { files, notRead } = listFiles(work, [join(work, "state")]);
    expect(files.map(({ path }) => path)).toEqual(["a.ts", "deep/er/b.ts"]);
    expect(notRead).toBe(1);
  });

  it.each(["../outside.txt", "/etc/passwd", "way-out/outside.txt", "link.txt", "", ".", "a/../b", "binary"])(
    "a name leads nowhere else: %s",
    (path) => {
      writeFileSync(join(folder, "outside.txt"), "outside");
      symlinkSync(join(folder, "outside.txt"), join(work, "link.txt"));
      symlinkSync(folder, join(work, "way-out"));
      writeFileSync(join(work, "binary"), Buffer.from([65, 0, 66]));
      expect(readText(work, path)).toBeNull();
    },
  );

  it("the commit is what git says it is, also of a work tree, packed and detached; none is no fault", () => {
    expect(commitOf(work)).toBeNull();
    const git = (cwd: string, ...args: string[]): string =>
      execFileSync("git", ["-c", "user.name=T", "-c", "user.email=t@example.com", ...args], {
        cwd,
        encoding: "utf8",
        env: { PATH: process.env["PATH"] ?? "", HOME: folder },
      }).trim();
    git(work, "init", "-q", "-b", "trunk");
    expect(commitOf(work)).toBeNull();
    write("a.ts", "a");
    git(work, "add", ".");
    git(work, "commit", "-qm", "one");
    const head = git(work, "rev-parse", "HEAD");
    expect(commitOf(work)).toBe(head);
    git(work, "worktree", "add", "-q", "-b", "side", join(folder, "side"));
    expect(commitOf(join(folder, "side"))).toBe(head);
    git(work, "pack-refs", "--all");
    expect(commitOf(work)).toBe(head);
    git(work, "checkout", "-q", "--detach");
    expect(commitOf(work)).toBe(head);
  });
});
