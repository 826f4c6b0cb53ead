// A real agent, started by its name over stdio as an editor's extension does, goes through Sallyport.
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startScriptedModel } from "../../src/lab/index.ts";
import { agentNamed } from "../../src/register/index.ts";
import { Place } from "../harness.ts";

describe("claude by a shim", () => {
  let place: Place;
  beforeAll(async () => {
    place = new Place();
    const fetched = await place.run(["install", `claude@${agentNamed("claude")?.tested}`]);
    expect(fetched.code, fetched.stderr).toBe(0);
    expect((await place.run(["shim", "install", "claude"])).code).toBe(0);
  });
  afterAll(() => place?.close());

  it("speaks JSON on its input and output, and does its task inside", async () => {
    const model = await startScriptedModel({
      plan: { steps: [{ kind: "shell", command: "echo hi > out.txt" }], final: "All done." },
      cwd: place.workspace,
    });
    // A person's shim has no stand-in for the model: a test's has.
    const shims = join(place.state, "shims");
    const script = readFileSync(join(shims, "claude"), "utf8");
    writeFileSync(join(shims, "claude"), script.replaceAll(" -- claude", ` --upstream ${model.url} claude`));
    const child = spawn(
      "claude",
      ["-p", "--input-format", "stream-json", "--output-format", "stream-json", "--verbose"].concat([
        "--permission-mode",
        "bypassPermissions",
      ]),
      {
        cwd: place.workspace,
        env: {
          ...{ PATH: `${shims}:/usr/bin:/bin`, HOME: process.env["HOME"], SALLYPORT_HOME: place.state },
          XDG_CACHE_HOME: process.env["XDG_CACHE_HOME"],
        },
        stdio: "pipe",
      },
    );
    let out = "";
    child.stdout.on("data", (chunk) => {
      out += chunk;
    });
    const content = [{ type: "text", text: "run the command" }];
    child.stdin.end(`${JSON.stringify({ type: "user", message: { role: "user", content } })}\n`);
    const code = await new Promise((resolve) => child.once("close", resolve));
    await model.close();
    expect(code, out).toBe(0);
    const lines = out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { type: string; result?: string });
    expect(lines.at(-1)).toMatchObject({ type: "result", result: "All done." });
    expect(readFileSync(join(place.workspace, "out.txt"), "utf8")).toBe("hi\n");
    const log = JSON.parse((await place.run(["log", "--json"])).stdout.trim()) as object;
    expect(log).toMatchObject({ agent: { name: "claude" }, sandbox: "bubblewrap", exitCode: 0 });
  });
});
