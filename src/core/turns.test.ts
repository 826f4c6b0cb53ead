import { expect, it } from "vitest";
import { Turns } from "./turns.ts";

/** A clock that moves by half a step each time it is asked. */
const ticking = () => {
  let now = 0;
  return { now: () => 0, monotonic: () => (now += 0.5) };
};

it("what fits in one step is done at once", () => {
  const done: number[] = [];
  const still = { now: () => 0, monotonic: () => 0 };
  expect(new Turns(still).walk([1, 2, 3], (n) => void done.push(n))).toBeNull();
  expect(done).toEqual([1, 2, 3]);
});

it("long works take turns, and between two turns the loop looks at its sockets", async () => {
  const turns = new Turns(ticking());
  const done: string[] = [];
  const walk = (name: string): Promise<void> | null =>
    turns.walk([1, 2, 3, 4, 5, 6], (n) => void done.push(`${name}${n}`));
  let loops = 0;
  let isOver = false;
  const look = (): void => {
    loops++;
    done.push("loop");
    if (!isOver) setImmediate(look);
  };
  setImmediate(look);
  await Promise.all([walk("a"), walk("b"), walk("c")]);
  isOver = true;
  expect(loops).toBeGreaterThan(3);
  // Nobody goes on twice before the loop has gone round, and each does its steps in order.
  for (const name of ["a", "b", "c"])
    expect(done.filter((one) => one.startsWith(name))).toEqual([1, 2, 3, 4, 5, 6].map((n) => `${name}${n}`));
  const afterFirst = done.slice(done.indexOf("loop"));
  const between = afterFirst.join(" ").split("loop");
  for (const turn of between) expect(new Set(turn.match(/[abc]/g) ?? []).size).toBeLessThanOrEqual(1);
});

it("what a step throws is thrown, at once or later", async () => {
  const fail = (at: number) => (n: number) => {
    if (n === at) throw new Error(`step ${n}`);
  };
  expect(() => new Turns(ticking()).walk([1, 2, 3, 4, 5], fail(1))).toThrow("step 1");
  await expect(new Turns(ticking()).walk([1, 2, 3, 4, 5, 6, 7, 8], fail(8))).rejects.toThrow("step 8");
});
