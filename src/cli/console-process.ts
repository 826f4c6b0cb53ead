/**
 * The console's own process: wires `src/console/` to the ledger's files, to the station's socket for everything that is
 * written, and to the station's channel for links. It ends when the channel closes: with the station, however that ends.
 */

import { type Console, isRole, openConsole } from "../console/index.ts";
import { asFault, Fault, type FaultCode, systemClock } from "../core/index.ts";
import type { ConsoleCall, ConsoleWord } from "./console-child.ts";
import { consoleNeighbours } from "./console-wire.ts";
import { placesOf } from "./places.ts";

/** A console that nobody is signed in to, and to which no link waits, ends after so long. */
const EMPTY_MS = 30 * 60_000;
const MINUTE_MS = 60_000;

const tell = (word: ConsoleWord): void => void process.send?.(word);

/** What goes wrong, into the station's log: our standard error. */
function report(fault: Fault): void {
  const cause = fault.cause instanceof Error ? { cause: fault.cause.message } : {};
  process.stderr.write(
    `${JSON.stringify({ at: new Date().toISOString(), code: fault.code, detail: fault.message, ...cause })}\n`,
  );
}

async function start(port: number, exact: boolean): Promise<void> {
  const { neighbours, onApprovals } = await consoleNeighbours(placesOf(process.env));
  const console = await openConsole({ neighbours, port, exact, report });
  const end = (): void =>
    void console.close().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  process.once("disconnect", end);
  process.on("message", (call: ConsoleCall) => tell(answer(console, call)));
  onApprovals(() => console.tell({ what: "approvals" }));
  endWhenEmpty(console, end);
  tell({ listens: console.origin });
  // Probes take seconds on a busy machine: whoever opens the health page then need not wait for them.
  neighbours.machine().catch(() => undefined); // asked again by that page, which tells it
}

function answer(console: Console, call: ConsoleCall): ConsoleWord {
  const { id } = call;
  try {
    switch (call.do) {
      case "link": {
        const { url, expiresAt } = console.link({
          principal: call.principal,
          roles: call.roles.filter(isRole),
          language: call.language,
        });
        return { id, answer: { url, expiresAt } };
      }
      case "links":
        return { id, answer: { links: console.links() } };
      case "revoke":
        return { id, answer: { revoked: console.revoke(call.which) } };
      default:
        call satisfies never;
        throw new Fault("internal.bug", { detail: "unknown call" });
    }
  } catch (thrown) {
    return { id, fault: faultWord(asFault(thrown)) };
  }
}

function endWhenEmpty(console: Console, end: () => void): void {
  let emptySince = systemClock.monotonic();
  setInterval(() => {
    const now = systemClock.monotonic();
    if (console.links().length > 0) emptySince = now;
    else if (now - emptySince >= EMPTY_MS) end();
  }, MINUTE_MS).unref();
}

const faultWord = (
  fault: Fault,
): { readonly code: FaultCode; readonly detail?: string; readonly at?: string } => ({
  code: fault.code,
  ...(fault.detail === undefined ? {} : { detail: fault.detail }),
  ...(fault.at === undefined ? {} : { at: fault.at }),
});

const [, , port = "0", exact] = process.argv;
await start(Number(port), exact === "exact").catch((thrown: unknown) => {
  tell({ id: null, fault: faultWord(asFault(thrown)) });
  process.exit(1);
});
