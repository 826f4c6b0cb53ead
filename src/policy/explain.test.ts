import { expect, test } from "vitest";
import { decide, decideConnection } from "./decide.ts";
import { parseDocument } from "./document.ts";
import { explain, refusalText } from "./explain.ts";
import { type Point, UNKNOWN_POINT } from "./label.ts";
import { layer } from "./layer.ts";
import { readyProfile } from "./ready.ts";

const engineer = layer([parseDocument(readyProfile("engineer") ?? "", "engineer.yaml")]);
const restricted = layer([parseDocument(readyProfile("restricted") ?? "", "restricted.yaml")]);
const toMistral: Point = {
  ...UNKNOWN_POINT,
  agent: "claude",
  host: "api.mistral.ai",
  channel: "llm",
  operatorLaw: "EU",
  trains: "no",
  data: "internal_code",
};

test("may an engineer's claude send internal code to api.mistral.ai? no, and what would make it yes", () => {
  const { text, verdict } = explain(engineer, toMistral, "en");
  expect(verdict).toBe("deny");
  expect(text).toBe(
    `refuses this: claude sends internal_code to api.mistral.ai:443 (llm)
\`engineer\` refuses what none of its rules speaks about (rule engineer/send.default): no rule of \`engineer\` speaks about such a destination and its data; owner whoever chose the profile engineer, review by 2027-05-31
Allowed when we run the server ourselves, or when the data processing agreement is signed`,
  );
});

test("with an agreement it may, by the rule that says so", () => {
  const { text } = explain(engineer, { ...toMistral, dpa: "signed" }, "en");
  expect(text).toBe(`allows this: claude sends internal_code to api.mistral.ai:443 (llm)
Everyday code may go to models under contract (rule engineer/everyday-code): This is the job; owner whoever chose the profile engineer, review by 2027-05-31`);
});

test("a host that the network rules refuse is refused, whatever the data", () => {
  const explanation = explain(engineer, { ...toMistral, host: "paste.example", data: "public" }, "en");
  expect([explanation.verdict, explanation.decision.verdict]).toEqual(["deny", "allow"]);
  expect(explanation.text).toContain("network.default");
});

test("a refusal names the rule, the reason, the owner and the way on, in both languages", () => {
  const refused = decideConnection(restricted, "statsig.anthropic.com", 443);
  const about = { host: "statsig.anthropic.com", port: 443 };
  expect(refusalText(restricted, refused, about, "en")).toBe(
    "Sallyport refuses this: statsig.anthropic.com:443. Usage and crash reports do not leave (rule restricted/no-telemetry): The agents work without them, and no contract covers what they hold; owner whoever chose the profile restricted, review by 2027-05-31. Ask whoever chose the profile restricted if the work needs it",
  );
  expect(refusalText(restricted, refused, about, "zh-CN")).toBe(
    "Sallyport 拒绝：statsig.anthropic.com:443。使用情况与崩溃报告不得外发（规则 restricted/no-telemetry）：代理无需上报即可工作，且其内容不受任何合同约束；负责人 whoever chose the profile restricted，复审日期 2027-05-31。如工作确有需要，请联系 whoever chose the profile restricted",
  );
});

test("what a person may be asked for is said so", () => {
  const point: Point = { ...toMistral, host: "llm.corp.internal", operatorLaw: "SELF", data: "secret" };
  const decision = decide(restricted, point);
  expect(decision.verdict).toBe("ask");
  expect(refusalText(restricted, decision, point, "en")).toContain("An exception for a time can be had from");
});
