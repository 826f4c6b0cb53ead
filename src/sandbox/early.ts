/** What the station answers first to a question that was asked before the client was there: helper/early.c reads it. */
import { contents, outsideEnvironment } from "./outside.ts";
import type { SandboxPlan } from "./plan.ts";

/** What early.c has room for. */
const MOST_PARTS = 1_000;
const MOST_BYTES = 8 << 20;
const FIRST_TOO_HIGH = 400;

/** Empty where the helper does not build the wall: the client then does. */
export function earlyWall(plan: SandboxPlan, groups: readonly string[]): Buffer {
  const none = Buffer.alloc(0);
  if (plan.stage !== "helper" || contents(plan).some(({ fd }) => fd >= FIRST_TOO_HIGH)) return none;
  const parts = [
    ...contents(plan).map(({ fd, bytes }) => part("d", fd, bytes)),
    ...[plan.file, ...plan.args].map((word) => part("a", 0, Buffer.from(word))),
    ...Object.entries(outsideEnvironment(plan, groups)).map(([name, value]) =>
      part("e", 0, Buffer.from(`${name}=${value}`)),
    ),
  ];
  const body = Buffer.concat(parts);
  if (parts.length > MOST_PARTS || body.length > MOST_BYTES) return none;
  const head = Buffer.alloc(5);
  head.write("W", "latin1");
  head.writeUInt32LE(body.length, 1);
  return Buffer.concat([head, body]);
}

function part(letter: "d" | "a" | "e", number: number, bytes: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.write(letter, "latin1");
  head.writeUInt32LE(number, 1);
  head.writeUInt32LE(bytes.length, 5);
  return Buffer.concat([head, bytes]);
}
