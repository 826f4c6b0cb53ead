/**
 * What a person waits for: each page of the console in Chromium, over a ledger that pages.ts made, by the product as it is
 * started. Each time a context of its own: nothing is in the browser's cache. First paint is what the browser reports as its
 * first contentful paint; "all there" is when nothing of the page loads any more.
 * `npm run build:console && node bench/console/pages.ts 1000000 DIR && node bench/console/paint.ts DIR`
 */
import { execFile } from "node:child_process";
import { loadavg } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { openBrowser } from "../../test/console/rig.ts";

const home = process.argv[2];
if (home === undefined) throw new Error("a folder that bench/console/pages.ts made is needed");
const ROUNDS = 5;
const AIM_MS = 1000;
const SALLYPORT = join(import.meta.dirname, "../../bin/sallyport");
const sallyport = (...args: readonly string[]): Promise<{ readonly stdout: string }> =>
  promisify(execFile)(SALLYPORT, args, { env: { ...process.env, SALLYPORT_HOME: home } });
const median = (times: readonly number[]): number =>
  [...times].sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0;

const { stdout } = await sallyport("console", "--no-open", "--json", "--role", "auditor");
const { url } = JSON.parse(stdout) as { url: string };
const { origin } = new URL(url);
const browser = await openBrowser();
let isMissed = false;
try {
  const first = await browser.newContext();
  const signIn = await first.newPage();
  await signIn.goto(url);
  await signIn.locator("main h1").first().waitFor();
  const storageState = await first.storageState();
  await first.close();
  process.stdout.write("| page | first paint, median ms of 5 | all there |\n|---|--:|--:|\n");
  for (const [name, route] of [
    ["Flows", "/flows?range=all"],
    ["Sessions", "/sessions?range=all"],
    ["one session", "/sessions/00001389"],
    ["Exposure", "/exposure?range=all"],
    ["Disclosures", "/disclosures?range=all"],
    ["Agents", "/agents"],
    ["Destinations", "/destinations?range=all"],
    ["Policy", "/policy"],
    ["Approvals", "/approvals?range=all"],
    ["Ledger", "/ledger"],
    ["its entries", "/ledger/entries"],
    ["Health", "/health"],
  ] as const) {
    const painted: number[] = [];
    const settled: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const context = await browser.newContext({ storageState });
      const page = await context.newPage();
      const begun = performance.now();
      await page.goto(`${origin}/#${route}`);
      await page.locator("main h1").first().waitFor();
      await page
        .locator(".loading, [aria-busy=true]")
        .first()
        .waitFor({ state: "detached", timeout: 60_000 });
      settled.push(performance.now() - begun);
      painted.push(
        await page.evaluate(
          () => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? Number.NaN,
        ),
      );
      await context.close();
    }
    const ms = median(painted);
    // No paint at all is a miss too.
    if (!(ms < AIM_MS)) isMissed = true;
    process.stdout.write(`| ${name} | ${ms.toFixed(0)} | ${median(settled).toFixed(0)} |\n`);
  }
  process.stdout.write(`\nload ${loadavg()[0]?.toFixed(1)}\n`);
} finally {
  await browser.close();
  await sallyport("console", "stop");
  await sallyport("down");
}
process.exitCode = isMissed ? 1 : 0;
