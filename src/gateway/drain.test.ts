// What is under way when the gateway is told to close (a station's SIGTERM), and many streams at once.
import type { Socket } from "node:net";
import { afterEach, expect, it } from "vitest";
import { policyOf, startDestination, startRig, Wire } from "./rig.testkit.ts";

const closing: (() => Promise<void>)[] = [];
const keep = <T extends { close(): Promise<void> }>(thing: T): T => {
  closing.push(() => thing.close());
  return thing;
};
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const HEAD = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
const event = (text: string): string => `${(text.length + 8).toString(16)}\r\ndata: ${text}\n\n\r\n`;

/** A destination whose streams go on until they are told to end. */
async function streams(limits: object = {}) {
  const open: Socket[] = [];
  const server = keep(
    await startDestination((socket, _chunk, sofar) => {
      if (open.includes(socket) || !sofar.includes("\r\n\r\n")) return;
      open.push(socket);
      socket.write(HEAD + event("begun"));
    }),
  );
  const rig = keep(await startRig({ policy: policyOf({ ports: [server.port] }), limits }));
  const authority = `a.example.com:${server.port}`;
  const ask = async (): Promise<Wire> => {
    const wire = await Wire.tunnel(rig.socketPath, authority);
    wire.write(`GET / HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
    await wire.until("begun");
    return wire;
  };
  return { rig, open, ask };
}

it("what is under way when the gateway closes ends by itself, and its outcome is recorded; nothing new is taken", async () => {
  const { rig, open, ask } = await streams();
  const wire = await ask();
  const closed = rig.gateway.close();
  await expect(Wire.open(rig.socketPath)).rejects.toThrow();
  for (const socket of open) socket.write(`${event("the last word")}0\r\n\r\n`);
  expect(await wire.until("0\r\n\r\n")).toContain("the last word");
  await closed;
  expect(rig.of("exchange.answered")).toMatchObject([{ complete: true }]);
});

it("what does not end in the time for it is cut off, and recorded as such", async () => {
  const { rig, ask } = await streams({ drainMs: 1_000 });
  const wire = await ask();
  const closed = rig.gateway.close();
  rig.pass(1_100);
  await wire.all();
  await closed;
  expect(rig.of("exchange.answered")).toMatchObject([{ complete: false }]);
});

it("two hundred streams at once: each gets its own words to the end, and nothing is held when they are over", async () => {
  const { rig, open, ask } = await streams();
  const wires = await Promise.all(Array.from({ length: 200 }, ask));
  expect(rig.gateway.metrics()).toContain("sallyport_exchanges_under_way 200\n");
  for (const [n, socket] of open.entries()) socket.write(`${event(`number ${n}.`)}0\r\n\r\n`);
  const said = await Promise.all(wires.map((wire) => wire.until("0\r\n\r\n")));
  expect(new Set(said.map((text) => /number \d+\./.exec(text)?.[0])).size).toBe(200);
  await rig.seen("exchange.answered", 200);
  for (const name of ["held_bytes", "captured_bytes"])
    expect(rig.gateway.metrics()).toContain(`sallyport_${name} 0\n`);
  for (const wire of wires) wire.close();
});
