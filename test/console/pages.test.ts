// Every page, in both languages and themes, wide and narrow, over a ledger full of hostile words: nothing that axe calls a
// violation, nothing wider than the screen, nothing run, nothing reordered, nothing asked of anybody else.

import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it, test } from "vitest";
import { Place } from "../harness.ts";
import { SESSION, writeHostileLedger } from "./hostile-ledger.ts";
import { ConsoleRig, type Look, openBrowser, violations } from "./rig.ts";

const ROUTES: readonly (readonly [route: string, en: string, zh: string])[] = [
  ["/flows?range=all", "Flows", "流向"],
  ["/exposure?range=all&period=all", "Exposure", "暴露"],
  ["/disclosures", "Disclosures", "披露"],
  ["/sessions?range=all", "Sessions", "会话"],
  [`/sessions/${(Number.parseInt(SESSION, 16) + 1).toString(16)}`, "Session", "会话"],
  ["/agents", "Agents", "智能体"],
  ["/destinations", "Destinations", "目的地"],
  ["/policy", "Policy", "策略"],
  ["/approvals", "Approvals", "审批"],
  ["/ledger", "Ledger", "账本"],
  ["/ledger/entries?filter=kind%3Dexchange.judged", "Ledger", "账本"],
  ["/ledger/access", "Ledger", "账本"],
  ["/health", "Health", "健康"],
];
const LOOKS: readonly Required<Look>[] = (["en", "zh-CN"] as const).flatMap((language) =>
  (["light", "dark"] as const).flatMap((theme) =>
    ([1280, 390] as const).map((width) => ({ language, theme, width })),
  ),
);
/** What must be shown as a code point, never as itself; tabs and line ends are harmless. */
const HIDDEN =
  "/[\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f\\u200b-\\u200f\\u202a-\\u202e\\u2066-\\u2069\\ufeff]/u";

let rig: ConsoleRig;
beforeAll(async () => {
  const place = new Place();
  await writeHostileLedger(place.state, Date.now());
  rig = new ConsoleRig(place, await openBrowser());
});
afterAll(() => rig.close());

async function harmless(page: Page): Promise<void> {
  expect(await page.evaluate("globalThis.harmed"), "markup was run").toBeUndefined();
  expect(await page.locator("main img, main script, main iframe").count()).toBe(0);
  const raw = await page.evaluate(`(document.body.innerText.match(${HIDDEN}) ?? [])[0]?.codePointAt(0)`);
  expect(raw, "a hidden character reached the page as itself").toBeUndefined();
}

describe.each(LOOKS)("$language, $theme, $width", (look) => {
  let page: Page;
  beforeAll(async () => {
    page = await rig.look("/ledger", look);
  });
  afterAll(() => page.close());
  test.each(ROUTES)("%s", async (route, en, zh) => {
    const before = rig.complaints.length;
    await rig.go(page, route);
    const heading = await page.locator("main h1").first().innerText();
    expect(heading).toContain(look.language === "en" ? en : zh);
    expect(await page.locator("html").getAttribute("lang")).toBe(look.language);
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(look.width);
    await harmless(page);
    expect(await violations(page)).toEqual([]);
    expect(rig.complaints.slice(before)).toEqual([]);
  });
});

it("the hostile names are there to be seen", async () => {
  const page = await rig.look("/sessions?range=all");
  await expect.poll(() => page.locator("main").innerText()).toContain("<img src=x");
  expect(await page.locator(".point", { hasText: "U+202E" }).count()).toBeGreaterThan(0);
  expect(await page.locator(".point", { hasText: "U+001B" }).count()).toBeGreaterThan(0);
  await page.close();
});
