import { expect, test } from "vitest";
import { asFault } from "../core/index.ts";
import { parseDocument } from "./document.ts";
import { checkExpectations, parseExpectations } from "./expectation.ts";
import { layer } from "./layer.ts";
import { readyProfile } from "./ready.ts";

const engineer = layer([parseDocument(readyProfile("engineer") ?? "", "engineer.yaml")]);
const head = "apiVersion: sallyport/v1\nkind: Expectations\ncases:\n";
const results = (cases: string): [boolean, string][] =>
  checkExpectations(engineer, parseExpectations(head + cases, "t.yaml"), (host) =>
    host === "api.mistral.ai" ? { channel: "llm", operatorLaw: "EU", trains: "no" } : {},
  ).map(({ holds, got }) => [holds, got]);

test("a sending is judged with the labels it names, and the register's for the rest", () => {
  expect(
    results(`
- { send: { agent: claude, host: api.mistral.ai, data: internal_code }, expect: deny, by: [engineer/send.default] }
- { send: { host: api.mistral.ai, data: internal_code, dpa: signed }, expect: allow, by: [engineer/everyday-code] }
- { send: { host: api.mistral.ai, data: internal_code }, expect: allow }
- { send: { channel: llm, data: secret }, expect: redact, by: [engineer/personal-masked] }
- { send: { host: paste.example, channel: llm }, expect: deny, by: [engineer/network.default] }
- { connect: "paste.example:443", expect: deny }
- { connect: "api.anthropic.com:443", expect: allow, by: [engineer/models] }
`),
  ).toEqual([
    [true, "deny by engineer/send.default"],
    [true, "allow by engineer/everyday-code"],
    [false, "deny by engineer/send.default"],
    [false, "redact by engineer/secrets-masked"],
    [true, "deny by engineer/network.default"],
    [true, "deny by engineer/network.default"],
    [true, "allow by engineer/models"],
  ]);
});

test.each([
  ["no cases", " []", "t.yaml:4:2 cases"],
  ["a verdict that is none", "- { send: {}, expect: block }", "t.yaml:4:1 cases[0]"],
  ["a case about nothing", "- { expect: deny }", "t.yaml:4:1 cases[0]"],
])("a table with %s is refused at its place", (_, cases, at) => {
  try {
    parseExpectations(head + cases, "t.yaml");
  } catch (thrown) {
    expect(asFault(thrown)).toMatchObject({
      code: "policy.invalid",
      at: expect.stringContaining(at.split(" ")[1] ?? ""),
    });
    return;
  }
  throw new Error("it was accepted");
});
