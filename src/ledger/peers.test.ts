// Who answered in a destination's name: a reply is counted for the destination that its own exchange was judged for.
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { asSessionId, type EventBody, exchangeId, type SessionId, systemClock } from "../core/index.ts";
import { openLedger } from "./index.ts";
import { openQueryIndex } from "./query-index.ts";

const SESSION: SessionId = asSessionId("00000001") ?? expect.fail("not an id");
type Judged = Extract<EventBody, { kind: "exchange.judged" }>;

const judged = (n: number, more: Partial<Judged> = {}): EventBody => ({
  kind: "exchange.judged",
  session: SESSION,
  exchange: exchangeId(SESSION, n),
  door: "tls",
  protocol: "h2",
  method: "POST",
  host: "api.example",
  port: 443,
  path: "/",
  queryBytes: 0,
  sentTo: "https://api.example",
  destination: "vendor",
  dialect: "anthropic-messages",
  understood: true,
  model: "m-1",
  requestBytes: 100,
  sources: { files: [], commands: 0, others: 0 },
  findings: [],
  verdict: "allow",
  rules: [],
  evidence: [],
  ...more,
});
const answered = (
  n: number,
  address: string,
  tlsPeer: string | null,
  reported?: { model: string | null; region: string | null },
): EventBody => ({
  kind: "exchange.answered",
  session: SESSION,
  exchange: exchangeId(SESSION, n),
  status: 200,
  responseBytes: 10,
  address,
  tlsPeer,
  usage: null,
  complete: true,
  durationMs: 5,
  evidence: [],
  ...(reported === undefined ? {} : { reported }),
});

it("counts replies by address, certificate and what they say of themselves, also when the catching up fell in between", async () => {
  const home = mkdtempSync(join(tmpdir(), "peers-"));
  const directory = join(home, "ledger");
  const ledger = await openLedger({
    directory,
    keyDirectory: join(home, "keys"),
    program: "test",
    clock: systemClock,
  });
  const index = await openQueryIndex(join(home, "index.db"), directory);
  await ledger.append(judged(1));
  await ledger.append(judged(2, { destination: null, sentTo: "http://127.0.0.1:9", model: null }));
  await index.catchUp();
  await ledger.append(answered(1, "192.0.2.1", "aa", { model: "m-1", region: "us" }));
  await ledger.append(answered(2, "127.0.0.1", null));
  await ledger.append(judged(3));
  await ledger.append(answered(3, "192.0.2.1", "aa", { model: "m-2", region: null }));
  await ledger.append(judged(4, { verdict: "deny" }));
  await ledger.append(answered(5, "192.0.2.9", "bb"));
  await index.catchUp();
  expect(
    index.peers.answeredBy().map(({ destination, sentTo, address, tlsPeer, requests }) => ({
      destination,
      sentTo,
      address,
      tlsPeer,
      requests,
    })),
  ).toEqual([
    {
      destination: "vendor",
      sentTo: "https://api.example",
      address: "192.0.2.1",
      tlsPeer: "aa",
      requests: 2,
    },
    {
      destination: "api.example",
      sentTo: "http://127.0.0.1:9",
      address: "127.0.0.1",
      tlsPeer: null,
      requests: 1,
    },
  ]);
  expect(
    index.peers.reported().map(({ asked, model, region, requests }) => ({ asked, model, region, requests })),
  ).toEqual(
    expect.arrayContaining([
      { asked: "m-1", model: "m-1", region: "us", requests: 1 },
      { asked: "m-1", model: "m-2", region: null, requests: 1 },
    ]),
  );
  index.close();
  await ledger.close();
});
