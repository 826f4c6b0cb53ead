// What policy reroutes goes to a server of our own and nowhere else: in the agent's protocol, under another model's name,
// with that server's credential in the place of the agent's; judged as it leaves, recorded as it left.
import { afterEach, describe, expect, it, test } from "vitest";
import { Secret } from "../core/index.ts";
import { sentinelFor } from "./custody.ts";
import type { OwnDestination } from "./reroute.ts";
import { type Destination, policyOf, type Rig, startDestination, startRig, Wire } from "./rig.testkit.ts";

const closing: (() => Promise<void>)[] = [];
const keep = <T extends { close(): Promise<void> }>(thing: T): T => {
  closing.push(() => thing.close());
  return thing;
};
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Shaped like a key; it opens nothing. */
const KEY = `ghp_${"aB3dE5gH".repeat(5)}`;
const OWN_KEY = "own-server-key-not-real";
const rule = (id: string, body: string): string =>
  `    - { id: ${id}, title: ${id} title, because: a reason, owner: Security, ${body} }\n`;
const REROUTE = rule(
  "to-own",
  "when: { channel: [llm] }, unless: { operatorLaw: [SELF] }, then: reroute, rerouteTo: [own-model]",
);

interface Place {
  readonly rig: Rig;
  readonly vendor: Destination;
  readonly own: Destination;
  readonly authority: string;
  ask(path: string, body: string, headers?: string): Promise<string>;
}

const HEADERS =
  "x-api-key: sk-ant-the-agents-own\r\nauthorization: Bearer the-agents-own\r\ncookie: a=b\r\nanthropic-beta: x-1\r\nx-kept: yes\r\n";

async function place(
  o: {
    readonly rules?: string;
    readonly own?: Partial<OwnDestination>;
    readonly path?: string;
    readonly answer?: string;
  } = {},
): Promise<Place> {
  const answer =
    o.answer ??
    '{"type":"message","content":[{"type":"text","text":"own"}],"usage":{"input_tokens":3,"output_tokens":4}}';
  const reply = `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(answer)}\r\n\r\n${answer}`;
  const vendor = keep(
    await startDestination(
      (socket) => void socket.write("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nvendor"),
    ),
  );
  const own = keep(
    await startDestination((socket, _chunk, sofar) => {
      const end = sofar.indexOf("\r\n\r\n");
      const length = Number(/content-length: (\d+)/i.exec(sofar.toString("latin1"))?.[1] ?? 0);
      if (end >= 0 && sofar.length >= end + 4 + length) socket.write(reply);
    }),
  );
  const sentinel = sentinelFor("", (bytes) => Buffer.alloc(bytes, 5));
  const destination: OwnDestination = {
    name: "own-model",
    url: new URL(`http://127.0.0.1:${own.port}${o.path ?? ""}`),
    speaks: ["anthropic-messages", "openai-chat", "openai-responses"],
    model: () => "qwen3-coder",
    labels: {
      destination: "own-model",
      channel: "llm",
      serverIn: "ONPREM",
      operatorLaw: "SELF",
      trains: "no",
      dpa: "signed",
    },
    secret: new Secret(OWN_KEY),
    ...o.own,
  };
  const rig = keep(
    await startRig({
      policy: policyOf({
        ports: [vendor.port],
        rules: `  rules:\n${o.rules ?? REROUTE}`,
        more: "approvals: { self: allow, seconds: 60 }",
      }),
      destinations: new Map([["own-model", destination]]),
      sentinels: new Map([["own-model", sentinel]]),
      credentials: [{ name: "own-model", sentinel, secret: new Secret(OWN_KEY), hosts: ["127.0.0.1"] }],
    }),
  );
  const authority = `api.anthropic.com:${vendor.port}`;
  return {
    rig,
    vendor,
    own,
    authority,
    ask: async (path, body, headers = HEADERS) => {
      const wire = await Wire.tunnel(rig.socketPath, authority);
      wire.write(
        `POST ${path} HTTP/1.1\r\nHost: ${authority}\r\ncontent-type: application/json\r\n${headers}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
      );
      const got = await wire.until("}}");
      return got === "" ? wire.all() : got;
    },
  };
}

const heard = ({ own }: Place): string => Buffer.concat(own.received).toString();
const messages = (text: string): string =>
  `{ "model":"claude-sonnet-4-5" ,"max_tokens":1.50e+1,"messages":[{"role":"user","content":"${text}"}]}`;

describe("what goes to our own server", () => {
  it("is what came, but for the model's name, the path and whose credential it bears; the vendor hears nothing", async () => {
    const at = await place({ path: "/llm/v1" });
    expect(await at.ask("/v1/messages?beta=true", messages("hello"))).toContain('"text":"own"');
    expect(at.vendor.received).toEqual([]);
    const [head = "", body = ""] = heard(at).split("\r\n\r\n");
    expect(body).toBe(messages("hello").replace('"claude-sonnet-4-5"', '"qwen3-coder"'));
    expect(head.split("\r\n")).toEqual([
      "POST /llm/v1/messages HTTP/1.1",
      `Host: 127.0.0.1:${at.own.port}`,
      "content-type: application/json",
      "x-kept: yes",
      `content-length: ${body.length}`,
      `Authorization: Bearer ${OWN_KEY}`,
      `x-api-key: ${OWN_KEY}`,
    ]);
    expect(at.rig.of("exchange.judged")).toMatchObject([
      {
        verdict: "reroute",
        host: "api.anthropic.com",
        path: "/v1/messages",
        sentTo: `http://127.0.0.1:${at.own.port}`,
        destination: "own-model",
        rerouted: { name: "own-model", model: "qwen3-coder", dialect: "anthropic-messages", dropped: [] },
        requestBytes: body.length,
      },
    ]);
    const kept = at.rig.of("exchange.judged")[0]?.kept;
    expect(kept?.["request-body"]?.toString()).toBe(body);
    expect(kept?.["request-head"]?.toString()).toContain(
      `POST /llm/v1/messages HTTP/1.1\r\nHost: 127.0.0.1:${at.own.port}`,
    );
    expect(kept?.["request-head"]?.toString()).toContain(`content-length: ${body.length}`);
    expect(JSON.stringify(at.rig.entries)).not.toContain(OWN_KEY);
    await at.rig.seen("exchange.answered");
    expect(at.rig.of("exchange.answered")).toMatchObject([{ usage: { inputTokens: 3, outputTokens: 4 } }]);
  });

  test.each([
    [
      "/v1/chat/completions",
      '{"model":"gpt-5","messages":[{"role":"user","content":"hi"}]}',
      "/v1/chat/completions",
    ],
    [
      "/backend-api/codex/responses",
      '{"model":"gpt-5","input":[{"role":"user","content":"hi"}]}',
      "/v1/responses",
    ],
    ["/v1/messages/count_tokens", messages("hi"), "/v1/messages/count_tokens"],
  ])("%s arrives at the server's own path", async (path, body, arrives) => {
    const at = await place();
    await at.ask(path, body);
    expect(heard(at)).toMatch(new RegExp(`^POST ${arrives} HTTP/1\\.1\r\n`));
    expect(heard(at)).toContain('"model":"qwen3-coder"');
  });

  it("is judged with that server's labels: what is masked or asked about there still is", async () => {
    const masked = await place({
      rules: REROUTE + rule("mask", "when: { data: [secret] }, then: redact"),
      answer: '{"content":[{"type":"text","text":"noted"}],"usage":{"input_tokens":1}}',
    });
    await masked.ask("/v1/messages", messages(`key ${KEY}`));
    expect(heard(masked)).not.toContain(KEY);
    expect(heard(masked)).toMatch(/"content":"key ghp_[A-Za-z0-9]{40}"/);
    expect(masked.rig.of("exchange.judged")).toMatchObject([
      { verdict: "reroute", redacted: [{ class: "secret" }] },
    ]);

    const asked = await place({
      rules: REROUTE + rule("ask", "when: { data: [secret], operatorLaw: [SELF] }, then: ask"),
    });
    const stop = asked.rig.gateway.approvals.subscribe((told) => {
      if (told.what !== "asked") return;
      stop();
      expect(told.question).toMatchObject({
        sentTo: `http://127.0.0.1:${asked.own.port}`,
        host: "127.0.0.1",
      });
      void asked.rig.gateway.approvals.answer(told.question.id, {
        verdict: "allow",
        by: "local:0",
        reason: "",
        scope: "once",
      });
    });
    expect(await asked.ask("/v1/messages", messages(`key ${KEY}`))).toContain('"text":"own"');
    expect(asked.rig.of("exchange.judged")).toMatchObject([
      { verdict: "reroute", approvals: ["0123abcd-1"] },
    ]);
  });
});

describe("what cannot be rerouted is refused, and leaves by no way", () => {
  test.each<[what: string, o: Parameters<typeof place>[0], path: string, words: RegExp]>([
    [
      "a server that is not set up",
      { rules: REROUTE.replace("[own-model]", "[other]") },
      "/v1/messages",
      /no own server is set up under the name `other`/,
    ],
    [
      "a server that speaks another protocol",
      { own: { speaks: ["openai-responses"] } },
      "/v1/messages",
      /speaks openai-responses/,
    ],
    ["a request that is no model's", {}, "/v1/models", /such a request|cannot be put into/],
    [
      "a server that would be rerouted again",
      { rules: rule("to-own", "when: { channel: [llm] }, then: reroute, rerouteTo: [own-model]") },
      "/v1/messages",
      /rerouted once already/,
    ],
  ])("%s", async (_, o, path, words) => {
    const at = await place(o);
    const answer = await at.ask(path, messages("hello"));
    expect(answer).toMatch(/^HTTP\/1\.1 403 /);
    expect(answer).toMatch(words);
    expect([at.vendor.received, at.own.received]).toEqual([[], []]);
    expect(at.rig.of("exchange.judged")[0]?.rules).toContain("gateway.unroutable");
  });
});
