// Where policy says so, a build's own lines leave as its vetted template has them: flagged, recorded, and nothing else changed.
import { afterEach, describe, expect, it } from "vitest";
import { createInspector, makeTemplate, openTemplate, withTemplate } from "../inspect/index.ts";
import { policyOf, type Rig, startDestination, startRig, Wire } from "./rig.testkit.ts";

const closing: (() => Promise<void>)[] = [];
const keep = <T extends { close(): Promise<void> }>(thing: T): T => {
  closing.push(() => thing.close());
  return thing;
};
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const MODEL = "api.anthropic.com";
const NORMALISE = `  rules:
    - id: as-vetted
      title: { en: Prompts leave as they were vetted, zh-CN: 提示词按审查时的写法发出 }
      because: { en: a marked line tells where its user is, zh-CN: 带标记的行会泄露用户所在地 }
      owner: Security
      when: { data: [altered_template] }
      then: normalise
`;
const SYSTEM = "You are a coding agent in /home/agent/project-1.\nToday's date is 2026-11-20.";
const KEY = Buffer.alloc(32, 7);
const TEMPLATE = makeTemplate([{ role: "system", text: SYSTEM }], { build: "h1:x", at: 1, said: [] });

async function place(
  rules: string,
): Promise<{ rig: Rig; bodies: string[]; send: (body: string) => Promise<string> }> {
  const bodies: string[] = [];
  let all = "";
  const server = keep(
    await startDestination((socket, chunk) => {
      all += chunk.toString("utf8");
      const end = all.indexOf("\r\n\r\n") + 4;
      const length = Number(/content-length: (\d+)/i.exec(all)?.[1] ?? 0);
      if (end < 4 || Buffer.byteLength(all.slice(end)) < length) return;
      bodies.push(all.slice(end));
      all = "";
      socket.write("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
    }),
  );
  const inspector = withTemplate(
    createInspector({ key: KEY }),
    openTemplate(JSON.stringify(TEMPLATE), "t.json"),
    KEY,
    [],
  );
  const rig = keep(await startRig({ policy: policyOf({ ports: [server.port], rules }), inspector }));
  const send = async (body: string): Promise<string> => {
    const wire = await Wire.tunnel(rig.socketPath, `${MODEL}:${server.port}`);
    const head = `POST /v1/messages HTTP/1.1\r\nHost: ${MODEL}:${server.port}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n`;
    wire.write(Buffer.from(head + body));
    return wire.until("}");
  };
  return { rig, bodies, send };
}

/** Odd in its spacing and escapes: those bytes must not change. */
const body = (system: string, said = "list the files"): string =>
  `{ "model":"m" , "max_tokens":1.50e+1,"system":[{"type":"text","text":"x-billing: 1"},{"type":"text" , "text":${JSON.stringify(system)}}],"messages":[{"role":"user","content":"\\u00e9\\/ ${said}"}]}`;

describe("`then: normalise`", () => {
  it("puts the altered line back, keeps its numbers and paths, changes no other byte, and records what it changed", async () => {
    const { rig, bodies, send } = await place(NORMALISE);
    const marked = "You are a coding agent in /srv/w/other.\nToday\u02bcs date is 2027/01/03.";
    await send(body(marked));
    expect(bodies).toEqual([body("You are a coding agent in /srv/w/other.\nToday's date is 2027-01-03.")]);
    expect(rig.of("exchange.judged")).toMatchObject([
      {
        verdict: "normalise",
        rules: ["as-vetted"],
        requestBytes: Buffer.byteLength(bodies[0] ?? ""),
        findings: [{ class: "altered_template", count: 1 }],
        normalised: [{ was: "U+02BC U+002F U+002F", is: "U+0027 U+002D U+002D", count: 1 }],
      },
    ]);
  });

  it("does so in every turn that sends the line again", async () => {
    const { rig, bodies, send } = await place(NORMALISE);
    const marked = "Today\u2019s date is 2026-11-20.";
    for (const said of ["one", "two"]) await send(body(marked, said));
    expect(bodies).toEqual(["one", "two"].map((said) => body("Today's date is 2026-11-20.", said)));
    expect(rig.of("exchange.judged").map(({ verdict }) => verdict)).toEqual(["normalise", "normalise"]);
  });

  it("leaves alone what a tool or the person said in the same characters", async () => {
    const { bodies, send } = await place(NORMALISE);
    const said = "Today\u02bcs date is 2026-11-20.";
    const text = `{"model":"m","messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"${said}"}]}]}`;
    await send(text);
    expect(bodies).toEqual([text]);
  });

  it("refuses, and sends nothing, where the line stands in the first system block", async () => {
    const { rig, bodies, send } = await place(NORMALISE);
    await send(
      JSON.stringify({
        model: "m",
        system: [{ type: "text", text: "Today\u02bcs date is 2026-11-20." }],
        messages: [],
      }),
    );
    expect(bodies).toEqual([]);
    expect(rig.of("exchange.judged")).toMatchObject([
      { verdict: "deny", rules: ["as-vetted", "gateway.unredacted"] },
    ]);
  });

  it("without such a rule nothing is rewritten: it is a finding, and leaves as it came", async () => {
    const { rig, bodies, send } = await place("");
    const marked = body("Today\u02bcs date is 2026-11-20.");
    await send(marked);
    expect(bodies).toEqual([marked]);
    expect(rig.of("exchange.judged")).toMatchObject([
      { verdict: "allow", findings: [{ class: "altered_template", count: 1 }] },
    ]);
  });

  it("is for altered lines alone: a rule that names another class is refused with its place", () => {
    expect(() => policyOf({ rules: NORMALISE.replace("altered_template", "secret") })).toThrow(
      /vetted template/,
    );
  });
});
