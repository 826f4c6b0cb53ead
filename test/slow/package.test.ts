// What is published, unpacked where npm would put it, with the packages it names beside it: it runs from there.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ROOT } from "../harness.ts";

let folder: string;
let modules: string;
const env = (): NodeJS.ProcessEnv => ({
  // bin/sallyport takes the Node that is first on PATH.
  PATH: `${dirname(process.execPath)}:${process.env["PATH"]}`,
  HOME: folder,
  SALLYPORT_HOME: join(folder, "state"),
});
const sallyport = (...args: readonly string[]): string =>
  execFileSync(join(modules, ".bin/sallyport"), args, {
    cwd: join(folder, "work"),
    env: env(),
    encoding: "utf8",
  });

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "sp-package-"));
  modules = join(folder, "node_modules");
  for (const name of ["work", "node_modules/.bin"]) mkdirSync(join(folder, name), { recursive: true });
  execFileSync("npm", ["pack", "--silent", "--pack-destination", folder], { cwd: ROOT, stdio: "ignore" });
  const archive = readdirSync(folder).find((name) => name.endsWith(".tgz")) ?? "";
  execFileSync("tar", ["xzf", join(folder, archive), "-C", modules, "--transform", "s/^package/sallyport/"]);
  symlinkSync("../sallyport/bin/sallyport", join(modules, ".bin/sallyport"));
  const { dependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
    dependencies: Record<string, string>;
  };
  for (const name of Object.keys(dependencies)) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(ROOT, "node_modules", name), join(modules, name));
  }
}, 300_000);
afterAll(() => {
  sallyport("down", "--force");
  rmSync(folder, { recursive: true, force: true });
});

it("without a helper: the client is the one file of the package, and runs a program", () => {
  expect(existsSync(join(modules, "sallyport/dist/cli/client.cjs"))).toBe(true);
  expect(existsSync(join(modules, "sallyport/src"))).toBe(false);
  expect(sallyport("run", "-q", "--", "echo", "hello")).toBe("hello\n");
}, 60_000);

it("with the helper that `setup` builds there: the same, by a wall that was built while Node started, and recorded", () => {
  sallyport("setup");
  expect(sallyport("run", "-q", "--", "sh", "-c", "echo x > made; echo again")).toBe("again\n");
  const events = sallyport("export", "--format", "ndjson");
  expect(events).toContain('"command.started"');
  expect(events).toContain('"path":"made"');
}, 120_000);
