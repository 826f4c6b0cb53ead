// What the station's log says of a fault, and of one that does not stop.
import { expect, it } from "vitest";
import { Fault } from "../core/index.ts";
import { faultLog } from "./fault-log.ts";

it("a line for each fault; of one that comes again within a second only how often", () => {
  let ms = 0;
  const lines: string[] = [];
  const report = faultLog({ now: () => ms, monotonic: () => ms }, (line) => lines.push(line));
  for (let i = 0; i < 500; i++) report(new Fault("ledger.full", { detail: "no room" }));
  report(new Error("odd"));
  ms = 1_000;
  report(new Fault("ledger.full", { detail: "no room" }));
  ms = 5_000;
  report(new Fault("ledger.full", { detail: "no room" }));
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    { at: "1970-01-01T00:00:00.000Z", code: "ledger.full", detail: expect.stringMatching(/no room$/) },
    { at: "1970-01-01T00:00:00.000Z", code: "internal.bug", detail: expect.stringMatching(/odd$/) },
    { at: "1970-01-01T00:00:01.000Z", code: "ledger.full", detail: expect.any(String), unsaid: 499 },
    { at: "1970-01-01T00:00:05.000Z", code: "ledger.full", detail: expect.any(String) },
  ]);
});
