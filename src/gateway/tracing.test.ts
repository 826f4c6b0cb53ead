// What is handed to whoever compares it with the workspace: what left, each text once to each destination.
import { describe, expect, it } from "vitest";
import { policyOf, type Rig, SECRET_RULE, startDestination, startRig, Wire } from "./rig.testkit.ts";
import type { Tracer } from "./tracing.ts";

const SECRET = "AKIAIOSFODNN7EXAMPLQ";

interface Told {
  readonly exchange: string;
  readonly sentTo: string;
  readonly texts: readonly string[];
  hasLeft: boolean | null;
}

function listener(): Tracer & { readonly told: Told[] } {
  const told: Told[] = [];
  return {
    told,
    begin: ({ exchange, sentTo, texts }) =>
      void told.push({ exchange, sentTo, texts: texts.map(({ text }) => text), hasLeft: null }),
    settle: (exchange, hasLeft) => {
      for (const one of told) if (one.exchange === exchange) one.hasLeft = hasLeft;
    },
  };
}

const destination = () =>
  startDestination((socket, _chunk, sofar) => {
    if (sofar.toString("latin1").endsWith("]}")) socket.end("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  });

async function send(rig: Rig, host: string, port: number, said: readonly string[]): Promise<string> {
  const body = JSON.stringify({ said });
  const wire = await Wire.tunnel(rig.socketPath, `${host}:${port}`);
  wire.write(`POST / HTTP/1.1\r\nHost: ${host}:${port}\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  const reply = await wire.until("\r\n\r\n");
  wire.close();
  return reply.slice(9, 12);
}

describe("tracing", () => {
  it("each text is handed over once for each destination, and told to have left", async () => {
    const [server, tracer] = [await destination(), listener()];
    const rig = await startRig({ policy: policyOf({ ports: [server.port] }), tracer });
    const long = "a conversation that goes on ".repeat(300);
    await send(rig, "a.example.com", server.port, [long, "first"]);
    await send(rig, "a.example.com", server.port, [long, "first", "second"]);
    await send(rig, "b.example.com", server.port, [long, "first", "second"]);
    await rig.seen("exchange.answered", 3);
    await rig.close();
    await server.close();
    const own = (told: Told): string[] => told.texts.filter((text) => /^(?:first|second|a conv)/.test(text));
    expect(tracer.told.map(own)).toEqual([[long, "first"], ["second"], [long, "first", "second"]]);
    expect(tracer.told.map(({ hasLeft }) => hasLeft)).toEqual([true, true, true]);
    expect(tracer.told.map(({ sentTo }) => sentTo.slice(0, 20))).toEqual([
      "http://a.example.com",
      "http://a.example.com",
      "http://b.example.com",
    ]);
  });

  it("nothing that is refused is handed over", async () => {
    const [server, tracer] = [await destination(), listener()];
    const rig = await startRig({ policy: policyOf({ ports: [server.port], rules: SECRET_RULE }), tracer });
    expect(await send(rig, "a.example.com", server.port, [`the key is ${SECRET}`])).toBe("403");
    await rig.close();
    await server.close();
    expect(tracer.told).toEqual([]);
  });

  it("what did not leave after all is said not to have, and is new when it is sent again", async () => {
    const [server, tracer] = [await destination(), listener()];
    let isUp = false;
    const rig = await startRig({
      policy: policyOf({ ports: [server.port] }),
      tracer,
      lookup: async () => (isUp ? ["127.0.0.1"] : []),
    });
    await send(rig, "a.example.com", server.port, ["only once"]);
    isUp = true;
    await send(rig, "a.example.com", server.port, ["only once"]);
    await rig.seen("exchange.answered");
    await rig.close();
    await server.close();
    expect(tracer.told.map(({ hasLeft, texts }) => [hasLeft, texts.includes("only once")])).toEqual([
      [false, true],
      [true, true],
    ]);
  });

  it("of what is masked the text that leaves is handed over", async () => {
    const [server, tracer] = [await destination(), listener()];
    const rules = SECRET_RULE.replace("then: deny", "then: redact");
    const rig = await startRig({ policy: policyOf({ ports: [server.port], rules }), tracer });
    await send(rig, "a.example.com", server.port, [`the key is ${SECRET}`]);
    await rig.close();
    await server.close();
    expect(tracer.told).toHaveLength(1);
    expect(tracer.told[0]?.texts.join()).toContain("the key is ");
    expect(tracer.told[0]?.texts.join()).not.toContain(SECRET);
  });
});
