// Request bodies share memory, one after the other: no byte of one is ever taken for another's.
import type { Socket } from "node:net";
import fc from "fast-check";
import { afterEach, expect, it } from "vitest";
import { type Destination, policyOf, type Rig, startDestination, startRig, Wire } from "./rig.testkit.ts";
import { Slabs, Whole } from "./room.ts";

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const REPLY = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const headOf = (sofar: Buffer): { id: string; start: number; length: number } | null => {
  const start = sofar.indexOf("\r\n\r\n") + 4;
  const found = /^POST \/(\S+) .*\r\nContent-Length: (\d+)\r\n/s.exec(sofar.toString("latin1", 0, start));
  return found === null ? null : { id: found[1] ?? "", start, length: Number(found[2]) };
};

/** Takes one body a connection after the other; some it answers before it has read them, some it reads late. */
async function destination(bodies: Map<string, Buffer>): Promise<Destination> {
  const taken = new WeakMap<Socket, { used: number; answered: string }>();
  return await startDestination((socket, _chunk, sofar) => {
    const state = taken.get(socket) ?? { used: 0, answered: "" };
    taken.set(socket, state);
    for (;;) {
      const head = headOf(sofar.subarray(state.used));
      if (head === null) return;
      const end = state.used + head.start + head.length;
      if (head.id.startsWith("early") && state.answered !== head.id) {
        state.answered = head.id;
        socket.pause();
        socket.write(REPLY);
        setImmediate(() => socket.resume());
      }
      if (sofar.length < end) return;
      bodies.set(head.id, Buffer.from(sofar.subarray(state.used + head.start, end)));
      state.used = end;
      if (state.answered !== head.id) socket.write(REPLY);
    }
  });
}

async function talk(rig: Rig, port: number, lane: number, sent: Map<string, Buffer>): Promise<void> {
  for (let n = 0; n < 12; n++) {
    const wire = await Wire.open(rig.socketPath);
    const id = `${n % 3 === 1 ? "early" : "late"}-${lane}-${n}`;
    const body = Buffer.alloc(20_000 + ((lane * 7919 + n * 104_729) % 400_000), `${id} `);
    const authority = `api.example.com:${port}`;
    const start = `POST http://${authority}/${id} HTTP/1.1\r\nHost: ${authority}\r\n`;
    wire.write(`${start}Content-Length: ${body.length}\r\n\r\n`);
    wire.write(body);
    if (n % 5 === 4) wire.close();
    else {
      sent.set(id, body);
      expect(await wire.until("ok")).toContain("200 OK");
      wire.close();
    }
  }
}

it("bodies that come at once, are answered early, or are given up, leave and are recorded exactly", async () => {
  const [bodies, sent] = [new Map<string, Buffer>(), new Map<string, Buffer>()];
  const server = await destination(bodies);
  const rig = await startRig({ policy: policyOf({ ports: [server.port] }) });
  closing.push(
    () => server.close(),
    () => rig.close(),
  );
  await Promise.all([1, 2, 3, 4].map((lane) => talk(rig, server.port, lane, sent)));
  for (const [id, body] of sent) {
    const kept = rig.entries.find(({ body: event }) => "path" in event && event.path === `/${id}`)?.evidence;
    expect(kept?.["request-body"]?.equals(body), id).toBe(true);
    // What was answered early may still be under way, and never with another's bytes.
    const received = bodies.get(id);
    if (id.startsWith("late")) expect(received?.equals(body), id).toBe(true);
    else if (received !== undefined) expect(received.equals(body), id).toBe(true);
  }
  expect(sent.size).toBeGreaterThan(30);
});

it("an answer that comes before the body has left gives its memory to nobody", async () => {
  const SIZE = 6_000_000;
  const received: Buffer[] = [];
  let stalled: Socket | null = null;
  const server = await startDestination((socket, chunk, sofar) => {
    if (sofar.includes("POST /first ")) {
      received.push(chunk);
      if (stalled !== null) return;
      stalled = socket.pause();
      socket.write(REPLY);
    } else if (sofar.length > SIZE) socket.write(REPLY);
  });
  const rig = await startRig({
    policy: policyOf({ ports: [server.port] }),
    limits: { sparedBytes: 64_000_000 },
  });
  closing.push(
    () => server.close(),
    () => rig.close(),
  );
  for (const [path, letter] of [
    ["first", "A"],
    ["second", "B"],
  ] as const) {
    const wire = await Wire.open(rig.socketPath);
    const authority = `api.example.com:${server.port}`;
    wire.write(
      `POST http://${authority}/${path} HTTP/1.1\r\nHost: ${authority}\r\nContent-Length: ${SIZE}\r\n\r\n`,
    );
    wire.write(Buffer.alloc(SIZE, `${letter} 1\n`));
    expect(await wire.until("ok")).toContain("200 OK");
  }
  const socket = stalled as Socket | null; // set by the first request
  const over = new Promise((resolve) => socket?.once("close", resolve));
  socket?.resume();
  await over;
  const all = Buffer.concat(received);
  expect(all.subarray(headOf(all)?.start ?? 0).includes("B")).toBe(false);
  expect(all.length).toBeLessThan(SIZE);
});

it("pieces of any size, with their length known or not, come together exactly", () => {
  const slabs = new Slabs(1 << 20);
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 90_000 }), { maxLength: 8 }),
      fc.constantFrom("known", "unknown"),
      (sizes, kind) => {
        const pieces = sizes.map((size, i) => Buffer.alloc(size, `piece ${i} `));
        const all = Buffer.concat(pieces);
        const whole = new Whole(slabs, kind === "known" ? all.length : null);
        for (const piece of pieces) whole.add(piece);
        expect(whole.bytes.equals(all)).toBe(true);
        whole.recycle();
        expect(whole.bytes.length).toBe(0);
      },
    ),
    { numRuns: 50 },
  );
});
