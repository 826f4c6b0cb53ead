// Protobuf in the envelopes of Connect and gRPC, as Cursor's services speak it; no schema is public. What can be read in it
// is found wherever it stands, and what policy keeps here stays here.
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { afterEach, describe, expect, it, test } from "vitest";
import { createDecoder } from "../dialect/index.ts";
import { createInspector } from "../inspect/index.ts";
import { policyOf, SECRET_RULE, startDestination, startRig, Wire } from "./rig.testkit.ts";

const closing: (() => Promise<void>)[] = [];
const keep = <T extends { close(): Promise<void> }>(thing: T): T => {
  closing.push(() => thing.close());
  return thing;
};
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Shaped like keys of several lengths, as the length is what stands before them; they open nothing. */
const KEYS = [
  `ghp_${"aB3dE5gH".repeat(5).slice(0, 36)}`,
  `sk-ant-api03-${"aB3dE5gH7_".repeat(10).slice(0, 93)}AA`,
  `AKIA${"QWERTYUIOPASDF23"}`,
  `glpat-${"aB3dE5gH7kLmN9pQ2rSt"}`,
  `github_pat_${"1".padEnd(22, "aB3dE5gH7k")}_${"aB3dE5gH7k".repeat(6).slice(0, 59)}`,
];

const varint = (value: number): Buffer => {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Buffer.from([...bytes, rest]);
};
const field = (number: number, value: Buffer | string): Buffer => {
  const bytes = Buffer.from(value);
  return Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes]);
};
const envelope = (flags: number, inner: Buffer): Buffer => {
  const head = Buffer.alloc(5);
  head[0] = flags;
  head.writeUInt32BE(inner.length, 1);
  return Buffer.concat([head, inner]);
};

const inspector = createInspector({ key: Buffer.alloc(32, 7) });
function secretsIn(body: Buffer, type: string): number {
  const decoder = createDecoder({ workspace: "/work", cwd: "/work" });
  const { parts, understood } = decoder.decode({
    method: "POST",
    host: "api2.cursor.sh",
    path: "/aiserver.v1.ChatService/StreamUnifiedChatWithTools",
    headers: type === "" ? [] : [["content-type", type]],
    body,
  });
  expect(understood).toBe(false);
  return inspector.inspect(parts).findings.filter((found) => found.class === "secret").length;
}

/** What may stand beside a text in a message. */
const beside = fc.oneof(
  fc.integer({ min: 0, max: 300 }).map((value) => Buffer.concat([Buffer.of(8), varint(value)])),
  fc.string({ unit: "grapheme-ascii", maxLength: 40 }).map((text) => field(3, text)),
  fc.uint8Array({ maxLength: 20 }).map((bytes) => field(7, Buffer.from(bytes))),
  fc.constant(Buffer.concat([Buffer.of(0x21), Buffer.alloc(8, 1)])),
  fc.constant(Buffer.alloc(0)),
);
/** A message that holds the value `depth` messages deep, with others beside it. */
const nested = (inner: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> =>
  fc
    .tuple(
      inner,
      fc.array(fc.tuple(fc.integer({ min: 1, max: 40 }), beside, beside), { minLength: 1, maxLength: 7 }),
    )
    .map(([value, levels]) =>
      levels.reduce<Buffer>(
        (deeper, [number, before, after]) => Buffer.concat([before, field(number, deeper), after]),
        value,
      ),
    );
const codings = [gzipSync, zstdCompressSync, deflateSync, brotliCompressSync] as const;

describe("a key in a body of protobuf", () => {
  it("is found at any depth, in any field, whatever stands beside it", () => {
    fc.assert(
      fc.property(nested(fc.constantFrom(...KEYS).map((key) => Buffer.from(key))), (body) => {
        expect(secretsIn(body, "application/proto")).toBeGreaterThan(0);
      }),
      { numRuns: 400 },
    );
  });

  it("is found in any of many envelopes, packed or not, and in a packed file in a field", () => {
    const packedField = fc
      .tuple(fc.constantFrom(...KEYS), fc.constantFrom(gzipSync, zstdCompressSync), fc.boolean())
      .map(([key, pack, isMessage]) => pack(isMessage ? field(15, field(9, key)) : Buffer.from(key)));
    fc.assert(
      fc.property(
        nested(
          fc.oneof(
            fc.constantFrom(...KEYS).map((key) => Buffer.from(key)),
            packedField,
          ),
        ),
        fc.array(beside, { maxLength: 3 }),
        fc.array(beside, { maxLength: 3 }),
        fc.constantFrom(null, ...codings),
        fc.constantFrom("application/connect+proto", "application/grpc+proto", "application/grpc-web", ""),
        (message, before, after, pack, type) => {
          const own = pack === null ? envelope(0, message) : envelope(1, pack(message));
          const body = [
            ...before.map((one) => envelope(0, one)),
            own,
            ...after.map((one) => envelope(0, one)),
          ];
          expect(secretsIn(Buffer.concat(body), type)).toBeGreaterThan(0);
        },
      ),
      { numRuns: 200 },
    );
  });

  test.each<[string, Buffer, string]>([
    [
      "with a byte too many behind it",
      Buffer.concat([field(15, field(9, KEYS[1] ?? "")), Buffer.of(7)]),
      "application/proto",
    ],
    [
      "in an old group",
      Buffer.concat([Buffer.of(0x4b), field(9, KEYS[1] ?? ""), Buffer.of(0x4c)]),
      "application/proto",
    ],
    ["of no type that says so", field(1, field(15, field(9, KEYS[1] ?? ""))), "application/octet-stream"],
  ])("is found %s", (_, body, type) => {
    expect(secretsIn(body, type)).toBeGreaterThan(0);
  });

  test.each<[string, Buffer]>([
    ["an envelope that unfolds without end", envelope(1, gzipSync(Buffer.alloc(80 << 20)))],
    [
      "many files that do so together",
      Buffer.concat(Array.from({ length: 3 }, () => envelope(0, field(2, gzipSync(Buffer.alloc(30 << 20)))))),
    ],
    ["messages without number", Buffer.alloc(5 * 100_002)],
  ])("is not looked for in %s: such a body goes nowhere", (_, body) => {
    expect(() => secretsIn(body, "application/connect+proto")).toThrow(/packed in it|messages in one body/);
  });

  test.each([
    ["application/connect+proto", envelope(1, gzipSync(field(2, field(15, field(9, KEYS[1] ?? "")))))],
    ["application/proto", field(2, field(15, field(9, KEYS[1] ?? "")))],
  ])(
    "does not leave (%s): refused in the protocol's own way, recorded as not understood",
    async (type, body) => {
      const server = keep(
        await startDestination((socket) => void socket.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")),
      );
      const rig = keep(await startRig({ policy: policyOf({ ports: [server.port], rules: SECRET_RULE }) }));
      const authority = `api2.example.com:${server.port}`;
      const wire = await Wire.tunnel(rig.socketPath, authority);
      const send = (content: Buffer): void => {
        const head = `POST /aiserver.v1.ChatService/Stream HTTP/1.1\r\nHost: ${authority}\r\nContent-Type: ${type}\r\nContent-Length: ${content.length}\r\n\r\n`;
        wire.write(Buffer.concat([Buffer.from(head), content]));
      };
      const harmless = type.includes("connect") ? envelope(0, field(2, "hello")) : field(2, "hello");
      send(harmless);
      expect(await wire.until("\r\n\r\n")).toContain("200 OK");
      send(body);
      expect(await wire.until("permission_denied")).toContain("HTTP/1.1 403");
      wire.close();
      expect(Buffer.concat(server.received).includes(harmless)).toBe(true);
      expect(Buffer.concat(server.received).includes(body)).toBe(false);
      expect(rig.of("exchange.judged")).toMatchObject([
        { verdict: "allow", dialect: "protobuf", understood: false },
        { verdict: "deny", dialect: "protobuf", understood: false, rules: ["no-secrets"] },
      ]);
    },
  );
});
