/**
 * Cold scan speed of the built-in pack on one core, and its equality to the plain loop.
 *
 *   node bench/inspect/speed.ts <directory of ordinary source> [--plain]
 *
 * Text: source files of the directory, up to 20 MB, joined in pieces of about 0.5 MB, six planted examples in each. MB are bytes of UTF-8 text; the time is CPU time (user and system) of this process, best and median of 7.
 */
import { DETECTORS } from "../../src/inspect/detectors/index.ts";
import { plainLoop, sorted } from "../../src/inspect/plain-loop.ts";
import { createScanner } from "../../src/inspect/scanner.ts";
import { sourceFiles } from "./corpus.ts";

const directories = process.argv.slice(2).filter((a) => !a.startsWith("--"));
const bodies: string[] = [];
let current = "";
for (const { text } of directories.flatMap((d) => sourceFiles(d, 20_000_000))) {
  current += `${text}\n`;
  if (current.length > 500_000) {
    const planted = DETECTORS.flatMap((d) => d.examples.slice(0, 1));
    for (let i = 0; i < 6; i++) current += `${planted[(bodies.length * 6 + i) % planted.length]}\n`;
    // Flat, as a parsed body's strings are.
    bodies.push(JSON.parse(JSON.stringify(current)) as string);
    current = "";
  }
  if (bodies.length === 40) break;
}
const bytes = bodies.reduce((sum, body) => sum + Buffer.byteLength(body), 0);

/** Rounds before the first that counts: a station runs for days, its code is compiled. */
const WARM = 6;

function measure(name: string, detectors: typeof DETECTORS): void {
  const scanner = createScanner(detectors);
  const times: number[] = [];
  let found = 0;
  for (let round = 0; round < WARM + 7; round++) {
    const before = process.cpuUsage();
    found = 0;
    for (const body of bodies) found += scanner.scan(body).length;
    const used = process.cpuUsage(before);
    if (round >= WARM) times.push((used.user + used.system) / 1e6);
  }
  times.sort((a, b) => a - b);
  const rate = (seconds: number | undefined): string => (bytes / 1e6 / (seconds ?? 1)).toFixed(0);
  console.log(
    `${name}: median ${rate(times[times.length >> 1])} MB/s, best ${rate(times[0])} MB/s, ${found} matches, ${detectors.length} detectors`,
  );
}

console.log(`${bodies.length} bodies, ${(bytes / 1e6).toFixed(1)} MB`);
measure("whole pack", DETECTORS);
measure(
  "secrets",
  DETECTORS.filter((d) => d.class === "secret"),
);
measure(
  "secrets without assigned",
  DETECTORS.filter((d) => d.class === "secret" && d.id !== "assigned-credential"),
);
measure(
  "personal",
  DETECTORS.filter((d) => d.class === "personal"),
);
measure(
  "marks and infrastructure",
  DETECTORS.filter((d) => d.class === "classified" || d.class === "infrastructure"),
);

if (process.argv.includes("--plain")) {
  const scanner = createScanner(DETECTORS);
  let differences = 0;
  let compared = 0;
  const before = process.cpuUsage();
  for (const body of bodies.slice(0, 12)) {
    const plain = sorted(plainLoop(DETECTORS, body));
    const engine = sorted(scanner.scan(body));
    compared += plain.length;
    differences += plain.filter((match) => !engine.includes(match)).length;
    differences +=
      engine.filter((match) => !plain.includes(match)).length + Math.abs(engine.length - plain.length);
  }
  const used = process.cpuUsage(before);
  const size = bodies.slice(0, 12).reduce((sum, body) => sum + Buffer.byteLength(body), 0);
  console.log(
    `plain loop: ${(size / (used.user + used.system)).toFixed(2)} MB/s; ${compared} matches compared, ${differences} differences`,
  );
}
