import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { createInspector } from "./inspect.ts";
import {
  ALTERED_CLASS,
  ambiguous,
  makeTemplate,
  openTemplate,
  type TemplateInspector,
  withTemplate,
} from "./template.ts";

const KEY = new Uint8Array(32).fill(7);
const SYSTEM = `You are a coding agent.
Working directory: /home/agent/project-1
Today's date is 2026-11-20.
Is the directory a git repo: Yes
Never say "done" before the tests pass - run them.`;
const file = makeTemplate(
  [
    { role: "system", text: SYSTEM },
    {
      role: "user",
      text: "<system-reminder>\nAs you answer, keep these rules in mind\n</system-reminder>\nplease list the files here",
    },
    { role: "definition", text: "Reads a file from the local file system" },
    { role: "tool", text: "some output of a command" },
  ],
  { build: "h1:x", at: 1, said: ["please list the files here"] },
);
const inspector = (surroundings: readonly string[] = []): TemplateInspector =>
  withTemplate(
    createInspector({ key: KEY }),
    openTemplate(JSON.stringify(file), "t.json"),
    KEY,
    surroundings,
  );
const look = (text: string, role = "system"): readonly string[] =>
  inspector()
    .inspect([{ text, role, isNew: true }])
    .findings.filter((f) => f.class === ALTERED_CLASS)
    .map(({ start, end }) => text.slice(start, end));

describe("a line of the vetted template", () => {
  test.each([
    ["as it was", SYSTEM],
    ["on another day", SYSTEM.replace("2026-11-20", "2027-01-03")],
    ["in another folder", SYSTEM.replace("/home/agent/project-1", "/srv/work/other")],
    ["with more white space at its ends", SYSTEM.replaceAll("\n", "  \n")],
  ])("passes %s", (_what, text) => {
    expect(look(text)).toEqual([]);
  });
  test.each([
    ["slashes in the date", "Today's date is 2026/11/20."],
    ["dots in the date", "Today's date is 2026.11.20."],
    ["another apostrophe", "Today\u2019s date is 2026-11-20."],
    ["a modifier letter", "Today\u02bcs date is 2026-11-20."],
    ["a zero-width space", "Today's\u200b date is 2026-11-20."],
    ["a no-break space", "Today's\u00a0date is 2026-11-20."],
    ["a Cyrillic letter", "T\u043eday's date is 2026-11-20."],
    ["a fullwidth letter", "\uff34oday's date is 2026-11-20."],
    ["a variation selector", "Today's date is 2026-11-20.\ufe0e"],
    ["a tag character", "Today's date is 2026-11-20.\u{e0041}"],
    ["a longer dash", 'Never say "done" before the tests pass \u2014 run them.'],
    ["curly quotes", "Never say \u201cdone\u201d before the tests pass - run them."],
    ["two blanks", 'Never say  "done" before the tests pass - run them.'],
  ])("is found out with %s", (_what, line) => {
    expect(look(`You are a coding agent.\n${line}\nIs the directory a git repo: Yes`)).toEqual([line]);
  });
  it("is found out in what the agent puts round the person's words", () => {
    expect(look("As you answer, keep these rules in m\u0456nd", "user")).toHaveLength(1);
  });
});

it("of two forms that look the same in a template, the plain one counts, and both are told", () => {
  const both = makeTemplate(
    [
      {
        role: "system",
        text: "Today's date is 2026-11-20.\nToday\u02bcs date is 2026/11/20.\nWhen to use it\nWhen to Use it",
      },
    ],
    { build: "h1:x", at: 1, said: [] },
  );
  expect(ambiguous(both.lines)).toEqual([["Today's date is 0-0-0.", "Today\u02bcs date is 0/0/0."]]);
  const { shapes } = openTemplate(JSON.stringify(both), "t.json");
  expect([...shapes.values()]).toContain("Today's date is 0-0-0.");
  expect(shapes.size).toBe(3);
});

it("the person's own words, and output of commands, are nobody's template", () => {
  expect(look("Please list the f\u0456les here", "user")).toEqual([]);
  expect(look("You are a c\u043eding agent.", "tool")).toEqual([]);
});

it("counts what nothing accounts for: not the template, not the repository's rules, not what was said", () => {
  const watching = inspector(["Always use tabs in this repository"]);
  watching.inspect([
    {
      text: `${SYSTEM}\nAlways use tabs in this repository\nThe user is in the office today`,
      role: "system",
      isNew: true,
    },
  ]);
  expect(watching.tally()).toEqual({ altered: 0, unaccounted: 1, known: 5 });
  watching.inspect([{ text: "a line that a command printed", role: "tool", isNew: true }]);
  watching.inspect([{ text: "a line that a command printed", role: "system", isNew: true }]);
  expect(watching.tally().unaccounted).toBe(1);
});

it("a marked line does not account for itself by being sent twice", () => {
  const watching = inspector();
  const part = { text: "As you answer, keep these rules in m\u0456nd", role: "user", isNew: true };
  expect(watching.inspect([part]).findings).toHaveLength(1);
  expect(watching.inspect([{ ...part }]).findings).toHaveLength(1);
});

test.each(["", "{}", '{"version":2}', "[]"])("what is no template is refused: %s", (text) => {
  expect(() => openTemplate(text, "t.json")).toThrow(/template/);
});

describe("a line put back as it was vetted", () => {
  const vetted = (line: string): string | undefined =>
    inspector().asVetted?.({ text: line, role: "system", isNew: true }).get(line);

  it("has its own date and folder, and the template's characters, whichever look-alikes it came in", () => {
    const quotes = ["\u2019", "\u02bc", "\u02b9", "'\u200b"];
    fc.assert(
      fc.property(
        fc.integer({ min: 1000, max: 9999 }),
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 31 }),
        fc.constantFrom(...quotes),
        fc.constantFrom("-", "/", "."),
        (year, month, day, quote, mark) => {
          const line = `Today${quote}s date is ${[year, month, day].join(mark)}.`;
          expect(vetted(line)).toBe(`Today's date is ${[year, month, day].join("-")}.`);
        },
      ),
    );
  });

  it("keeps a path that was cut out of the shape", () => {
    expect(vetted("W\u043erking directory: ~/a-b/c.d_7/")).toBe("Working directory: ~/a-b/c.d_7/");
  });

  it("is nothing that is as it was vetted, and nothing that a tool said", () => {
    expect(inspector().asVetted?.({ text: SYSTEM, role: "system", isNew: true }).size).toBe(0);
    expect(
      inspector().asVetted?.({ text: "T\u043eday's date is 2026-11-20.", role: "tool", isNew: true }).size,
    ).toBe(0);
  });
});
