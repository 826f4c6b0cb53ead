import { expect, it } from "vitest";
import { verifierKeyText } from "./note.ts";
import { parseWitnessPolicy } from "./witness-policy.ts";

const key = (n: number, type = 4): string => verifierKeyText(`w${n}.example`, Buffer.alloc(32, n), type);
const log = verifierKeyText("example.org/log", Buffer.alloc(32, 99));
const lines = (...all: string[]): string => `${all.join("\n")}\n`;

// The example of c2sp.org/tlog-policy, with keys.
const X = [1, 2, 3].map((n) => `witness X${n} ${key(n)}`);
const Y = [1, 2, 3].map((n) => `witness Y${n} ${key(n + 3)} https://y${n}.example/`);
const EXAMPLE = lines(
  `log ${log}`,
  "",
  ...X,
  "group X-witnesses 2 X1 X2 X3",
  ...Y,
  "  # the second organisation",
  "group\tY-witnesses  any Y1 Y2 Y3",
  "group X-and-Y all X-witnesses Y-witnesses",
  "quorum X-and-Y",
);

it.each([
  [[], false],
  [["X1", "X2"], false],
  [["X1", "X3", "Y2"], true],
  [["X1", "Y1", "Y2", "Y3"], false],
  [["X1", "X2", "X3", "Y1", "Y2", "Y3"], true],
])("the specification's example: %j are enough: %s", (cosigned, enough) => {
  expect(parseWitnessPolicy(EXAMPLE).isMetBy(new Set(cosigned))).toBe(enough);
});

it("logs and URLs are read; `none` wants nobody", () => {
  const policy = parseWitnessPolicy(EXAMPLE);
  expect(policy.logs.map((l) => l.name)).toEqual(["example.org/log"]);
  expect(policy.witnesses.map((w) => w.url)).toEqual([
    ...[null, null, null],
    ...[1, 2, 3].map((n) => `https://y${n}.example`),
  ]);
  expect(parseWitnessPolicy("quorum none\n").isMetBy(new Set())).toBe(true);
});

it.each([
  ["no quorum", lines(...X), "no quorum line"],
  ["two quorums", lines("quorum none", "quorum none"), "a second quorum line"],
  ["an unknown name", lines("quorum X1"), "`X1` is not defined before"],
  ["a group before its members", lines("group g any X1", X[0] ?? ""), "`X1` is not defined before"],
  ["a threshold of nothing", lines(...X, "group g 0 X1"), "no threshold"],
  ["a threshold above its members", lines(...X, "group g 2 X1"), "no threshold"],
  ["an empty group", lines("group g any"), "no threshold"],
  ["a member twice", lines(...X, "group g 1 X1", "group h 1 X1"), "is a member already"],
  ["a name twice", lines(...X, `witness X1 ${key(7)}`), "cannot be a name"],
  ["the name none", lines(`witness none ${key(1)}`), "cannot be a name"],
  ["a key twice", lines(...X, `witness X4 ${key(1)}`), "the same witness twice"],
  ["a log twice", lines(`log ${log}`, `log ${log}`), "the same log twice"],
  ["a log as a witness", lines(`witness X1 ${log}`), "that is a log's key"],
  ["a witness as a log", lines(`log ${key(1)}`), "that is a witness's key"],
  ["another scheme", lines(`witness X1 ${key(1)} ftp://x`), "http or https"],
  ["a surplus word", lines(`witness X1 ${key(1)} http://x y`), "a name, a key and a URL"],
  ["an unknown word", lines("notary X1"), "unknown word `notary`"],
  ["a malformed key", lines("witness X1 abc"), "malformed verifier key"],
])("%s is refused, with the line", (_, text, problem) => {
  expect(() => parseWitnessPolicy(text, "f")).toThrow(
    expect.objectContaining({
      code: "witness.invalid",
      at: expect.stringMatching(/^f(:\d+)?$/),
      detail: expect.stringContaining(problem),
    }),
  );
});
