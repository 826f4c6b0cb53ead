import { describe, expect, it } from "vitest";
import type { ReadRun } from "../observe/fold.ts";
import { Noise } from "../observe/noise.ts";
import { effectsBetween, folded, Side } from "./compare.ts";

const REQUEST = "POST ‹base-url›/v1/messages";
/** `‹offset=+03:00›`: the environment's offset, sent as `+03:00`. */
const sent = (text: string): string => text.replaceAll(/‹offset=([^›]*)›/g, "$1");
const run = (...texts: string[]): ReadRun => ({
  echoed: new Set(),
  requests: [
    {
      name: REQUEST,
      lines: texts.map((text) => ({
        ...{ section: "body" as const, path: "/system", text, raw: sent(text) },
        place: `${REQUEST}\nbody\n/system`,
      })),
    },
  ],
});
const between = (a: readonly string[], b: readonly string[], quoted: readonly string[] = []): string[] => {
  const noise = new Noise();
  const named = new Map(quoted.map((text) => [folded(text), text]));
  return effectsBetween(new Side([run(...a)], noise), new Side([run(...b)], noise), noise, named).map(
    (effect) => `${effect.kind} ${effect.a} → ${effect.b}`,
  );
};

const LINE = "Adds up columns of numbers.";
const ALTERED = LINE.replace("a", "\u0430").replace("columns", "c\u043elumns");

describe("a line that both environments send byte for byte", () => {
  const [plain, named] = ["for example 09:00+03:00", "for example 09:00‹offset=+03:00›"];
  it("is no difference, though a value of one environment stands in it", () => {
    expect(between([plain, LINE], [named, LINE])).toEqual([]);
  });
  it("is one where it comes once less, or another offset is sent", () => {
    expect(between([plain, plain], [named])).toHaveLength(1);
    expect(between([plain], ["for example 09:00‹offset=+08:00›"])).toHaveLength(1);
  });
});

describe("a line that only seems to be new", () => {
  it("is the same text in other characters, where its twin stands beside it", () => {
    expect(between([LINE, LINE], [LINE, ALTERED])).toEqual(["marker o → о"]);
  });
  it("or where the twin is a line of a file, for which a name stands", () => {
    expect(between(["‹line of README.md›\n"], [`${ALTERED}\n`], [LINE])).toEqual(["marker o → о"]);
    expect(
      between(["x", "‹line of README.md›\n"], ["x", "‹line of README.md›\n", `${ALTERED}\n`], [LINE]),
    ).toEqual(["marker o → о"]);
  });
  it("is new, where two names merely resemble each other", () => {
    expect(between(["AGENTS.md"], ["AGENTS.md", "agents_md"], ["AGENTS.md"])).toEqual([
      "added null → agents_md",
    ]);
    expect(between(["TodoWrite"], ["TodoWrite", "todo_write"])).toEqual(["added null → todo_write"]);
  });
});
