// The map must not lie: areas are as the lines, nothing overlaps, nothing is left out.
import fc from "fast-check";
import { expect, it } from "vitest";
import { type Box, squarify } from "./treemap.ts";

const INTO: Box = { x: 0, y: 0, width: 800, height: 400 };
const weights = fc.array(fc.integer({ min: 1, max: 10_000 }), { minLength: 1, maxLength: 60 });

it("areas are as the weights, within the whole, without overlap", () => {
  fc.assert(
    fc.property(weights, (all) => {
      const boxes = squarify(all, INTO);
      const total = all.reduce((sum, one) => sum + one, 0);
      for (const [i, box] of boxes.entries()) {
        expect(box.width * box.height).toBeCloseTo(((all[i] ?? 0) / total) * 320_000, 3);
        expect(box.x).toBeGreaterThanOrEqual(-1e-6);
        expect(box.y + box.height).toBeLessThanOrEqual(400 + 1e-6);
        expect(box.x + box.width).toBeLessThanOrEqual(800 + 1e-6);
        for (const other of boxes.slice(i + 1)) {
          const wide = Math.min(box.x + box.width, other.x + other.width) - Math.max(box.x, other.x);
          const high = Math.min(box.y + box.height, other.y + other.height) - Math.max(box.y, other.y);
          expect(Math.max(0, wide) * Math.max(0, high)).toBeLessThan(1e-3);
        }
      }
    }),
  );
});

it("of nothing is nothing", () => {
  expect(squarify([], INTO)).toEqual([]);
  expect(squarify([0, 0], INTO).map(({ width }) => width)).toEqual([0, 0]);
});
