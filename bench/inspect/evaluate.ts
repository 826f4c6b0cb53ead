/**
 * Recall and precision of the built-in pack on labelled corpora.
 *
 *   node bench/inspect/evaluate.ts <corpora/secrets> [--misses] [--ordinary <dir>...]
 *
 * Line level: a finding on a line labelled true counts for recall, on a line labelled false against precision; lines
 * nobody reviewed and true labels for UUIDs, nonces, salts and bucket names do not count. Examples: a row counts as
 * found when any detector that is not of personal data fires in it (for `pii:` rows: one that is). A counter-example speaks only
 * against the rule it belongs to, so one in which another of our detectors rightly fires counts as not left alone here. Ordinary source: files of folders that
 * bench/inspect/train.ts never fitted on.
 */
import { DETECTORS } from "../../src/inspect/detectors/index.ts";
import { createScanner } from "../../src/inspect/scanner.ts";
import { credentialLines, examples, isHeldOut, sourceFiles } from "./corpus.ts";

const args = process.argv.slice(2);
const showMisses = args.includes("--misses");
const at = args.indexOf("--ordinary");
const ordinary = at < 0 ? [] : args.slice(at + 1);
const corpus = args[0] ?? "";
const secrets = createScanner(DETECTORS.filter((d) => d.class === "secret"));
const personal = createScanner(DETECTORS.filter((d) => d.class === "personal"));
const others = createScanner(DETECTORS.filter((d) => d.class !== "personal"));
const marks = createScanner(DETECTORS.filter((d) => d.class === "classified"));
const percent = (n: number, of: number): string => `${((100 * n) / Math.max(1, of)).toFixed(1)} %`;

{
  let t = 0;
  let hitT = 0;
  let hitF = 0;
  const byCategory = new Map<string, [number, number]>();
  const falseBy = new Map<string, number>();
  for (const line of credentialLines(corpus)) {
    if (line.label === null || line.unwanted) continue;
    const found = secrets.scan(line.text);
    const hit = found.length > 0;
    if (line.label === 1) {
      t++;
      if (hit) hitT++;
      const cell = byCategory.get(line.category) ?? [0, 0];
      byCategory.set(line.category, [cell[0] + 1, cell[1] + (hit ? 1 : 0)]);
      if (!hit && showMisses)
        console.log("MISS", line.category, JSON.stringify(line.text.slice(0, 200)), line.value);
    } else if (hit) {
      hitF++;
      for (const { detector, start, end } of found) {
        falseBy.set(detector.id, (falseBy.get(detector.id) ?? 0) + 1);
        if (showMisses)
          console.log(
            "FALSE",
            detector.id,
            JSON.stringify(line.text.slice(0, 200)),
            line.text.slice(start, end),
          );
      }
    }
  }
  console.log(
    `lines: recall ${percent(hitT, t)} (${hitT}/${t}), precision ${percent(hitT, hitT + hitF)} (${hitF} false)`,
  );
  console.log(
    "  false by detector:",
    [...falseBy]
      .sort((a, b) => b[1] - a[1])
      .slice(0, 12)
      .map(([id, n]) => `${id} ${n}`)
      .join(", "),
  );
  console.log(
    "  recall by category:",
    [...byCategory]
      .sort((a, b) => b[1][0] - a[1][0])
      .slice(0, 16)
      .map(([c, [n, h]]) => `${c} ${h}/${n}`)
      .join(", "),
  );
}

{
  const bySource = new Map<string, { p: number; hit: number; n: number; wrong: number }>();
  for (const row of examples(corpus)) {
    const cell = bySource.get(row.source) ?? { p: 0, hit: 0, n: 0, wrong: 0 };
    bySource.set(row.source, cell);
    const found = (row.source === "presidio-tests" ? personal : others).scan(row.text);
    if (row.label === 1) {
      cell.p++;
      if (found.length > 0) cell.hit++;
      else if (showMisses)
        console.log("MISS", row.source, row.rule, JSON.stringify(row.text.slice(0, 160)), row.secret);
    } else {
      cell.n++;
      if (found.length > 0) {
        cell.wrong++;
        if (showMisses)
          console.log(
            "WRONG",
            row.source,
            row.rule,
            found.map((f) => f.detector.id).join(),
            JSON.stringify(row.text.slice(0, 160)),
          );
      }
    }
  }
  for (const [source, { p, hit, n, wrong }] of bySource)
    console.log(
      `examples ${source}: found ${percent(hit, p)} (${hit}/${p}), counter-examples left ${percent(n - wrong, n)} (${n - wrong}/${n})`,
    );
}

if (ordinary.length > 0) {
  let lines = 0;
  const counts: Record<string, number> = {};
  for (const { path, text } of ordinary.flatMap((dir) => sourceFiles(dir, 30_000_000))) {
    if (!isHeldOut(path)) continue;
    lines += text.split("\n").length;
    for (const scanner of [secrets, personal, marks])
      for (const { detector, start, end } of scanner.scan(text)) {
        counts[detector.class] = (counts[detector.class] ?? 0) + 1;
        if (showMisses)
          console.log(
            "ORDINARY",
            detector.id,
            path,
            JSON.stringify(text.slice(Math.max(0, start - 50), end + 5)),
          );
      }
  }
  for (const [dataClass, n] of Object.entries(counts))
    console.log(
      `ordinary source (${lines} lines held out): ${dataClass} findings ${n}, ${((n / lines) * 10_000).toFixed(2)} per 10,000 lines`,
    );
}
