import { describe, expect, test } from "vitest";
import { decide, decideConnection } from "./decide.ts";
import { parseDocument } from "./document.ts";
import { type Point, UNKNOWN_POINT } from "./label.ts";
import { layer } from "./layer.ts";
import { prove } from "./prove.ts";
import { READY_PROFILES, readyProfile } from "./ready.ts";

const policyOf = (name: string) => layer([parseDocument(readyProfile(name) ?? "", `${name}.yaml`)]);

test.each([...READY_PROFILES])("%s is a valid document of that name, and needs no other", (name) => {
  const policy = policyOf(name);
  expect(policy.name).toBe(name);
  expect(policy.sandbox.mode).toBe(name.startsWith("dangerously-") ? "none" : "bubblewrap");
});

test("no profile of an unknown name is made up", () => {
  expect(readyProfile("defualt")).toBeNull();
});

test.each([...READY_PROFILES])(
  "%s: an order to a model, an odd shape, or a form nobody knows is recorded and treated like public text",
  (name) => {
    const policy = policyOf(name);
    for (const channel of ["llm", "mcp", "auth", "package", "scm", "telemetry", "unknown"] as const)
      for (const operatorLaw of ["SELF", "unknown"])
        for (const dpa of ["signed", "unknown"]) {
          const of = (data: string): string =>
            decide(policy, { ...UNKNOWN_POINT, channel, operatorLaw, dpa, trains: "no", data }).verdict;
          expect([of("injection"), of("concealed")], `${channel} ${operatorLaw} ${dpa}`).toEqual([
            of("public"),
            of("public"),
          ]);
          if (channel === "llm" || channel === "mcp") expect(of("not_understood")).toBe(of("public"));
        }
  },
);

describe("the table of promises", () => {
  test.each<[profile: string, host: string, port: number, verdict: string]>([
    ["default", "api.anthropic.com", 443, "allow"],
    ["default", "chatgpt.com", 443, "allow"],
    ["default", "api.githubcopilot.com", 443, "allow"],
    ["default", "packages.npmjs.org", 443, "allow"],
    ["default", "packages.debian.org", 80, "allow"],
    ["default", "packages.npmjs.org", 80, "deny"],
    ["default", "statsig.anthropic.com", 443, "deny"],
    ["default", "gb4w8c3ygj-default-sea.rum.aliyuncs.com", 443, "deny"],
    ["default", "169.254.169.254", 80, "deny"],
    ["default", "pastebin.com", 443, "deny"],
    ["default", "127.0.0.1", 443, "deny"],
    ["observe", "pastebin.com", 443, "allow"],
    ["observe", "statsig.anthropic.com", 443, "allow"],
    ["restricted", "api.anthropic.com", 443, "allow"],
    ["restricted", "statsig.anthropic.com", 443, "deny"],
    ["restricted", "github.com", 443, "deny"],
    ["restricted", "llm.corp.internal", 443, "allow"],
    ["restricted", "packages.npmjs.org", 443, "deny"],
    ["ci", "api.openai.com", 443, "allow"],
  ])("%s: %s:%i is %s", (profile, host, port, verdict) => {
    expect(decideConnection(policyOf(profile), host, port).verdict).toBe(verdict);
  });

  test.each<[profile: string, labels: Partial<Point>, verdict: string]>([
    ["default", { channel: "llm", data: "secret" }, "redact"],
    ["default", { channel: "llm", data: "secret", operatorLaw: "SELF" }, "allow"],
    ["default", { channel: "llm", data: "personal" }, "allow"],
    ["default", { channel: "llm", data: "restricted" }, "deny"],
    ["default", { channel: "scm", data: "canary" }, "deny"],
    ["default", { channel: "llm", data: "volume" }, "allow"],
    ["default", { channel: "unknown", data: "volume" }, "ask"],
    ["default", { channel: "scm", data: "volume" }, "allow"],
    ["default", { channel: "auth", data: "volume" }, "allow"],
    ["ci", { channel: "mcp", data: "volume" }, "deny"],
    ["default", { channel: "llm", data: "classified" }, "allow"],
    ["ci", { channel: "llm", data: "canary" }, "deny"],
    ["engineer", { channel: "llm", data: "restricted", dpa: "signed", trains: "no" }, "deny"],
    ["default", { channel: "telemetry" }, "deny"],
    ["observe", { channel: "telemetry", data: "secret" }, "allow"],
    ["engineer", { channel: "llm", data: "internal_code", dpa: "signed", trains: "no" }, "allow"],
    ["engineer", { channel: "llm", data: "internal_code", dpa: "signed", trains: "yes" }, "deny"],
    ["engineer", { channel: "llm", data: "secret" }, "redact"],
    ["engineer", { channel: "llm", data: "secret", operatorLaw: "SELF" }, "ask"],
    ["restricted", { channel: "llm", data: "classified", operatorLaw: "SELF" }, "allow"],
    ["restricted", { channel: "llm", data: "public", operatorLaw: "US" }, "reroute"],
    ["restricted", { channel: "auth", data: "public", operatorLaw: "US" }, "deny"],
    ["restricted", { channel: "llm", data: "secret", operatorLaw: "SELF" }, "ask"],
    ["contractor", { channel: "llm", data: "public", dpa: "signed", trains: "no" }, "deny"],
    ["contractor", { channel: "llm", build: "approved", dpa: "signed", trains: "no" }, "allow"],
    ["contractor", { channel: "llm", build: "approved", data: "secret" }, "deny"],
    ["ci", { channel: "llm", data: "secret" }, "redact"],
  ])("%s: %o is %s", (profile, labels, verdict) => {
    expect(decide(policyOf(profile), { ...UNKNOWN_POINT, ...labels }).verdict).toBe(verdict);
  });
});

test("restricted lets nothing leave as it is to anybody but ourselves, whatever the labels", () => {
  const documents = [parseDocument(readyProfile("restricted") ?? "", "restricted.yaml")];
  const property = { id: "P-1", title: "t", because: "b", never: {}, unless: { operatorLaw: ["SELF"] } };
  const [proof] = prove(documents, [property], "en");
  expect(proof).toMatchObject({ holds: true });
  expect(proof?.points).toBeGreaterThan(100);
});

test("only the profile whose name says so can hand a private address out, and none does for a public name", () => {
  for (const name of READY_PROFILES)
    expect(decideConnection(policyOf(name), "api.anthropic.com", 443).privateAddresses).toBe(false);
  expect(decideConnection(policyOf("restricted"), "llm.corp.internal", 443).privateAddresses).toBe(true);
});

test("no ready profile passes a variable that holds a credential, nor shows a folder that does", () => {
  for (const name of READY_PROFILES) {
    const { files, environment } = policyOf(name);
    expect(environment.pass.filter((variable) => /KEY|TOKEN|SECRET|PASS|AUTH/.test(variable))).toEqual([]);
    expect(
      [...files.read, ...files.write].filter((path) =>
        /^~$|^\/$|\.ssh|\.aws|\.config|\.kube|\.docker|\.gnupg|\.npmrc|\.m2/.test(path),
      ),
    ).toEqual([]);
  }
});
