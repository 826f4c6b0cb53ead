/** `install` from an organisation's own mirror: the approved bytes and nothing else, and what the mirror cannot show. */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { type Finished, Place } from "../harness.ts";
import { type Mirror, type Served, startMirror } from "../registry.ts";

const NATIVE = `@anthropic-ai/claude-code-linux-${process.arch}`;
/** As Claude Code is laid out: a small package, and one with the program for this platform. */
const claude = (program: string): readonly Served[] => [
  {
    manifest: {
      ...{
        name: "@anthropic-ai/claude-code",
        version: "2.1.329",
        optionalDependencies: { [NATIVE]: "2.1.329" },
      },
      scripts: { postinstall: "touch /tmp/sallyport-postinstall-ran" },
    },
    files: { "README.md": "for a test" },
  },
  { manifest: { name: NATIVE, version: "2.1.329" }, files: { claude: program } },
];
const GOOD = claude("#!/bin/sh\necho the approved one\n");
const BAD = claude("#!/bin/sh\necho another one\n");

let place: Place;
let mirror: Mirror;
beforeAll(async () => {
  mirror = await startMirror();
});
afterAll(async () => {
  await mirror.close();
  await place.close();
});
beforeEach(async () => {
  await place?.close();
  place = new Place();
});

const folder = (): string => join(place.folder, "cache/sallyport/agents/claude@2.1.329");
const around = (): Record<string, string> => ({
  XDG_CACHE_HOME: join(place.folder, "cache"),
  npm_config_registry: mirror.url,
  npm_config_cache: join(place.folder, "npm"),
  // npm asks again for bytes that do not fit, ten and then sixty seconds later.
  npm_config_fetch_retries: "0",
});
const sallyport = (...words: string[]): Promise<Finished> => place.run(words, around());
const install = (): Promise<Finished> => sallyport("install", "claude@2.1.329");
/** npm's own store would answer for the mirror. */
const forget = (): void => {
  for (const name of ["npm", "cache"]) rmSync(join(place.folder, name), { recursive: true, force: true });
};

it("takes the build from the mirror, runs none of its scripts, and asks nobody else", async () => {
  mirror.serve(GOOD);
  const done = await install();
  expect(done.code, done.stderr).toBe(0);
  expect(readFileSync(join(folder(), "node_modules", NATIVE, "claude"), "utf8")).toContain(
    "the approved one",
  );
  expect(existsSync("/tmp/sallyport-postinstall-ran")).toBe(false);
  expect(mirror.asked).toContain("/@anthropic-ai/claude-code");
});

it("bytes that are not those of the hash are refused, and nothing stays", async () => {
  mirror.serve(GOOD);
  mirror.serve(BAD, "of what was served before");
  const done = await install();
  expect(done.code).not.toBe(0);
  expect(done.stderr).toMatch(/EINTEGRITY|setup\.failed|could not be set up/i);
  const agents = join(place.folder, "cache/sallyport/agents");
  expect(existsSync(agents) ? readdirSync(agents) : []).toEqual([]);
});

it("a mirror that changes bytes and hash alike is caught by the register, and nothing stays", async () => {
  mirror.serve(GOOD);
  expect((await install()).code).toBe(0);
  const approved = await sallyport("register", "approve", "claude@2.1.329", "--reason", "read its report");
  expect(approved.code, approved.stderr).toBe(0);
  forget();
  mirror.serve(BAD);
  const refused = await install();
  expect(refused).toMatchObject({ code: 4 });
  expect(refused.stderr).toContain("its bytes are not the approved ones");
  expect(refused.stderr).toContain("ask who keeps your mirror where these bytes come from");
  expect(existsSync(folder())).toBe(false);
  mirror.serve(GOOD);
  expect((await install()).code).toBe(0);
});

it("what a mirror cannot show is said: its own signature is not npm's, attestations are not there", async () => {
  mirror.serve(GOOD);
  await install();
  const { checks } = JSON.parse((await sallyport("provenance", "claude@2.1.329", "--json")).stdout) as {
    checks: { id: string; state: string; detail: string }[];
  };
  const said = Object.fromEntries(checks.map(({ id, state, detail }) => [id, `${state}: ${detail}`]));
  expect(said).toMatchObject({
    integrity: expect.stringMatching(/^ok: sha512-/),
    signature: expect.stringMatching(/^unchecked: .*the-mirrors-own, no key of npm's.*linux-/),
    attestation: "unchecked: the registry has none to show (HTTP 404)",
    "install-scripts": expect.stringMatching(/^attention: .*postinstall/),
  });
  mirror.serve(BAD);
  rmSync(join(place.folder, "npm"), { recursive: true, force: true });
  const changed = await sallyport("provenance", "claude@2.1.329");
  expect(changed.code).toBe(7);
  expect(changed.stdout).toMatch(/FAILED +the registry's hash/);
});

it("the vendor's manifest is checked where it is handed in, with the key that is handed in", async () => {
  mirror.serve(GOOD);
  await install();
  const [manifest, key] = [join(place.folder, "manifest.json"), join(place.folder, "key.asc")];
  writeFileSync(manifest, JSON.stringify({ platforms: {} }));
  const missing = await sallyport("provenance", "claude@2.1.329", "--manifest", manifest);
  expect(missing.code).toBe(2);
  expect(missing.stderr).toContain(manifest);
  writeFileSync(`${manifest}.sig`, "no signature");
  writeFileSync(key, execFileSync("head", ["-c", "64", "/dev/zero"]));
  const done = await sallyport("provenance", "claude@2.1.329", "--manifest", manifest, "--key", key);
  expect(done.code).toBe(7);
  expect(done.stdout).toMatch(/FAILED +the vendor's own manifest +its signature is not by 31DDDE24/);
});
