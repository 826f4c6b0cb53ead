// What a reviewer reads must say what the document does, and must not give away what the document keeps secret.
import { expect, it } from "vitest";
import { parseDocument } from "./document.ts";
import { READY_PROFILES, readyProfile } from "./ready.ts";
import { sayDocument } from "./sentences.ts";

const TEXT = `apiVersion: sallyport/v1
kind: Guardrails
metadata: { name: org, owner: ciso@corp.example, review: 2027-02-01, title: { en: The house, zh-CN: 公司规则 } }
network:
  deny:
    - { id: no-paste, title: No paste bins, because: They are public, hosts: [paste.example], owner: net@corp.example }
send:
  rules:
    - id: secrets
      title: { en: Secrets are masked, zh-CN: 凭据须遮盖 }
      because: A credential in a prompt is a leaked credential
      when: { data: [secret], channel: [llm] }
      unless: { operatorLaw: [SELF] }
      then: redact
      waivable: true
      controls: [nist80053:AC-4]
    - { id: move, title: Restricted code stays home, because: DSL Art. 31, when: { data: [restricted] }, then: reroute, rerouteTo: [own-model] }
inspect:
  terms: [{ id: falcon, text: Project Falcon, class: restricted }]
  canaries: [{ id: planted, text: zq-canary-7781 }]
`;

it("a rule is a sentence with its reason, owner and review", () => {
  const said = sayDocument(parseDocument(TEXT, "org.yaml"), "en");
  expect(said).toMatchObject({ kind: "Guardrails", name: "org", title: "The house", review: "2027-02-01" });
  expect(said.rules).toEqual([
    {
      id: "secrets",
      section: "send",
      outcome: "redact",
      title: "Secrets are masked",
      because: "A credential in a prompt is a leaked credential",
      when: "when the channel is llm and the data are secret, unless we run the server ourselves",
      owner: "ciso@corp.example",
      review: null,
      isWaivable: true,
      unproved: null,
      controls: ["nist80053:AC-4"],
    },
    expect.objectContaining({ id: "move", when: "when the data are restricted; goes to own-model instead" }),
    expect.objectContaining({
      id: "no-paste",
      section: "network",
      outcome: "deny",
      when: "paste.example (every port)",
      owner: "net@corp.example",
    }),
  ]);
});

it("in Chinese as well", () => {
  const said = sayDocument(parseDocument(TEXT, "org.yaml"), "zh-CN");
  expect(said.title).toBe("公司规则");
  expect(said.rules[0]).toMatchObject({
    title: "凭据须遮盖",
    when: "通道为llm，且数据类别为secret时（服务器由我们自己运营时除外）",
  });
});

it("canaries and the organisation's words are told by their ids alone", () => {
  for (const language of ["en", "zh-CN"] as const) {
    const text = JSON.stringify(sayDocument(parseDocument(TEXT, "org.yaml"), language));
    expect(text).not.toContain("zq-canary-7781");
    expect(text).not.toContain("Project Falcon");
    expect(text).toContain("falcon (restricted)");
    expect(text).toContain("planted");
  }
});

it.each(READY_PROFILES)("every rule of the ready profile %s is told", (name) => {
  const document = parseDocument(readyProfile(name) ?? "", name);
  const said = sayDocument(document, "en");
  const { send, network } = document.data;
  expect(said.rules).toHaveLength(
    (send?.rules?.length ?? 0) + (network?.allow?.length ?? 0) + (network?.deny?.length ?? 0),
  );
  for (const rule of said.rules)
    for (const text of [rule.title, rule.because, rule.when]) expect(text).not.toBe("");
});
