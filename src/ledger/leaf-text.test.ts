import fc from "fast-check";
import { expect, it } from "vitest";
import { canonicalText, type Json, type LedgerEvent } from "../core/index.ts";
import { LeafText } from "./leaf-text.ts";

it("is canonicalText, whatever fields the events of a kind have and in whatever order", () => {
  const kind = fc.constantFrom("a", "b");
  const fields = fc.dictionary(
    fc.constantFrom("v", "at", "z", "ä", "x", '"'),
    fc.oneof(fc.jsonValue(), fc.constant(undefined)),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(kind, fields), { maxLength: 12 }), (events) => {
      const leaf = new LeafText();
      for (const [name, more] of events) {
        // Any object may stand for an event here: the law is about text alone.
        const event = { ...more, kind: name } as unknown as LedgerEvent;
        expect(leaf.of(event)).toBe(canonicalText(event as unknown as Json));
      }
    }),
    { numRuns: 500 },
  );
});
