import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { Names, parseQuestion } from "./names.ts";

/** A query as a stub resolver sends it: id 0xbeef, recursion desired. */
function query(name: string, type = 1, extra: Uint8Array = new Uint8Array()): Buffer {
  const labels = name
    .split(".")
    .flatMap((label) => [Buffer.from([label.length]), Buffer.from(label, "latin1")]);
  const counts = Buffer.from([0xbe, 0xef, 1, 0, 0, 1, 0, 0, 0, 0, 0, extra.length === 0 ? 0 : 1]);
  return Buffer.concat([counts, ...labels, Buffer.from([0, 0, type, 0, 1]), extra]);
}
const code = (answer: Buffer | null): number => (answer?.[3] ?? 0) & 0x0f;
const addressIn = (answer: Buffer | null): string => [...(answer ?? Buffer.alloc(0)).subarray(-4)].join(".");
const anything = async (): Promise<boolean> => true;

describe("the namespace's own name service", () => {
  it("gives a name an address, always the same, and knows it again", async () => {
    const names = new Names();
    const first = await names.answer(query("GitHub.com"), anything);
    expect(code(first)).toBe(0);
    expect(first?.readUInt16BE(0)).toBe(0xbeef);
    expect(first?.readUInt16BE(6)).toBe(1);
    expect(addressIn(first)).toBe("198.18.0.1");
    expect(addressIn(await names.answer(query("pypi.org"), anything))).toBe("198.18.0.2");
    expect(addressIn(await names.answer(query("github.com"), anything))).toBe("198.18.0.1");
    expect(names.hostAt("::ffff:198.18.0.2")).toBe("pypi.org");
  });

  it("a name that may not be reached does not exist, whatever its type", async () => {
    const names = new Names();
    for (const type of [1, 28, 16, 65])
      expect(code(await names.answer(query("secret.attacker.example", type), async () => false))).toBe(3);
    expect(names.hostAt("198.18.0.1")).toBeNull();
  });

  it("types other than A have an empty answer, so that programs go on with A", async () => {
    const answer = await new Names().answer(query("github.com", 28), anything);
    expect([code(answer), answer?.readUInt16BE(6)]).toEqual([0, 0]);
  });

  it("an EDNS question is answered like a plain one", async () => {
    const edns = Buffer.from([0, 0, 41, 16, 0, 0, 0, 0, 0, 0, 0]);
    expect(addressIn(await new Names().answer(query("github.com", 1, edns), anything))).toBe("198.18.0.1");
  });

  test.each<[string, Buffer, number]>([
    ["two questions", Buffer.from(query("a.b").map((byte, at) => (at === 5 ? 2 : byte))), 1],
    ["a compressed name", Buffer.from([0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1]), 1],
    ["a name of quotes and breaks", query('a"b.c\n'), 1],
    ["a name cut off", query("github.com").subarray(0, 18), 1],
    ["an update", Buffer.from(query("a.b").map((byte, at) => (at === 2 ? 0x28 : byte))), 1],
  ])("%s: a format error", async (_name, packet, expected) => {
    expect(code(await new Names().answer(packet, anything))).toBe(expected);
  });

  it("a response is nobody's question: no answer, so that nothing plays ping-pong", async () => {
    const response = Buffer.from(query("a.b").map((byte, at) => (at === 2 ? 0x81 : byte)));
    expect(await new Names().answer(response, anything)).toBeNull();
    expect(await new Names().answer(Buffer.alloc(3), anything)).toBeNull();
  });

  it("addresses are used up before a second name gets one that was given", async () => {
    const names = new Names();
    const given = new Set<string>();
    for (let at = 0; at < 300; at++)
      given.add(addressIn(await names.answer(query(`h${at}.example`), anything)));
    expect(given.size).toBe(300);
    expect(given.has("198.18.1.44")).toBe(true);
  });

  it("an address that is no name's stays what it is", () => {
    expect(new Names().hostAt("::ffff:10.1.2.3")).toBe("10.1.2.3");
    expect(new Names().hostAt("2001:db8::1")).toBe("2001:db8::1");
  });

  it("random packets never throw, and what is read as a name is one", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 80 }), async (packet) => {
        const found = parseQuestion(packet);
        if (found !== null) expect(found.name).toMatch(/^[a-z0-9_.-]+$/);
        await new Names().answer(packet, anything);
      }),
    );
  });
});
