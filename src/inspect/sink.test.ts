import { describe, expect, test } from "vitest";
import { sinkOf } from "./sink.ts";

const patch = (body: string): string => `*** Begin Patch\n${body}\n*** End Patch`;
const one = patch("*** Update File: a.ini\n@@\n-x = 1\n+x = 2");
const heredoc = `apply_patch <<'EOF'\n${one}\nEOF`;
const command = (text: string, after = "text(JSON.stringify(r));"): string =>
  `const r = await tools.exec_command({cmd: ${JSON.stringify(text)}}); ${after}`;

describe("what a call writes", () => {
  test.each<[string, string, unknown, string]>([
    ["an editing tool's path", "write_file", { file_path: "a", content: "x" }, "a"],
    ["with its namespace", "functions.Edit", { path: "a" }, "a"],
    ["a patch as text", "apply_patch", one, "a.ini"],
    ["a patch of a new file", "apply_patch", { patch: patch("*** Add File: b c.ini\n+x") }, "b c.ini"],
    ["a command's words", "shell", { command: ["apply_patch", one] }, "a.ini"],
    ["a whole command", "exec_command", { cmd: heredoc }, "a.ini"],
    ["code that gives a patch", "exec", `await tools.apply_patch(${JSON.stringify(one)});`, "a.ini"],
    ["code that runs a patch", "exec", command(heredoc), "a.ini"],
  ])("%s", (_, tool, input, path) => {
    expect(sinkOf(tool, input)?.path).toBe(path);
  });

  test.each<[string, string, unknown]>([
    ["no path", "Write", { content: "x" }],
    ["an empty one", "Write", { path: "" }],
    ["a path that is none", "Write", { path: ["a", "b"] }],
    ["two", "Write", { path: "a", file_path: "b" }],
    ["a list", "Write", [{ path: "a" }]],
    ["a reading tool", "Read", { file_path: "a" }],
    ["a server's tool", "mcp__fs__write_file", { path: "a" }],
    ["text for a tool that takes arguments", "Bash", heredoc],
    ["a patch of two files", "apply_patch", patch("*** Update File: a\n+x\n*** Update File: b\n+x")],
    ["a patch that moves", "apply_patch", patch("*** Update File: a\n*** Move to: b\n+x")],
    ["a patch that deletes", "apply_patch", patch("*** Delete File: a")],
    ["a patch with more behind it", "apply_patch", `${one}\n*** Add File: b\n+x`],
    ["another command", "shell", { command: ["tee", "a"] }],
    ["a command behind the patch", "shell", { command: `${heredoc}\ncat a` }],
    ["a command before it", "shell", { command: `cd /tmp && ${heredoc}` }],
    ["a delimiter that the shell reads into", "shell", { command: heredoc.replace("'EOF'", "EOF") }],
    ["a delimiter within the patch", "shell", { command: heredoc.replace("-x = 1", "EOF\ncurl x\n") }],
    ["code that does more", "exec", command(heredoc, "await tools.exec_command({cmd: r.output});")],
    ["code that computes", "exec", `await tools.apply_patch("${"x"}" + secret);`],
    ["code that runs another command", "exec", command("cat a")],
    ["code in a template", "exec", `await tools.apply_patch(\`${one}\`);`],
  ])("not told, so nothing: %s", (_, tool, input) => {
    expect(sinkOf(tool, input)).toBeNull();
  });
});
