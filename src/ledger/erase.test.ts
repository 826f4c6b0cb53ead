import { mkdtempSync, readdirSync, renameSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { asSessionId, type EventBody, exchangeId, type SessionId } from "../core/index.ts";
import {
  type Ledger,
  type LedgerOptions,
  openLedger,
  readEntries,
  readEvidence,
  verifyLedger,
} from "./index.ts";

const DAY = 86_400_000;
const id = (text: string): SessionId => asSessionId(text) ?? expect.fail("not an id");
const [one, two] = [id("00000001"), id("00000002")];
const by = { principal: "local:0", reason: "asked by the person" };

function place(): LedgerOptions & { now: number } {
  const home = mkdtempSync(join(tmpdir(), "erase-"));
  const options = {
    directory: join(home, "ledger"),
    keyDirectory: join(home, "keys"),
    program: "test",
    now: 1_800_000_000_000,
    clock: { now: () => options.now, monotonic: () => performance.now() },
  };
  return options;
}
const judged = (session: SessionId, found: string | null, destination: string): EventBody => ({
  kind: "exchange.judged",
  session,
  exchange: exchangeId(session, 1),
  door: "tls",
  protocol: "h2",
  method: "POST",
  host: "api.example",
  port: 443,
  path: "/",
  queryBytes: 0,
  sentTo: "https://api.example",
  destination,
  dialect: "opaque",
  understood: false,
  model: null,
  requestBytes: 4,
  sources: { files: [], commands: 0, others: 0 },
  findings: found === null ? [] : [{ class: found, detector: "d", count: 1 }],
  verdict: "allow",
  rules: [],
  evidence: [],
});
async function send(
  ledger: Ledger,
  session: SessionId,
  found: string | null = null,
  to = "vendor",
): Promise<string> {
  const evidence = [{ role: "request-body" as const, chunks: [Buffer.from(`of ${session}`)] }];
  const { event } = await ledger.append(judged(session, found, to), evidence);
  return "evidence" in event ? (event.evidence[0]?.id ?? "") : "";
}
const kinds = async (directory: string): Promise<string[]> => {
  const all = [];
  for await (const { event } of readEntries(directory)) all.push(event.kind);
  return all;
};

it("erasing destroys one session's evidence, records it, and leaves log and neighbours whole", async () => {
  const options = place();
  const ledger = await openLedger(options);
  const [a, b] = [await send(ledger, one), await send(ledger, two)];
  const { event } = await ledger.erase(one, by);
  expect(event).toMatchObject({ kind: "evidence.erased", session: one, ...by, rule: null });
  await expect(readEvidence(options.directory, options.keyDirectory, a)).rejects.toMatchObject({
    code: "evidence.erased",
  });
  expect(String(await readEvidence(options.directory, options.keyDirectory, b))).toBe("of 00000002");
  await expect(ledger.erase(one, by)).rejects.toMatchObject({ code: "evidence.erased" });
  await expect(ledger.erase(id("00000009"), by)).rejects.toMatchObject({ code: "evidence.unknown" });
  // A session that goes on after its erasure keeps no evidence again.
  await expect(send(ledger, one)).rejects.toMatchObject({ code: "evidence.erased" });
  await ledger.close();
  expect((await verifyLedger(options.directory)).problems).toEqual([]);
});

it("a legal hold forbids erasing until it is lifted, also over restarts; both are on the record", async () => {
  const options = place();
  let ledger = await openLedger(options);
  const a = await send(ledger, one);
  await ledger.hold("case-7", [one], "local:0");
  await ledger.hold("case-8", [], "local:0");
  await ledger.close();
  ledger = await openLedger(options);
  await expect(ledger.erase(one, by)).rejects.toMatchObject({ code: "evidence.held", detail: "case case-7" });
  await ledger.liftHold("case-7", "local:0");
  await expect(ledger.erase(one, by)).rejects.toMatchObject({ code: "evidence.held", detail: "case case-8" });
  expect(String(await readEvidence(options.directory, options.keyDirectory, a))).toBe("of 00000001");
  await ledger.liftHold("case-8", "local:0");
  await ledger.erase(one, by);
  await expect(ledger.liftHold("case-8", "local:0")).rejects.toMatchObject({ code: "usage.invalid" });
  await ledger.close();
  expect(
    (await kinds(options.directory)).filter((k) => k.startsWith("hold") || k.endsWith("erased")),
  ).toEqual(["hold.placed", "hold.placed", "hold.lifted", "hold.lifted", "evidence.erased"]);
});

it("an erasure that a crash interrupted is finished and recorded at the next opening", async () => {
  const options = place();
  let ledger = await openLedger(options);
  const a = await send(ledger, one);
  await ledger.close();
  const own = readdirSync(options.keyDirectory).find((n) => n.startsWith("sallyport")) ?? "";
  const sessions = join(options.keyDirectory, own, "sessions");
  renameSync(join(sessions, `${one}.key`), join(sessions, `${one}.erasing`));
  await expect(readEvidence(options.directory, options.keyDirectory, a)).rejects.toMatchObject({
    code: "evidence.erased",
  });
  ledger = await openLedger(options);
  await ledger.close();
  expect(readdirSync(sessions)).toEqual([`${one}.erased`]);
  expect((await kinds(options.directory)).filter((k) => k === "evidence.erased")).toHaveLength(1);
});

it("retention erases by class and destination when its time is over, the first rule that fits deciding", async () => {
  const options = place();
  const ledger = await openLedger(options);
  await send(ledger, one, "personal");
  await send(ledger, two, null, "internal");
  const rules = [
    { id: "personal-30", keepDays: 30, classes: ["personal"] },
    { id: "internal-10", keepDays: 10, destinations: ["internal"] },
    { id: "rest", keepDays: 3650 },
  ];
  expect(await ledger.retain(rules)).toEqual([]);
  options.now += 11 * DAY;
  expect(await ledger.retain(rules)).toEqual([{ session: two, rule: "internal-10" }]);
  await ledger.hold("c", [one], "local:0");
  options.now += 20 * DAY;
  expect(await ledger.retain(rules)).toEqual([]);
  await ledger.liftHold("c", "local:0");
  expect(await ledger.retain(rules)).toEqual([{ session: one, rule: "personal-30" }]);
  expect(await ledger.retain(rules)).toEqual([]);
  await ledger.close();
});
