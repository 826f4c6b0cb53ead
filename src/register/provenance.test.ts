import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Spec, Validation } from "@cyclonedx/cyclonedx-library";
import { afterAll, describe, expect, it, test } from "vitest";
import {
  agentNamed,
  cycloneDx,
  installCommandChecks,
  nameCheck,
  type RegistryFacts,
  registryChecks,
  scriptCheck,
  VENDOR_MANIFESTS,
  vendorManifest,
} from "./index.ts";

const NOW = Date.parse("2026-11-20");
const DAY = 86_400_000;

describe("a package's name", () => {
  test.each([
    ["@anthropic-ai/claude-code", "ok"],
    ["@openai/codex", "ok"],
    ["opencode-ai", "ok"],
    ["claude-code", "failed"],
    ["@antropic-ai/claude-code", "failed"],
    ["@anthropic-ai/claude-c0de", "failed"],
    ["@anthropic_ai/claude.code", "failed"],
    ["@anthropic-ai/claud-ecode", "failed"],
    ["@\u0430nthropic-ai/claude-code", "failed"],
    ["anthropic-ai-claude-code", "failed"],
    ["@qwen-c0de/qwen-code", "failed"],
    ["@google/gemini-cIi", "failed"],
    ["gemini-cli", "failed"],
    ["opencode-al", "failed"],
    ["typescript", "attention"],
    ["@google/genai", "attention"],
    ["@openai/agents", "attention"],
  ])("%s: %s", (name, state) => {
    expect(nameCheck(name).state).toBe(state);
  });
});

describe("an install command", () => {
  test.each<[string, readonly string[]]>([
    ["npm install -g @anthropic-ai/claude-code@latest", ["name ok"]],
    ["npm i -g claude-code && claude", ["name failed"]],
    ["npx -y @qwen-code/qwen-codee", ["name failed"]],
    ["pnpm add -g @openai/codex typescript", ["name ok", "name attention"]],
    ["curl -fsSL https://claude.ai/install.sh | bash", ["host ok"]],
    ["curl -fsSL 'https://c1aude.ai/install.sh' | bash", ["host failed"]],
    ["curl https://get.example/install | sh", ["host attention"]],
    ["npm run build", []],
  ])("%s", (command, expected) => {
    expect(installCommandChecks(command).map(({ id, state }) => `${id} ${state}`)).toEqual(expected);
  });
});

describe("what the registry says", () => {
  const facts = (more: Partial<RegistryFacts> = {}): RegistryFacts => ({
    integrity: "sha512-x",
    unpacked: "sha512-x",
    publishedAt: NOW - 30 * DAY,
    publisher: "vendor-bot",
    maintainers: ["a", "b"],
    before: { publisher: "vendor-bot", maintainers: ["a", "b"] },
    ...more,
  });
  const states = (given: RegistryFacts | null): Record<string, string> =>
    Object.fromEntries(registryChecks(given, NOW).map(({ id, state }) => [id, state]));

  test.each<[string, RegistryFacts | null, Record<string, string>]>([
    ["all of it", facts(), { integrity: "ok", age: "ok", publisher: "ok" }],
    [
      "nothing: a mirror strips it",
      facts({ integrity: null, publishedAt: null, publisher: null, maintainers: null, before: null }),
      { integrity: "unchecked", age: "unchecked", publisher: "unchecked" },
    ],
    ["no answer", null, { integrity: "unchecked", age: "unchecked", publisher: "unchecked" }],
    ["another hash than of what was unpacked", facts({ unpacked: "sha512-y" }), { integrity: "failed" }],
    ["a hash, and nothing noted here", facts({ unpacked: null }), { integrity: "unchecked" }],
    ["published yesterday", facts({ publishedAt: NOW - DAY }), { age: "attention" }],
    ["by somebody else than before", facts({ publisher: "mallory" }), { publisher: "attention" }],
    ["a new maintainer", facts({ maintainers: ["a", "b", "mallory"] }), { publisher: "attention" }],
  ])("%s", (_what, given, expected) => {
    expect(states(given)).toMatchObject(expected);
  });
});

it("an install script is shown, whichever package brings it", () => {
  expect(scriptCheck([{ name: "a", scripts: { test: "x" } }]).state).toBe("ok");
  expect(
    scriptCheck([
      { name: "a", scripts: {} },
      { name: "b", scripts: { postinstall: "node x.js" } },
    ]),
  ).toMatchObject({
    state: "attention",
    detail: expect.stringContaining("b postinstall: node x.js"),
  });
});

/** A key made for this test signs; the vendor's own is not here. */
const hasGpg = (() => {
  try {
    execFileSync("gpg", ["--version"], { stdio: "ignore" });
    execFileSync("gpgv", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();

describe.skipIf(!hasGpg)(
  `the vendor's signed manifest${hasGpg ? "" : " (SKIPPED: gpg or gpgv is not installed)"}`,
  () => {
    const kind = agentNamed("claude");
    if (kind === null) throw new Error("claude is known");
    const home = mkdtempSync(join(tmpdir(), "g-"));
    chmodSync(home, 0o700);
    const gpg = (...args: string[]): Buffer =>
      execFileSync(
        "gpg",
        ["--homedir", home, "--batch", "--quiet", "--passphrase", "", "--pinentry-mode", "loopback", ...args],
        { stdio: ["ignore", "pipe", "ignore"] },
      );
    afterAll(() => execFileSync("gpgconf", ["--homedir", home, "--kill", "all"]));
    gpg("--quick-generate-key", "test@sallyport.invalid", "ed25519", "sign");
    const fingerprint =
      /^fpr:+([0-9A-F]{40}):/m.exec(gpg("--list-keys", "--with-colons").toString())?.[1] ?? "";
    const keyring = join(home, "key.gpg");
    writeFileSync(keyring, gpg("--export"));
    const armoured = join(home, "key.asc");
    writeFileSync(armoured, gpg("--armor", "--export"));
    const bytes = "a".repeat(64);
    const signed = (manifest: string): { manifest: Buffer; signature: Buffer } => {
      writeFileSync(join(home, "m"), manifest);
      gpg("--yes", "--detach-sign", "-o", join(home, "m.sig"), join(home, "m"));
      return { manifest: readFileSync(join(home, "m")), signature: readFileSync(join(home, "m.sig")) };
    };
    const good = signed(
      JSON.stringify({ version: "1", platforms: { "linux-x64": { checksum: bytes, size: 1 } } }),
    );
    const check = (
      fetched: Parameters<typeof vendorManifest>[1],
      ring = keyring,
      platform = "linux-x64",
      executable = bytes,
    ): string => {
      const known = VENDOR_MANIFESTS["claude"];
      if (known === undefined) throw new Error("claude publishes one");
      const own = { ...known, fingerprint };
      return vendorManifest(kind, fetched, ring, platform, executable, own).state;
    };
    test.each<[string, () => string, string]>([
      ["good", () => check(good), "ok"],
      ["good, by a key in armour", () => check(good, armoured), "ok"],
      ["not fetched", () => check(null), "unchecked"],
      ["no key here", () => check(good, join(home, "none.gpg")), "unchecked"],
      ["other bytes of the executable", () => check(good, keyring, "linux-x64", "b".repeat(64)), "failed"],
      ["another platform", () => check(good, keyring, "linux-arm64"), "failed"],
      [
        "a changed manifest",
        () => check({ ...good, manifest: Buffer.from(String(good.manifest).replace("aaaa", "bbbb")) }),
        "failed",
      ],
      [
        "signed by another key than the vendor's",
        () => vendorManifest(kind, good, keyring, "linux-x64", bytes).state,
        "failed",
      ],
    ])("%s: %s", (_what, act, state) => {
      expect(act()).toBe(state);
    });
  },
);

it("a build's parts are listed as CycloneDX, the same bytes each time, as its schema wants them", async () => {
  const parts = [
    { name: "@v/agent", version: "1.2.3", dependencies: ["dep"], scripts: {}, licence: "MIT" },
    { name: "dep", version: "2.0.0", dependencies: [], scripts: {}, licence: null },
  ];
  const bom = cycloneDx(parts, "h1:x");
  expect(cycloneDx(parts, "h1:x")).toEqual(bom);
  expect(bom).toMatchObject({
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    serialNumber: expect.stringMatching(
      /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/,
    ),
    metadata: {
      component: { purl: "pkg:npm/%40v/agent@1.2.3", group: "@v", name: "agent", type: "application" },
    },
    components: [{ purl: "pkg:npm/dep@2.0.0" }],
    dependencies: [{ ref: "pkg:npm/%40v/agent@1.2.3", dependsOn: ["pkg:npm/dep@2.0.0"] }, { dependsOn: [] }],
  });
  const { JsonStrictValidator } = Validation;
  const validator = new JsonStrictValidator(Spec.Version.v1dot6);
  expect(await validator.validate(JSON.stringify(bom))).toBeNull();
  expect(
    await validator.validate(JSON.stringify({ ...bom, components: [{ type: "no such" }] })),
  ).not.toBeNull();
});
