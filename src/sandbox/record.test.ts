import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { FrameReader, type Observation } from "./record.ts";

const frame = (...fields: readonly string[]): Buffer => {
  const rest = Buffer.from(fields.map((field) => `${field}\0`).join(""));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(rest.length);
  return Buffer.concat([length, rest]);
};

const SAID: readonly (readonly [readonly string[], Observation])[] = [
  [["H", "1", "77"], { kind: "hello", pid: 77 }],
  [
    ["E", "2", "1", "901", "64:5:12:99", "7", "3+", "/usr/bin/git", "/work", "git", "", "a b\nc"],
    {
      kind: "started",
      ...{ command: 2, parent: 1, identity: "64:5:12:99", held: 7, count: 3, program: "/usr/bin/git" },
      ...{ folder: "/work", arguments: ["git", "", "a b\nc"], isCut: true },
    },
  ],
  [["X", "2", "0"], { kind: "ended", command: 2, exitCode: 0 }],
  [["X", "2", ""], { kind: "ended", command: 2, exitCode: null }],
  [["F", "1", "c", "/work/a"], { kind: "file", command: 1, change: "created", path: "/work/a", to: null }],
  [
    ["F", "1", "m", "/work/a", "/work/ü"],
    { kind: "file", command: 1, change: "renamed", path: "/work/a", to: "/work/ü" },
  ],
  [["R", "1", "/opt/x"], { kind: "read", command: 1, path: "/opt/x" }],
  [
    ["C", "4", "tcp", "198.18.0.1", "443", "caught", "github.com"],
    {
      kind: "connection",
      ...{
        command: 4,
        transport: "tcp",
        address: "198.18.0.1",
        port: 443,
        outcome: "caught",
        host: "github.com",
      },
    },
  ],
  [["L", "file"], { kind: "unreadable", what: "file" }],
  [["."], { kind: "end" }],
];

describe("the helper's frames", () => {
  test.each(SAID)("%j", (fields, expected) => {
    expect(new FrameReader().read(frame(...fields))).toEqual([expected]);
  });

  it("any chunking of the stream gives the same observations", () => {
    const whole = Buffer.concat(SAID.map(([fields]) => frame(...fields)));
    const expected = SAID.map(([, observation]) => observation);
    fc.assert(
      fc.property(fc.array(fc.nat(whole.length), { maxLength: 12 }), (cuts) => {
        const reader = new FrameReader();
        const places = [0, ...cuts.toSorted((a, b) => a - b), whole.length];
        const got = places.slice(1).flatMap((end, at) => reader.read(whole.subarray(places[at], end)));
        expect(got).toEqual(expected);
      }),
    );
  });

  test.each<[string, Buffer]>([
    ["an unknown letter", frame("Z", "1")],
    ["another version", frame("H", "2", "77")],
    ["too few fields", frame("E", "1", "0")],
    ["a number that is none", frame("X", "one", "0")],
    ["an unknown change", frame("F", "1", "x", "/work/a")],
    ["an outcome of another time", frame("C", "4", "tcp", "::1", "443", "perhaps", "")],
    ["a length beyond the helper's buffer", Buffer.from([0, 0, 2, 0, 0])],
    ["a frame of nothing", Buffer.from([0, 0, 0, 0])],
    ["a field without its end", Buffer.from([1, 0, 0, 0, 0x2e])],
  ])("%s is refused", (_name, bytes) => {
    expect(() => new FrameReader().read(bytes)).toThrow("the recorder says something else");
  });

  it("random bytes give observations or a fault, never anything else", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          new FrameReader().read(bytes);
        } catch (thrown) {
          expect(thrown).toMatchObject({ code: "internal.bug" });
        }
      }),
    );
  });
});
