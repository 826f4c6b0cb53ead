/**
 * The station's log: a line of JSON for each fault that nobody else can be told of. Of a fault that comes again and again (a full
 * disk, with agents that go on asking) there is a line a second, which says how many were left out: the log is on that disk.
 */
import { asFault, type Clock, type FaultCode } from "../core/index.ts";

/** Between two lines with the same code. */
const QUIET_MS = 1_000;

export function faultLog(clock: Clock, write: (line: string) => void): (thrown: unknown) => void {
  const last = new Map<FaultCode, { readonly at: number; unsaid: number }>();
  return (thrown) => {
    const fault = asFault(thrown);
    const before = last.get(fault.code);
    const now = clock.monotonic();
    if (before !== undefined && now - before.at < QUIET_MS) {
      before.unsaid++;
      return;
    }
    last.set(fault.code, { at: now, unsaid: 0 });
    const unsaid = before?.unsaid ?? 0;
    write(
      `${JSON.stringify({
        at: new Date(clock.now()).toISOString(),
        code: fault.code,
        detail: fault.message,
        ...(unsaid === 0 ? {} : { unsaid }),
      })}\n`,
    );
  };
}
