/**
 * What sessions send to each place, in the units of the budgets for low and slow leaks.
 *
 *   node bench/inspect/flow.ts <directory of captured sessions>     (capture.ts makes them)
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createDecoder } from "../../src/dialect/index.ts";
import { amountOf } from "../../src/inspect/flow.ts";

const folder = process.argv[2] ?? "";
for (const name of readdirSync(folder)) {
  const decoder = createDecoder();
  const sums = new Map<string, { characters: number; bits: number }>();
  let bodies = 0;
  let time = 0;
  for (const line of readFileSync(join(folder, name), "utf8").trim().split("\n")) {
    const { method, host, path, protocol, body: encoded } = JSON.parse(line);
    const body = Buffer.from(encoded, "base64");
    const decoded =
      protocol === "websocket"
        ? decoder.decodeMessage(body)
        : decoder.decode({ method, host, path, headers: [], body });
    const before = performance.now();
    const texts = decoded.parts.flatMap(({ text, role, isNew }) =>
      isNew && role !== "encoded" ? [text] : [],
    );
    const { characters, bits } = amountOf(texts, false);
    time += performance.now() - before;
    const sum = sums.get(host) ?? { characters: 0, bits: 0 };
    sums.set(host, { characters: sum.characters + characters, bits: sum.bits + bits });
    bodies++;
  }
  for (const [host, { characters, bits }] of sums)
    console.log(
      `${name} ${host}: ${characters} characters, ${bits} bits in ${bodies} bodies; ${((time * 1e3) / bodies).toFixed(0)} µs a body`,
    );
}
