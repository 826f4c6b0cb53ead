import { describe, expect, it, test } from "vitest";
import { exchangeId, newSessionId } from "../core/index.ts";
import { type AskedFor, Calls } from "./calls.ts";

const session = newSessionId(() => Buffer.from("7f3a0001", "hex"));
const first = exchangeId(session, 1);
const second = exchangeId(session, 2);
const bash = (command: string, number = 1): AskedFor => ({
  ...{ tool: "Bash", number, commands: [command], paths: [] },
});
const write = (path: string): AskedFor => ({ tool: "Write", number: 1, commands: [], paths: [path] });
const calls = (): Calls => new Calls("/work", "/work/src");

describe("a program is the doing of a call", () => {
  // As the agents of November 2026 start what they are asked for.
  test.each<[string, string, readonly string[]]>([
    [
      "claude",
      "echo hi > out.txt",
      [
        "/bin/bash",
        "-c",
        "source /h/snapshot.sh && eval 'echo hi > out.txt' < /dev/null && pwd -P >| /tmp/cwd",
      ],
    ],
    ["codex", "cat a && ls", ["bash", "-lc", "cat a && ls"]],
    ["a sandbox before the shell", "make", ["/opt/agent-sandbox", "--", "bash", "-c", "make"]],
    ["gemini", "npm test", ["bash", "-c", "shopt -u promptvars; { npm test; }; __code=$?; exit $__code"]],
    ["a quote within quotes", "echo 'a b'", ["sh", "-c", `eval 'echo '"'"'a b'"'"''`]],
    ["a quote by backslash", "echo 'a b'", ["sh", "-c", "eval 'echo '\\''a b'\\'''"]],
    ["a program of a shell that stays", "cd src && cat 'a b' > c; git log", ["/usr/bin/cat", "a b"]],
    ["without a shell", "git log --oneline", ["git", "log", "--oneline"]],
  ])("%s", (_name, command, words) => {
    const book = calls();
    book.ask(first, [bash(command)]);
    expect(book.ofCommand(7, 1, words)).toEqual({ exchange: first, tool: "Bash", number: 1 });
  });

  test.each<[string, string, readonly string[]]>([
    ["part of a longer word", "ls", ["bash", "-c", "false"]],
    ["part of a longer path", "cat a", ["bash", "-c", "cat a.txt"]],
    ["another argument", "git log", ["git", "log", "-1"]],
    ["text that no shell runs", "make all", ["/usr/bin/logger", "make all"]],
  ])("not by %s", (_name, command, words) => {
    const book = calls();
    book.ask(first, [bash(command)]);
    expect(book.ofCommand(7, 1, words)).toBeNull();
  });

  it("a call is the doing of one shell: the same command once more is the agent's own", () => {
    const book = calls();
    book.ask(first, [bash("make")]);
    expect(book.ofCommand(7, 1, ["bash", "-c", "make"])).not.toBeNull();
    expect(book.ofCommand(8, 1, ["bash", "-c", "make"])).toBeNull();
  });

  it("two calls of one command are told apart", () => {
    const book = calls();
    book.ask(first, [bash("make", 1), bash("make", 2)]);
    expect(book.ofCommand(7, 1, ["bash", "-c", "make"])?.number).toBe(1);
    expect(book.ofCommand(8, 1, ["bash", "-c", "make"])?.number).toBe(2);
  });

  it("what it starts has no call of its own, and uses up none", () => {
    const book = calls();
    book.ask(first, [bash("bash -c make")]);
    book.ask(second, [bash("make")]);
    expect(book.ofCommand(7, 1, ["sh", "-c", "bash -c make"])?.exchange).toBe(first);
    expect(book.ofCommand(8, 7, ["bash", "-c", "make"])).toBeNull();
    expect(book.ofCommand(9, 1, ["bash", "-c", "make"])?.exchange).toBe(second);
  });
});

describe("a change is the doing of a call", () => {
  it("that writes the file, wherever the path is said from", () => {
    for (const path of ["/work/src/a.ts", "a.ts", "../src/a.ts", "file:///work/src/a.ts"]) {
      const book = calls();
      book.ask(first, [write(path)]);
      expect(book.ofChange(1, "src/a.ts", null)?.tool).toBe("Write");
      expect(book.ofChange(1, "src/a.ts.tmp.1", "src/a.ts")?.tool).toBe("Write");
      expect(book.ofChange(1, "src/b.ts", null)).toBeNull();
    }
  });

  it("that names the file, where a shell that was there before runs it", () => {
    const book = calls();
    book.ask(first, [bash("echo hi > out.txt")]);
    expect(book.ofChange(1, "out.txt", null)?.tool).toBe("Bash");
    expect(book.ofChange(1, "ut.txt", null)).toBeNull();
  });

  it("not told again where its command is one", () => {
    const book = calls();
    book.ask(first, [bash("make"), write("a.ts")]);
    book.ofCommand(7, 1, ["bash", "-c", "make"]);
    expect(book.ofChange(7, "src/a.ts", null)).toBeNull();
  });
});

describe("a reply that is read after what it asked for had begun", () => {
  it("explains the program and the change", () => {
    const book = calls();
    book.ofCommand(7, 1, ["bash", "-c", "make all"]);
    book.ofCommand(8, 1, ["git", "status"]);
    book.ofChange(1, "src/a.ts", null);
    expect(book.ask(first, [bash("make all"), { ...write("a.ts"), number: 2 }])).toEqual([
      { call: { exchange: first, tool: "Bash", number: 1 }, commands: [7], paths: [] },
      { call: { exchange: first, tool: "Write", number: 2 }, commands: [], paths: ["src/a.ts"] },
    ]);
    expect(book.ofCommand(9, 7, ["cc", "a.c"]), "its programs have the same").toBeNull();
    expect(book.ask(second, [bash("make all")]), "once").toEqual([]);
  });
});
