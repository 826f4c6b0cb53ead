// The law of the record: whatever breaks, and whenever, each exchange that was allowed has exactly one outcome, nothing
// is left open, and nothing is thrown past the gateway.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { policyOf, startDestination, startRig, Wire, World } from "./rig.testkit.ts";

const REPLY = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n";
const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

interface Plan {
  readonly secure: boolean;
  /** How many bytes of the reply are sent, and what comes then. */
  readonly replyBytes: number;
  readonly ending: "end" | "reset" | "hang";
  /** How many bytes of the request are sent, and after how many turns of the loop the agent leaves (-1: it stays). */
  readonly requestBytes: number;
  readonly leavesAfter: number;
  readonly requests: number;
}

const plan: fc.Arbitrary<Plan> = fc.record({
  secure: fc.boolean(),
  replyBytes: fc.integer({ min: 0, max: REPLY.length }),
  ending: fc.constantFrom("end", "reset", "hang"),
  requestBytes: fc.oneof(fc.constant(1_000_000), fc.integer({ min: 0, max: 120 })),
  leavesAfter: fc.integer({ min: -1, max: 12 }),
  requests: fc.integer({ min: 1, max: 3 }),
});

describe("outcomes", () => {
  it("each allowed exchange has exactly one outcome, whatever breaks when", async () => {
    const world = new World();
    await fc.assert(
      fc.asyncProperty(plan, async (p) => {
        const server = await startDestination(
          (socket, _chunk, sofar) => {
            const state = socket as typeof socket & { answered?: number };
            const asked = sofar.toString("latin1").split("hi-there").length - 1;
            for (state.answered ??= 0; state.answered < asked; state.answered++) {
              if (p.replyBytes === REPLY.length) socket.write(REPLY);
              else if (p.replyBytes > 0) socket.write(REPLY.slice(0, p.replyBytes));
              if (p.replyBytes === REPLY.length) continue;
              if (p.ending === "end") socket.end();
              if (p.ending === "reset") socket.destroy();
            }
          },
          p.secure ? { world, host: "a.example.com" } : undefined,
        );
        const faults: string[] = [];
        const rig = await startRig({
          policy: policyOf({ ports: [server.port] }),
          extraRoots: [world.root],
          onFault: (fault) => faults.push(fault.message),
        });
        const authority = `a.example.com:${server.port}`;
        const wire = await Wire.tunnel(
          rig.socketPath,
          authority,
          p.secure ? { ca: rig.caCertificate } : undefined,
        );
        const one = `POST /x HTTP/1.1\r\nHost: ${authority}\r\nContent-Length: 8\r\n\r\nhi-there`;
        wire.write(one.repeat(p.requests).slice(0, p.requestBytes));
        for (let i = 0; i < Math.max(p.leavesAfter, 4); i++) await tick();
        if (p.leavesAfter >= 0) wire.close();
        for (let i = 0; i < 8; i++) await tick();
        const closed = rig.gateway.close();
        rig.pass(60_000);
        await closed;
        wire.close();
        await server.close();
        await rig.close();
        const allowed = rig.of("exchange.judged").map(({ exchange, verdict }) => `${exchange} ${verdict}`);
        const outcomes = [...rig.of("exchange.answered"), ...rig.of("exchange.failed")].map(
          ({ exchange }) => `${exchange} allow`,
        );
        expect(outcomes.sort()).toEqual(allowed.sort());
        expect(faults).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });
});
