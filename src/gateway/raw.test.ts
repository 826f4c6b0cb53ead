// SSH passes unread where policy names its port, is recorded before a byte leaves, and nothing else gets by that way.
import { afterEach, describe, expect, it } from "vitest";
import {
  type Destination,
  policyOf,
  type Rig,
  SECRET_RULE,
  SESSION,
  startDestination,
  startRig,
  Wire,
} from "./rig.testkit.ts";

const closing: (() => Promise<void>)[] = [];
const keep = <T extends { close(): Promise<void> }>(thing: T): T => {
  closing.push(() => thing.close());
  return thing;
};
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const GREETING = "SSH-2.0-OpenSSH_9.2\r\n";

async function world(
  options: Parameters<typeof startRig>[0] & { readonly rules?: string; readonly sshPort?: number } = {},
): Promise<{ rig: Rig; server: Destination; authority: string }> {
  const server = keep(
    await startDestination((socket, chunk) => socket.write(Buffer.concat([Buffer.from("heard "), chunk]))),
  );
  const { rules, sshPort, ...rest } = options;
  const rig = keep(
    await startRig({
      policy: policyOf({ ports: [server.port], ...(rules === undefined ? {} : { rules }) }),
      limits: { sshPort: sshPort ?? server.port },
      ...rest,
    }),
  );
  return { rig, server, authority: `a.example.com:${server.port}` };
}

describe("SSH", () => {
  it("passes both ways, byte for byte, and the record says how much and that it was SSH", async () => {
    const { rig, server, authority } = await world();
    const wire = await Wire.tunnel(rig.socketPath, authority);
    wire.write(GREETING);
    await wire.until(`heard ${GREETING}`);
    const bytes = Buffer.from([0, 1, 2, 0xff, 0xfe]);
    wire.write(bytes);
    await wire.until("heard \u0000");
    wire.socket.destroy();
    await rig.seen("tunnel.closed");
    expect(Buffer.concat(server.received)).toEqual(Buffer.concat([Buffer.from(GREETING), bytes]));
    expect(rig.of("tunnel.opened")).toMatchObject([
      { host: "a.example.com", port: server.port, protocol: "ssh" },
    ]);
    const sentBytes = GREETING.length + bytes.length;
    expect(rig.of("tunnel.closed")).toMatchObject([
      { address: "127.0.0.1", sentBytes, receivedBytes: sentBytes + 12, fault: null },
    ]);
  });

  it("the opening is recorded before a byte leaves; what cannot be recorded does not leave", async () => {
    const { rig, server, authority } = await world({
      beforeAppend: ({ kind }) => {
        if (kind === "tunnel.opened") throw new Error("disk full");
      },
    });
    const wire = await Wire.tunnel(rig.socketPath, authority);
    wire.write(GREETING);
    await wire.all();
    expect(server.connections).toBe(0);
  });

  it("on another port the same greeting is no way past the reading", async () => {
    const { rig, server, authority } = await world({ sshPort: 22 });
    const wire = await Wire.tunnel(rig.socketPath, authority);
    wire.write(`${GREETING}secret\r\n\r\n`);
    await wire.all();
    expect(server.connections).toBe(0);
    expect(rig.of("tunnel.opened")).toEqual([]);
  });

  it("what does not greet as SSH is read as ever on that port too", async () => {
    const { rig, authority } = await world();
    const wire = await Wire.tunnel(rig.socketPath, authority);
    wire.write(`GET / HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
    await rig.seen("exchange.judged");
    expect(rig.of("tunnel.opened")).toEqual([]);
  });

  it("rules about content that would not let internal code go there refuse it, and that is recorded", async () => {
    const { rig, server, authority } = await world({
      rules: SECRET_RULE.replace("[secret]", "[internal_code]"),
    });
    const wire = await Wire.tunnel(rig.socketPath, authority);
    wire.write(GREETING);
    await wire.all();
    await rig.seen("connection.refused");
    expect(server.connections).toBe(0);
    expect(rig.of("connection.refused")).toMatchObject([{ host: "a.example.com", rule: "gateway.refused" }]);
  });

  it("a server that is not there ends the tunnel, with the fault on record", async () => {
    const { rig, server, authority } = await world();
    await server.close();
    const wire = await Wire.tunnel(rig.socketPath, authority);
    wire.write(GREETING);
    await wire.all();
    await rig.seen("tunnel.closed");
    expect(rig.of("tunnel.closed")).toMatchObject([{ address: null, fault: "gateway.unreachable" }]);
  });
});

describe("programs that know of no proxy", () => {
  it("may reach what policy allows; a refusal is recorded once, however often they try", async () => {
    const { rig, server } = await world();
    const ask = (host: string, port: number | null) => rig.gateway.mayReach(SESSION, host, port);
    expect(await ask("a.example.com", server.port)).toBe(true);
    expect(await ask("a.example.com", null)).toBe(true);
    expect(await ask("evil.example", null)).toBe(false);
    expect(await ask("evil.example", null)).toBe(false);
    expect(await ask("10.0.0.1", 443)).toBe(false);
    expect(await ask("169.254.169.254", 80)).toBe(false);
    expect(rig.of("connection.refused").map(({ door, host, port }) => [door, host, port])).toEqual([
      ["caught", "evil.example", 443],
      ["caught", "10.0.0.1", 443],
      ["caught", "169.254.169.254", 80],
    ]);
  });
});
