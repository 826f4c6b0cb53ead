// What a rule asks about is held until a person answers: nothing leaves before, nothing leaves without, and a yes goes as
// far as it says.
import { afterEach, describe, expect, it, test } from "vitest";
import { Fault } from "../core/index.ts";
import type { GivenAnswer, OpenQuestion } from "./approvals.ts";
import { type Destination, policyOf, type Rig, startDestination, startRig, Wire } from "./rig.testkit.ts";

const closing: (() => Promise<void>)[] = [];
const keep = <T extends { close(): Promise<void> }>(thing: T): T => {
  closing.push(() => thing.close());
  return thing;
};
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const SECRET = "AKIAIOSFODNN7EXAMPLQ";
const ASK = (waivable = false): string => `  rules:
    - id: secrets-asked
      title: { en: Secrets need a yes, zh-CN: 机密须批准 }
      because: { en: a person decides, zh-CN: 由人决定 }
      owner: Security
      when: { data: [secret] }
      then: ask
      waivable: ${waivable}
`;
const SELF = "approvals: { self: allow, seconds: 60 }";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

interface Place {
  readonly rig: Rig;
  readonly server: Destination;
  readonly authority: string;
  open(): Promise<Wire>;
}

async function place(
  o: { readonly more?: string; readonly waivable?: boolean; readonly language?: "zh-CN" } = {},
): Promise<Place> {
  const server = keep(
    await startDestination((socket, _chunk, sofar) => {
      if (sofar.toString().includes("\r\n\r\n")) socket.write(OK);
    }),
  );
  const rig = keep(
    await startRig({
      policy: policyOf({ ports: [server.port], rules: ASK(o.waivable), more: o.more ?? SELF }),
      principal: "local:1000",
      ...(o.language === undefined ? {} : { language: o.language }),
    }),
  );
  const authority = `api.anthropic.com:${server.port}`;
  return { rig, server, authority, open: () => Wire.tunnel(rig.socketPath, authority) };
}

function request(authority: string, text: string): string {
  const body = JSON.stringify({ model: "m", max_tokens: 1, messages: [{ role: "user", content: text }] });
  return `POST /v1/messages HTTP/1.1\r\nHost: ${authority}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

/** Sends a request that is asked about, and gives its question. */
async function asked(at: Place, wire?: Wire): Promise<{ wire: Wire; question: OpenQuestion }> {
  const { approvals } = at.rig.gateway;
  const told = new Promise<OpenQuestion>((resolve) => {
    const stop = approvals.subscribe((event) => {
      if (event.what !== "asked") return;
      stop();
      resolve(event.question);
    });
  });
  const by = wire ?? (await at.open());
  by.write(request(at.authority, `the key is ${SECRET}`));
  return { wire: by, question: await told };
}

const yes = (o: Partial<GivenAnswer> = {}): GivenAnswer => ({
  verdict: "allow",
  by: "local:1000",
  reason: "rotating it",
  scope: "once",
  ...o,
});

describe("a question", () => {
  it("is on the record with what would leave, and nothing has left; a yes lets exactly that go, and says by whose", async () => {
    const at = await place();
    const { wire, question } = await asked(at);
    expect(at.rig.of("approval.asked")).toMatchObject([
      {
        question: "0123abcd-1",
        requester: "local:1000",
        rules: ["test/secrets-asked"],
        classes: ["secret"],
        host: "api.anthropic.com",
        findings: [{ class: "secret", count: 1 }],
      },
    ]);
    expect(at.rig.of("approval.asked")[0]?.kept["request-body"]?.toString()).toContain(SECRET);
    expect(at.server.received).toEqual([]);
    expect(question.text).toContain(
      "Secrets need a yes (rule test/secrets-asked): a person decides; owner Security",
    );
    await at.rig.gateway.approvals.answer(question.id, yes());
    expect(await wire.until("ok")).toMatch(/^HTTP\/1\.1 200 /);
    expect(Buffer.concat(at.server.received).toString()).toContain(SECRET);
    expect(at.rig.of("exchange.judged")).toMatchObject([
      { verdict: "allow", rules: ["waiver.0123abcd-1"], approvals: ["0123abcd-1"] },
    ]);
    const kinds = at.rig.entries.map(({ body }) => body.kind);
    expect(kinds.slice(0, 3)).toEqual(["approval.asked", "approval.answered", "exchange.judged"]);
  });

  test.each([
    ["a no", "local:1000 said no: not that one", { verdict: "deny", reason: "not that one" }],
    ["nobody", "Nobody answered within 60 seconds", null],
  ] as const)("%s: nothing leaves, and the agent's error says so", async (_, words, given) => {
    const at = await place();
    const { wire, question } = await asked(at);
    if (given === null) at.rig.pass(60_001);
    else await at.rig.gateway.approvals.answer(question.id, yes(given));
    const answer = await wire.until("}}");
    expect(answer).toMatch(/^HTTP\/1\.1 403 /);
    expect(answer).toContain(words);
    expect(answer).toContain("permission_error");
    expect(at.server.received).toEqual([]);
    expect(at.rig.of("exchange.judged")).toMatchObject([
      { verdict: "deny", rules: ["secrets-asked", "gateway.not-approved"] },
    ]);
    expect(at.rig.gateway.approvals.list()).toEqual([]);
  });

  it("is asked and refused in the language of the session", async () => {
    const at = await place({ language: "zh-CN" });
    const { wire, question } = await asked(at);
    expect(question.text).toContain("机密须批准（规则 test/secrets-asked）：由人决定");
    at.rig.pass(60_001);
    expect(Buffer.from(await wire.until("}}"), "latin1").toString()).toContain("60 秒内无人批准");
  });

  it("is denied when it cannot be recorded", async () => {
    const server = keep(await startDestination((socket) => void socket.write(OK)));
    const rig = keep(
      await startRig({
        policy: policyOf({ ports: [server.port], rules: ASK(), more: SELF }),
        beforeAppend: (body) => {
          if (body.kind === "approval.asked") throw new Fault("ledger.full");
        },
      }),
    );
    const authority = `api.anthropic.com:${server.port}`;
    const wire = await Wire.tunnel(rig.socketPath, authority);
    wire.write(request(authority, SECRET));
    expect(await wire.until("gateway.unrecorded")).toMatch(/^HTTP\/1\.1 503 /);
    expect(server.received).toEqual([]);
  });

  it("an agent that gives up and asks again finds its question open, or answered", async () => {
    const at = await place();
    const first = await asked(at);
    first.wire.close();
    await at.rig.seen("exchange.judged");
    expect(at.rig.gateway.approvals.list()).toMatchObject([{ id: first.question.id, isWaiting: false }]);
    await at.rig.gateway.approvals.answer(first.question.id, yes());
    const again = await at.open();
    again.write(request(at.authority, `the key is ${SECRET}`));
    await again.until("ok");
    expect(at.rig.of("approval.asked")).toHaveLength(1);
    // Once is once.
    again.write(request(at.authority, `the key is ${SECRET}, again`));
    await at.rig.seen("approval.asked", 2);
  });

  it("allowed while nobody waits is allowed for the same values alone, whatever else asks meanwhile", async () => {
    const at = await place();
    const first = await asked(at);
    first.wire.close();
    await at.rig.seen("exchange.judged");
    await at.rig.gateway.approvals.answer(first.question.id, yes());
    const other = await at.open();
    other.write(request(at.authority, `another key: ${["AKIAIOSFODNN7", "OTHERKEY"].join("").slice(0, 20)}`));
    await at.rig.seen("approval.asked", 2);
    expect(at.server.received).toEqual([]);
    const again = await at.open();
    again.write(request(at.authority, `the key is ${SECRET}`));
    await again.until("ok");
  });

  it("whose session ends is closed on the record", async () => {
    const at = await place();
    await asked(at);
    const closed = at.rig.gateway.close();
    await at.rig.seen("approval.expired");
    await closed;
    expect(at.rig.of("approval.expired")).toMatchObject([{ because: "session-ended" }]);
    expect(at.server.received).toEqual([]);
  });
});

describe("who may answer", () => {
  it("nobody answers their own question unless policy lets; to take it back is always allowed", async () => {
    const at = await place({ more: "approvals: { seconds: 60 }" });
    const { wire, question } = await asked(at);
    const { approvals } = at.rig.gateway;
    await expect(approvals.answer(question.id, yes())).rejects.toMatchObject({ code: "approval.refused" });
    expect(at.rig.of("approval.answered")).toEqual([]);
    await approvals.answer(question.id, yes({ by: "local:1001" }));
    await wire.until("ok");
    const { question: second } = await asked(at);
    await approvals.answer(second.id, yes({ verdict: "deny" }));
  });

  it("a question is answered once, and one that was never asked not at all", async () => {
    const at = await place();
    const { question } = await asked(at);
    const { approvals } = at.rig.gateway;
    const both = await Promise.allSettled([
      approvals.answer(question.id, yes()),
      approvals.answer(question.id, yes()),
    ]);
    expect(both.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
    await expect(approvals.answer("0123abcd-9", yes())).rejects.toMatchObject({ code: "approval.unknown" });
  });
});

describe("how far a yes goes", () => {
  it("for the session: the same to the same destination is not asked again, and other questions that it covers are settled", async () => {
    const at = await place();
    const first = await asked(at);
    const { wire: second } = await asked(at);
    await at.rig.gateway.approvals.answer(first.question.id, yes({ scope: "session" }));
    await Promise.all([first.wire.until("ok"), second.until("ok")]);
    expect(at.rig.of("approval.expired")).toMatchObject([
      { question: "0123abcd-2", because: "not-asked-any-more" },
    ]);
    first.wire.write(request(at.authority, `once more: ${SECRET}`));
    await at.rig.seen("exchange.answered", 3);
    const elsewhere = `other.example.com:${at.server.port}`;
    const other = await Wire.tunnel(at.rig.socketPath, elsewhere);
    other.write(request(elsewhere, SECRET));
    await at.rig.seen("approval.asked", 3);
  });

  it("a no for the session is not asked again", async () => {
    const at = await place();
    const { wire, question } = await asked(at);
    await at.rig.gateway.approvals.answer(question.id, yes({ verdict: "deny", scope: "session" }));
    await wire.until("}}");
    wire.write(request(at.authority, `the key is ${SECRET}`));
    await at.rig.seen("exchange.judged", 2);
    expect(at.rig.of("approval.asked")).toHaveLength(1);
  });

  it("for days only where the rule is waivable; then it is kept beyond the session, until it is taken back", async () => {
    const DAY = 86_400_000;
    const strict = await place();
    const { question } = await asked(strict);
    await expect(
      strict.rig.gateway.approvals.answer(question.id, yes({ scope: "time", forMs: 2 * DAY })),
    ).rejects.toMatchObject({ code: "approval.refused", detail: expect.stringContaining("must last") });

    const at = await place({ waivable: true });
    const other = await asked(at);
    await at.rig.gateway.approvals.answer(other.question.id, yes({ scope: "time", forMs: 2 * DAY }));
    await other.wire.until("ok");
    expect(at.rig.gateway.approvals.exceptions()).toMatchObject([
      { id: "0123abcd-1", rule: "test/secrets-asked" },
    ]);
    await at.rig.gateway.approvals.end("0123abcd-1", "local:1000");
    other.wire.write(request(at.authority, SECRET));
    await at.rig.seen("approval.asked", 2);
  });
});

test("a policy that is tightened while a question waits settles it", async () => {
  const at = await place();
  const { wire, question } = await asked(at);
  const stricter = policyOf({
    ports: [at.server.port],
    rules: ASK().replace("then: ask", "then: deny").replace("waivable: false", ""),
  });
  at.rig.gateway.setPolicy(question.session, stricter);
  expect(await wire.until("}}")).toContain("gateway.refused");
  expect(at.server.received).toEqual([]);
  expect(at.rig.of("exchange.judged")).toMatchObject([{ verdict: "deny", policy: stricter.sha256 }]);
});
