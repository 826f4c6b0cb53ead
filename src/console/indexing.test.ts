// A console that finds a long ledger and no index: pages are answered while another thread makes it, and say so.
import { get } from "node:http";
import { afterEach, expect, it } from "vitest";
import type { Ledger } from "../ledger/index.ts";
import type { Live } from "./api/events.ts";
import { judgedEvent, type Kit, startedEvent, startKit } from "./console.testkit.ts";

let made: Kit;
afterEach(() => made.close());

const ENTRIES = 50_000;
const fill = async (ledger: Ledger): Promise<void> => {
  await ledger.append(startedEvent());
  await Promise.all(Array.from({ length: ENTRIES - 1 }, (_, n) => ledger.append(judgedEvent(n + 1))));
  await ledger.checkpoint();
};

/** What the stream tells of the index, until it tells that all is there. */
function told(kit: Kit, cookie: string): Promise<readonly Extract<Live, { what: "index" }>["indexing"][]> {
  return new Promise((resolve, reject) => {
    const heard: Extract<Live, { what: "index" }>["indexing"][] = [];
    const asked = get(
      { host: "127.0.0.1", port: kit.console.port, path: "/api/events", headers: { cookie } },
      (reply) => {
        reply.setEncoding("utf8").on("data", (text: string) => {
          for (const [, data = ""] of text.matchAll(/^event: index\ndata: (.*)$/gm))
            heard.push((JSON.parse(data) as Extract<Live, { what: "index" }>).indexing);
          if (heard.at(-1) !== null) return;
          asked.destroy();
          resolve(heard);
        });
      },
    );
    asked.once("error", reject);
  });
}

it("pages answer meanwhile, the stream tells how far it is and when all is there, and what comes after is followed", async () => {
  made = await startKit({ before: fill });
  const person = await made.signIn(["viewer"]);
  const hearing = told(made, person.cookie);
  expect((await person.get("/api/flows")).status).toBe(200);
  const heard = await hearing;
  expect(heard[0]?.of).toBeGreaterThanOrEqual(ENTRIES);
  const sizes = heard.flatMap((one) => one?.size ?? []);
  expect(sizes).toEqual([...sizes].sort((a, b) => a - b));
  expect(sizes[0]).toBeLessThan(ENTRIES);
  const { json } = await person.get("/api/flows");
  expect(json).toMatchObject({ data: { requests: ENTRIES - 1 } });
  await made.ledger.append(judgedEvent(ENTRIES));
  await made.settle();
  expect((await person.get("/api/flows")).json).toMatchObject({ data: { requests: ENTRIES } });
  expect(made.faults).toEqual([]);
});
