// What is found by shape can be explained, and its examples are what they claim to be.
import { expect, test } from "vitest";
import { createInspector } from "./inspect.ts";
import { explain } from "./scan.ts";
import { SHAPES } from "./shapes.ts";

const inspector = createInspector({ key: Buffer.alloc(32, 4) });
const found = (text: string): readonly string[] => {
  const role = text.startsWith("Basic ") ? "credential" : "target";
  return inspector.inspect([{ text, isNew: true, role }]).findings.map(({ detector }) => detector);
};

test.each(SHAPES.rows.map((row) => [row.id, row] as const))("%s", (id, row) => {
  for (const example of row.examples) expect(found(example), example).toContain(id);
  for (const other of row.counterexamples) expect(found(other), other).toEqual([]);
  expect(explain(id)).toMatchObject({ family: { written: SHAPES.written }, detector: { title: row.title } });
  for (const { class: dataClass } of inspector
    .inspect(
      row.examples.map((text) => ({
        text,
        isNew: true,
        role: id === "basic-login" ? "credential" : "target",
      })),
    )
    .findings.filter(({ detector }) => detector === id))
    expect(dataClass).toBe(row.class);
});
