// The gateway with the real ledger: what went through can be read back to the byte, and the ledger verifies.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { type LedgerEvent, systemClock } from "../core/index.ts";
import { openLedger, readEntries, readEvidence, verifyLedger } from "../ledger/index.ts";
import { policyOf, startDestination, startRig, Wire } from "./rig.testkit.ts";

it("requests and replies are read back from the ledger, byte for byte", async () => {
  const folder = mkdtempSync(join(tmpdir(), "gate-ledger-"));
  const [directory, keyDirectory] = [join(folder, "ledger"), join(folder, "keys")];
  const ledger = await openLedger({ directory, keyDirectory, clock: systemClock, program: "test" });
  const reply = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
  const server = await startDestination((socket, chunk) => chunk.includes("turn") && socket.write(reply));
  const rig = await startRig({
    policy: policyOf({ ports: [server.port] }),
    append: (body, evidence) => ledger.append(body, evidence),
  });
  const authority = `a.example.com:${server.port}`;
  const requests = [1, 2, 3].map((turn) => {
    const body = JSON.stringify({
      model: "m",
      max_tokens: 1,
      messages: Array.from({ length: turn }, (_, i) => ({
        role: "user",
        content: `turn ${i} ${"x".repeat(700)}`,
      })),
    });
    return {
      head: `POST /v1/messages HTTP/1.1\r\nHost: ${authority}\r\nX-Case: As Sent\r\ncontent-length: ${body.length}\r\n\r\n`,
      body,
    };
  });
  const wire = await Wire.tunnel(rig.socketPath, authority);
  for (const [i, { head, body }] of requests.entries()) {
    wire.write(head + body);
    await wire.untilBytes(reply.length * (i + 1));
  }
  wire.close();
  await rig.close();
  await server.close();
  await ledger.close();

  const events: LedgerEvent[] = [];
  for await (const { event } of readEntries(directory)) events.push(event);
  const read = async (event: LedgerEvent, role: string): Promise<string> => {
    const ref = "evidence" in event ? event.evidence.find((one) => one.role === role) : undefined;
    return ref === undefined ? "" : (await readEvidence(directory, keyDirectory, ref.id)).toString("latin1");
  };
  const judged = events.filter(({ kind }) => kind === "exchange.judged");
  const answered = events.filter(({ kind }) => kind === "exchange.answered");
  expect([judged.length, answered.length]).toEqual([3, 3]);
  for (const [i, { head, body }] of requests.entries()) {
    const [verdict, outcome] = [judged[i], answered[i]];
    if (verdict === undefined || outcome === undefined) throw new Error("an event is missing");
    expect(await read(verdict, "request-head")).toBe(head);
    expect(await read(verdict, "request-body")).toBe(body);
    expect((await read(outcome, "response-head")) + (await read(outcome, "response-body"))).toBe(reply);
  }
  expect(await verifyLedger(directory)).toMatchObject({ ok: true, problems: [] });
  rmSync(folder, { recursive: true, force: true });
});
