/** `up`, `down`, `status`: the station by hand. */
import { duration } from "../report/index.ts";
import type { Places } from "./places.ts";
import { table } from "./print.ts";
import { lineToRunning, reachStation } from "./reach.ts";
import type { Hello } from "./talk.ts";

export async function stationCommand(
  name: "up" | "down" | "status",
  flags: { readonly json?: boolean; readonly force?: boolean },
  places: Places,
): Promise<number> {
  const line = name === "up" ? await reachStation(places) : await lineToRunning(places);
  if (line === null) {
    process.stdout.write(
      flags.json === true ? `${JSON.stringify({ running: false })}\n` : "the station is not running\n",
    );
    return 0;
  }
  const hello = await line
    .ask<Hello>(name === "down" ? { op: "stop", evenWithSessions: flags.force === true } : { op: "hello" })
    .catch((thrown: unknown) => {
      line.close();
      throw thrown;
    });
  if (name === "down") await line.closed;
  else line.close();
  if (flags.json === true) {
    process.stdout.write(`${JSON.stringify({ running: name !== "down", ...hello })}\n`);
    return 0;
  }
  if (name === "down") process.stdout.write(`stopped the station (pid ${hello.pid})\n`);
  else {
    const up = duration(Date.now() - hello.startedAt);
    process.stdout.write(
      `station ${hello.version}, pid ${hello.pid}, up ${up}, ${hello.ledgerSize} ledger entries\n`,
    );
    if (hello.sessions.length > 0)
      process.stdout.write(
        `${table(hello.sessions.map((row) => [`  ${row.session}`, row.agent, row.workspace]))}\n`,
      );
  }
  return 0;
}
