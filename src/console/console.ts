/**
 * The console as a whole: a query index that follows the ledger, the people who are signed in, and the server. What it opens
 * it closes. It writes nothing but its index: what must be recorded goes to the station.
 */
import { Fault } from "../core/index.ts";
import { catchUpApart, openQueryIndex, publishedState, watchLedger } from "../ledger/index.ts";
import type { Indexing } from "./api/events.ts";
import type { Link } from "./api/me.ts";
import type { LiveNews, Neighbours, Rooms } from "./rooms.ts";
import { routesOf } from "./routes.ts";
import { serve } from "./server.ts";
import { type LinkFor, SignIns } from "./sign-in.ts";

/** Ports that are tried after the one that was asked for. */
const MORE_PORTS = 20;
/** News of more entries than these are told by their number. */
const MAX_NEWS = 1000;
/** So many entries take the index a second. */
const MANY_BEHIND = 20_000;

export interface ConsoleOptions {
  readonly neighbours: Neighbours;
  /** The first that is free from here on; with `exact` this one or none. 0: any. */
  readonly port: number;
  readonly exact: boolean;
  readonly report: (fault: Fault) => void;
  readonly maxRequests?: number;
}

export interface Console {
  readonly port: number;
  readonly origin: string;
  /** The address to open, good once and for five minutes. */
  link(made: LinkFor): { readonly id: string; readonly url: string; readonly expiresAt: number };
  links(): readonly Link[];
  /** A link or a signed-in person; `all`: everybody. How many there were. */
  revoke(id: string): number;
  /** Something changed that the ledger's growth does not tell. */
  tell(news: LiveNews): void;
  close(): Promise<void>;
}

/** Resolves when it listens; the index may still be catching up. Throws `console.port`, and what opening the index throws. */
export async function openConsole(options: ConsoleOptions): Promise<Console> {
  const { neighbours, report } = options;
  const index = await openQueryIndex(neighbours.places.index, neighbours.places.ledger);
  const signIns = new SignIns(neighbours.clock);
  const listeners = new Set<(news: LiveNews) => void>();
  const tell = (news: LiveNews): void => {
    for (const listener of listeners) listener(news);
  };
  const behind: { indexing: Indexing | null } = { indexing: null };
  const rooms: Rooms = {
    ...neighbours,
    index,
    indexing: () => behind.indexing,
    fresh: async () => {
      if (behind.indexing === null) await index.catchUp();
    },
    signIns,
    onLive: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  const stop = new AbortController();
  const following = begin(rooms, behind, stop.signal, tell, report).then(() =>
    follow(rooms, stop.signal, tell, report),
  );
  try {
    const { port, close } = await firstFree(options, rooms);
    const origin = `http://127.0.0.1:${port}`;
    return {
      port,
      origin,
      link: (made) => {
        const { id, token, expiresAt } = signIns.link(made);
        // Behind `#`: a browser keeps that from every server, ours too, until the page itself sends it.
        return { id, url: `${origin}/#/sign-in/${token}`, expiresAt };
      },
      links: () => signIns.list(""),
      revoke: (id) => (id === "all" ? signIns.endAll() : Number(signIns.end(id))),
      tell,
      close: async () => {
        stop.abort();
        await close();
        await following;
        index.close();
      },
    };
  } catch (error) {
    stop.abort();
    await following;
    index.close();
    throw error;
  }
}

async function firstFree(
  { port, exact, report, maxRequests }: ConsoleOptions,
  rooms: Rooms,
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const routes = routesOf(rooms);
  for (let at = port; ; at++)
    try {
      return await serve({
        rooms,
        routes,
        port: at,
        report,
        ...(maxRequests === undefined ? {} : { maxRequests }),
      });
    } catch (error) {
      const mayTry = error instanceof Fault && error.code === "console.port" && !exact && port !== 0;
      if (!mayTry || at >= port + MORE_PORTS) throw error;
    }
}

/** Where the index is far behind, another thread takes in what there is: pages are answered meanwhile. */
async function begin(
  { index, places }: Rooms,
  behind: { indexing: Indexing | null },
  signal: AbortSignal,
  tell: (news: LiveNews) => void,
  report: (fault: Fault) => void,
): Promise<void> {
  const of = publishedState(places.ledger).size;
  if (of - index.size < MANY_BEHIND) return;
  const say = (indexing: Indexing | null): void => {
    behind.indexing = indexing;
    tell({ what: "index", indexing });
  };
  say({ size: index.size, of });
  try {
    const task = { file: places.index, directory: places.ledger };
    await catchUpApart(task, (size) => say({ size, of: Math.max(size, of) }), signal);
  } catch (error) {
    // The follower tries again here, more slowly.
    report(error instanceof Fault ? error : new Fault("ledger.failed", { cause: error }));
  }
  if (!signal.aborted) say(null);
}

/** Takes in what the ledger gains, and tells who listens. A fault is told and tried again when the ledger next grows. */
async function follow(
  rooms: Rooms,
  signal: AbortSignal,
  tell: (news: LiveNews) => void,
  report: (fault: Fault) => void,
): Promise<void> {
  const { index } = rooms;
  let told = index.size;
  for await (const _growth of watchLedger(rooms.places.ledger, signal)) {
    const from = Math.min(told, index.size); // a page may have caught up meanwhile; another ledger begins anew
    try {
      await index.catchUp();
    } catch (error) {
      if (!signal.aborted)
        report(error instanceof Fault ? error : new Fault("ledger.failed", { cause: error }));
      continue;
    }
    const to = index.size;
    told = to;
    if (to <= from || signal.aborted) continue;
    const events = index.query(`index>=${Math.max(from, to - MAX_NEWS)}`, MAX_NEWS).map(({ event }) => event);
    tell({ what: "entries", from: to - events.length, events: events.reverse() });
  }
}
