import { describe, expect, test } from "vitest";
import { asFault } from "../core/index.ts";
import { parseDocument } from "./document.ts";
import { layer } from "./layer.ts";

const document = (kind: string, name: string, body: string) =>
  parseDocument(
    `apiVersion: sallyport/v1\nkind: ${kind}\nmetadata: { name: ${name}, owner: o }\n${body}`,
    `${name}.yaml`,
  );
const PROFILE = "network: { default: deny }\nsend: { default: deny }\n";

test("guardrails and a repository without a profile permit nothing: refused", () => {
  const code = (run: () => unknown): string => {
    try {
      run();
    } catch (thrown) {
      return `${asFault(thrown).code} ${asFault(thrown).detail}`;
    }
    return "accepted";
  };
  expect(code(() => layer([]))).toBe("policy.invalid no profile among the documents");
  expect(code(() => layer([document("Guardrails", "g", "")]))).toBe(
    "policy.invalid no profile among the documents",
  );
  expect(code(() => layer([document("Profile", "a", PROFILE), document("Guardrails", "a", "")]))).toBe(
    "policy.invalid `a` is the name of a.yaml too",
  );
});

describe("grants are what every document grants; what one hides is hidden", () => {
  const base = document(
    "Profile",
    "p",
    `${PROFILE}sandbox: { nested: true }
files: { read: [/opt/a, ~/tools], write: [~/cache], hide: [.env] }
environment: { pass: ["LC_*", LANG] }`,
  );
  test.each<[what: string, body: string, expected: unknown]>([
    [
      "a document that says nothing changes nothing",
      "",
      {
        read: ["/opt/a", "~/tools"],
        write: ["~/cache"],
        hide: [".env"],
        pass: ["LANG", "LC_*"],
        nested: true,
      },
    ],
    [
      "a narrower folder",
      "files: { read: [~/tools/node, /srv], hide: [a.pem] }",
      {
        read: ["~/tools/node"],
        write: ["~/cache"],
        hide: [".env", "a.pem"],
        pass: ["LANG", "LC_*"],
        nested: true,
      },
    ],
    [
      "a wider folder does not widen",
      "files: { read: [/], write: [] }\nsandbox: { nested: false }",
      { read: ["/opt/a"], write: [], hide: [".env"], pass: ["LANG", "LC_*"], nested: false },
    ],
    [
      "a name below a prefix",
      "environment: { pass: [LC_ALL, AWS_SECRET_ACCESS_KEY] }",
      { read: ["/opt/a", "~/tools"], write: ["~/cache"], hide: [".env"], pass: ["LC_ALL"], nested: true },
    ],
  ])("%s", (_, body, expected) => {
    const { files, environment, sandbox } = layer([base, document("Repository", "r", body)]);
    expect({ ...files, pass: environment.pass, nested: sandbox.nested }).toEqual(expected);
  });
});

test("the sandbox is on unless a profile switches it off and nothing asks for it", () => {
  const off = document("Profile", "dangerously-off", `${PROFILE}sandbox: { mode: none }`);
  expect(layer([off]).sandbox.mode).toBe("none");
  expect(layer([off, document("Repository", "r", "")]).sandbox.mode).toBe("none");
  expect(layer([off, document("Guardrails", "g", "sandbox: { mode: bubblewrap }")]).sandbox.mode).toBe(
    "bubblewrap",
  );
  expect(layer([off, document("Profile", "p", PROFILE)]).sandbox.mode).toBe("bubblewrap");
});

test("the name and the hash tell which documents they are, in any order and with any comments", () => {
  const p = document("Profile", "p", PROFILE);
  const r = document("Repository", "r", "labels: { repo: restricted }");
  const policy = layer([r, p]);
  expect({ name: policy.name, repo: policy.repo }).toEqual({ name: "p+r", repo: "restricted" });
  expect(layer([p, document("Repository", "r", "# why\nlabels: { repo: 'restricted' }")]).sha256).toBe(
    policy.sha256,
  );
  expect(layer([p, document("Repository", "r", "labels: { repo: open }")]).sha256).not.toBe(policy.sha256);
  expect(layer([p]).repo).toBe("unknown");
});
