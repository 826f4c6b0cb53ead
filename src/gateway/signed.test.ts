// A cloud signature covers the body: what it signs arrives as it was signed, or not at all.
import { createHash, createHmac } from "node:crypto";
import { afterEach, describe, expect, it, test } from "vitest";
import { unchunkedAws } from "./aws-chunked.ts";
import { policyOf, type Rig, startDestination, startRig, Wire } from "./rig.testkit.ts";

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const MASKS = `  rules:
    - id: secrets-masked
      title: { en: Secrets are masked, zh-CN: 遮盖机密 }
      because: { en: a leaked key is a lost key, zh-CN: 泄露即失效 }
      owner: Security
      when: { data: [secret] }
      then: redact
`;
/** Shaped like a key; it opens nothing. */
const KEY = `ghp_${"aB3dE5gH".repeat(5)}`;
const HOST = "bedrock.example.com";
const DAY = "20261120";
const DATE = `${DAY}T101112Z`;
const SCOPE = `${DAY}/us-east-1/bedrock/aws4_request`;

const sha256 = (text: string | Buffer): string => createHash("sha256").update(text).digest("hex");
const hmac = (key: string | Buffer, text: string): Buffer => createHmac("sha256", key).update(text).digest();
const signingKey = SCOPE.split("/").reduce<string | Buffer>(hmac, "AWS4made-up-for-a-test");

/** SigV4 (docs.aws.amazon.com, "Create a signed AWS API request") over these fields. */
function signatureOf(method: string, path: string, fields: Readonly<Record<string, string>>): string {
  const names = Object.keys(fields).sort();
  const lines = names.map((name) => `${name}:${fields[name]}\n`).join("");
  const canonical = `${method}\n${path}\n\n${lines}\n${names.join(";")}\n${fields["x-amz-content-sha256"]}`;
  return hmac(signingKey, `AWS4-HMAC-SHA256\n${DATE}\n${SCOPE}\n${sha256(canonical)}`).toString("hex");
}

function signed(port: number, path: string, body: Buffer, more: Readonly<Record<string, string>>): Buffer {
  const fields: Record<string, string> = {
    "content-length": String(body.length),
    host: `${HOST}:${port}`,
    "x-amz-content-sha256": sha256(body),
    "x-amz-date": DATE,
    ...more,
  };
  const signature = signatureOf("POST", path, fields);
  const login = `AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/${SCOPE}, SignedHeaders=${Object.keys(fields).sort().join(";")}, Signature=${signature}`;
  const lines = Object.entries({ ...fields, authorization: login }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  return Buffer.concat([Buffer.from(`POST ${path} HTTP/1.1\r\n${lines.join("")}\r\n`), body]);
}

/** Whether what came at the destination still fits its signature. */
function isIntact(came: Buffer): boolean {
  const end = came.indexOf("\r\n\r\n");
  const [first = "", ...lines] = came.toString("latin1", 0, end).split("\r\n");
  const all = new Map(
    lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(": ") + 2)]),
  );
  const [, names = "", signature] =
    /SignedHeaders=([^,]*), Signature=(\w+)/.exec(all.get("authorization") ?? "") ?? [];
  const fields = Object.fromEntries(names.split(";").map((name) => [name, all.get(name) ?? ""]));
  const [method = "", path = ""] = first.split(" ");
  const digest = all.get("x-amz-content-sha256") ?? "";
  return (
    signature === signatureOf(method, path, fields) &&
    (!/^[0-9a-f]{64}$/.test(digest) || digest === sha256(came.subarray(end + 4)))
  );
}

const CHUNK_SIGNED = {
  "content-encoding": "aws-chunked",
  "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
};

/** Chunks, each signed over the one before it. */
function chunked(content: Buffer, size: number, trailer = "\r\n"): Buffer {
  const pieces: Buffer[] = [];
  let before = "0".repeat(64);
  for (let at = 0; ; at += size) {
    const piece = content.subarray(at, at + size);
    before = hmac(
      signingKey,
      `AWS4-HMAC-SHA256-PAYLOAD\n${DATE}\n${SCOPE}\n${before}\n${sha256("")}\n${sha256(piece)}`,
    ).toString("hex");
    pieces.push(Buffer.from(`${piece.length.toString(16)};chunk-signature=${before}\r\n`));
    if (piece.length === 0) return Buffer.concat([...pieces, Buffer.from(trailer)]);
    pieces.push(piece, Buffer.from("\r\n"));
  }
}

async function place(): Promise<{
  rig: Rig;
  port: number;
  came: () => Buffer;
  ask: (request: Buffer) => Promise<string>;
}> {
  const server = await startDestination((socket, _chunk, sofar) => {
    const end = sofar.indexOf("\r\n\r\n") + 4;
    const length = Number(/content-length: (\d+)/i.exec(sofar.toString("latin1"))?.[1] ?? 0);
    if (end >= 4 && sofar.length >= end + length)
      socket.end("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
  });
  const rig = await startRig({ policy: policyOf({ ports: [server.port], rules: MASKS }) });
  closing.push(
    () => server.close(),
    () => rig.close(),
  );
  return {
    rig,
    port: server.port,
    came: () => Buffer.concat(server.received),
    ask: async (request) => {
      const wire = await Wire.tunnel(rig.socketPath, `${HOST}:${server.port}`);
      closing.push(async () => wire.close());
      wire.write(request);
      const head = await wire.until("\r\n\r\n");
      const length = Number(/content-length: (\d+)/i.exec(head)?.[1]);
      return (await wire.untilBytes(head.indexOf("\r\n\r\n") + 4 + length)).toString();
    },
  };
}

const PATH = "/model/anthropic.claude-v4/invoke";
const saying = (text: string): Buffer =>
  Buffer.from(`{"max_tokens": 5,  "messages":[{"role":"user","content":${JSON.stringify(text)}}]}`);

describe("a signed request", () => {
  test.each<[string, Buffer, Readonly<Record<string, string>>]>([
    ["signed over its body", saying("hello"), {}],
    ["signed chunk by chunk", chunked(saying("hello ".repeat(50)), 64), CHUNK_SIGNED],
    [
      "signed chunk by chunk, the coding unnamed",
      chunked(saying("hello"), 16),
      { "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" },
    ],
    ["signed, but not its body", saying("hello"), { "x-amz-content-sha256": "UNSIGNED-PAYLOAD" }],
  ])("%s arrives byte for byte", async (_, body, more) => {
    const { rig, port, came, ask } = await place();
    const request = signed(port, PATH, body, more);
    expect(await ask(request)).toMatch(/^HTTP\/1\.1 200/);
    expect(came().equals(request)).toBe(true);
    expect(isIntact(came())).toBe(true);
    await rig.seen("exchange.answered");
    expect(rig.of("exchange.judged")[0]).toMatchObject({
      dialect: "bedrock",
      understood: true,
      verdict: "allow",
    });
  });

  test.each<[string, (secret: Buffer) => Buffer, Readonly<Record<string, string>>]>([
    ["over its body", (body) => body, {}],
    [
      "but not its body: its length is signed",
      (body) => body,
      { "x-amz-content-sha256": "UNSIGNED-PAYLOAD" },
    ],
    ["chunk by chunk, the secret cut in two", (body) => chunked(body, body.indexOf(KEY) + 12), CHUNK_SIGNED],
  ])("signed %s: what would be masked is refused, never altered", async (_, form, more) => {
    const { rig, port, came, ask } = await place();
    const text = await ask(signed(port, PATH, form(saying(`my key is ${KEY}`)), more));
    expect(text).toMatch(/^HTTP\/1\.1 403/);
    expect(text).toContain("signed over its body");
    expect(came().length).toBe(0);
    const [refused] = rig.of("exchange.judged");
    expect(refused).toMatchObject({ verdict: "deny", rules: ["secrets-masked", "gateway.unredacted"] });
  });

  it("that says it comes in chunks and does not is refused: nobody could read it", async () => {
    const { port, came, ask } = await place();
    const text = await ask(signed(port, PATH, saying("hello"), CHUNK_SIGNED));
    expect(text).toMatch(/^HTTP\/1\.1 415/);
    expect(text).toContain("aws-chunked");
    expect(came().length).toBe(0);
  });
});

describe("signed chunks", () => {
  const body = Buffer.from("what is in the chunks");
  test.each([1, 2, 7, 21, 100])("of %d bytes are read as what is in them", (size) => {
    expect(unchunkedAws(chunked(body, size))?.toString()).toBe(body.toString());
  });

  test.each<[string, string | Buffer, boolean]>([
    [
      "a digest behind the last",
      chunked(body, 8, `x-amz-checksum-crc32:AAAAAA==\r\nx-amz-trailer-signature:${"a".repeat(64)}\r\n\r\n`),
      true,
    ],
    ["no signatures", "5\r\nhello\r\n0\r\n\r\n", true],
    ["no last empty line", "5\r\nhello\r\n0\r\n", true],
    ["text behind the last", chunked(body, 8, "x-amz-meta-note:hello\r\n\r\n"), false],
    ["text for a digest", chunked(body, 8, `x-amz-checksum-sha256:${KEY}\r\n\r\n`), false],
    ["text for a signature", "5;chunk-signature=hello\r\nhello\r\n0\r\n\r\n", false],
    ["another extension", "5;note=hello\r\nhello\r\n0\r\n\r\n", false],
    ["a length that is too long", "6\r\nhello\r\n0\r\n\r\n", false],
    ["a length that is too short", "4\r\nhello\r\n0\r\n\r\n", false],
    ["a length beyond all", "ffffffff\r\nhello\r\n0\r\n\r\n", false],
    ["no last chunk", "5\r\nhello\r\n", false],
    ["no chunks", "hello", false],
    ["nothing", "", false],
  ])("with %s", (_, bytes, isRead) => {
    expect(unchunkedAws(Buffer.from(bytes)) !== null).toBe(isRead);
  });
});
