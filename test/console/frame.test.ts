// The frame: signing in, what keys do, what is loaded and what is not.
import { hash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Place, ROOT } from "../harness.ts";
import { SECRET, SESSION, writeHostileLedger } from "./hostile-ledger.ts";
import { ConsoleRig, openBrowser } from "./rig.ts";

let rig: ConsoleRig;
beforeAll(async () => {
  const place = new Place();
  await writeHostileLedger(place.state, Date.now());
  rig = new ConsoleRig(place, await openBrowser());
});
afterAll(() => rig.close());

describe("what is loaded", () => {
  const WEB = join(ROOT, "dist/console-web");

  /** Entry, what it imports at once, the first page and its words; styles and fonts. */
  it("comes to less than 300 KB compressed before the first page is there", async () => {
    const page = await rig.look("/flows?range=all");
    const names: unknown = await page.evaluate(
      "performance.getEntriesByType('resource').map((e) => new URL(e.name).pathname)",
    );
    const files = (Array.isArray(names) ? names.map(String) : []).filter((name) => !name.startsWith("/api/"));
    expect(files.some((name) => name.endsWith(".js"))).toBe(true);
    const sizes = ["/index.html", ...new Set(files)].map(
      (name) => gzipSync(readFileSync(join(WEB, name)), { level: 9 }).length,
    );
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(300_000);
    await page.close();
  });

  it("names no other origin and runs nothing inline", () => {
    const html = readFileSync(join(WEB, "index.html"), "utf8");
    expect(html).not.toMatch(/https?:\/\//);
    expect(html).not.toMatch(/<script(?![^>]*\bsrc=)/);
    expect(html).not.toMatch(/<style|\sstyle=|\son\w+=/);
    const scripts = readdirSync(join(WEB, "assets")).filter((name) => name.endsWith(".js"));
    expect(scripts.length).toBeGreaterThan(10);
    for (const name of scripts)
      expect(readFileSync(join(WEB, "assets", name), "utf8"), name).not.toMatch(/\bnew Function\(|\beval\(/);
  });
});

describe("signing in", () => {
  it("a link works once, and the token leaves the address bar", async () => {
    const context = await rig.browser.newContext();
    const url = await rig.link(["viewer"]);
    const page = await context.newPage();
    await page.goto(url);
    await page.locator("main#content h1").first().waitFor();
    expect(page.url()).not.toContain("sign-in");
    const again = await (await rig.browser.newContext()).newPage();
    await again.goto(url);
    await again.locator(".fault").waitFor();
    expect(again.url()).not.toContain("sign-in");
    await context.close();
    await again.context().close();
  });

  it("without a link there is nothing but the way to one", async () => {
    const context = await rig.browser.newContext();
    const page = await context.newPage();
    await page.goto(`${new URL(await rig.link()).origin}/#/sessions`);
    await page.locator(".sign-in").waitFor();
    expect(await page.locator(".sign-in").innerText()).toContain("sallyport console");
    await context.close();
  });
});

describe("keys", () => {
  it("the first is the way past the navigation", async () => {
    const page = await rig.look("/health");
    await page.locator("body").press("Tab");
    expect(await page.locator(":focus").innerText()).toBe("Skip to the content");
    await page.keyboard.press("Enter");
    expect(await page.locator(":focus").getAttribute("id")).toBe("content");
    await page.close();
  });

  it("g and a letter lead to a page, whose heading is read first", async () => {
    const page = await rig.look("/health");
    await page.keyboard.press("g");
    await page.keyboard.press("l");
    await page.waitForURL(/#\/ledger/);
    await page.locator("h1", { hasText: "Ledger" }).waitFor();
    await page.keyboard.press("?");
    await page.getByRole("dialog").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page.close();
  });

  it("the drawer of a narrow screen keeps the focus, and gives it back", async () => {
    const page = await rig.look("/flows", { width: 390 });
    await page.getByRole("button", { name: "Menu" }).press("Enter");
    const drawer = page.getByRole("dialog");
    await drawer.waitFor();
    for (let i = 0; i < 25; i++) {
      await page.keyboard.press("Tab");
      expect(await drawer.locator(":focus").count()).toBe(1);
    }
    await page.keyboard.press("Escape");
    await drawer.waitFor({ state: "detached" });
    await expect.poll(() => page.locator(":focus").getAttribute("aria-label")).toBe("Menu");
    await page.close();
  });

  it("arrows walk through the flow diagram, and Enter narrows to a name", async () => {
    const page = await rig.look("/flows?range=all");
    await page.locator(".node[tabindex='0']").focus();
    await page.keyboard.press("ArrowRight");
    expect(await page.locator(".node:focus").getAttribute("data-column")).toBe("agent");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await page.waitForURL(/agent=/);
    await page.close();
  });

  it("arrows step through a session's time line", async () => {
    const page = await rig.look(`/sessions/${SESSION}`);
    const current = (): Promise<string | null> =>
      page.locator(".moment[aria-current]").getAttribute("data-index");
    await page.locator(".moment[aria-current]").focus();
    const first = Number(await current());
    await page.keyboard.press("ArrowDown");
    await expect.poll(async () => Number(await current())).toBe(first + 1);
    await page.keyboard.press("End");
    await expect.poll(async () => Number(await current())).toBeGreaterThan(first + 5);
    await page.close();
  });
});

describe("content", () => {
  it("is shown after a reason, with what was found masked, and unmasked one by one", async () => {
    const page = await rig.look(`/sessions/${SESSION}`);
    await page.locator(".moment", { hasText: "POST" }).first().click();
    await page.getByRole("button", { name: "Show content" }).click();
    await page.getByRole("textbox", { name: "Reason" }).fill("incident 7");
    await page.getByRole("button", { name: "Record and show" }).click();
    await page.locator(".part").first().waitFor();
    const shown = await page.locator(".content").innerText();
    expect(shown).toContain("please look at");
    expect(shown).not.toContain(SECRET);
    expect(await page.evaluate("globalThis.harmed")).toBeUndefined();
    await page.locator("button.masked").first().click();
    await page.getByRole("textbox", { name: "Reason" }).fill("is it a live token?");
    await page.getByRole("button", { name: "Record and unmask", exact: true }).click();
    await page.locator(".revealed").first().waitFor();
    expect(await page.locator(".revealed").first().innerText()).toContain(SECRET);
    await page.close();
    const log = await rig.look("/ledger/access");
    // The page follows the ledger; a busy machine gives it the newest entries a moment later.
    for (const reason of ["incident 7", "is it a live token?"])
      await log.locator("main").getByText(reason).first().waitFor();
    await log.close();
  });

  it("is exported for a reason, and anybody can check each piece against its entry", async () => {
    const page = await rig.look("/ledger/access");
    await page.getByRole("button", { name: "Export evidence" }).click();
    await page.getByLabel("Session").fill(SESSION);
    await page.getByRole("textbox", { name: "Reason" }).fill("request 12 of the works council");
    const download = page.waitForEvent("download");
    await page.getByRole("dialog").getByRole("button").last().click();
    const saved = readFileSync(await (await download).path(), "utf8");
    const pieces = saved
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Readonly<Record<"base64" | "salt" | "commitment", string>>);
    expect(pieces.length).toBeGreaterThan(0);
    for (const { base64, salt, commitment } of pieces) {
      const inner = hash("sha256", Buffer.from(base64, "base64"), "buffer");
      expect(hash("sha256", Buffer.concat([Buffer.from(salt, "hex"), inner]))).toBe(commitment);
    }
    await expect
      .poll(() => page.locator("main").innerText(), { timeout: 30_000 })
      .toContain("request 12 of the works council");
    await page.close();
  });

  it("is not there for those who may not read it", async () => {
    const page = await rig.look(`/sessions/${SESSION}`, {}, ["viewer"]);
    await page.locator(".moment", { hasText: "POST" }).first().click();
    expect(await page.getByRole("button", { name: "Show content" }).count()).toBe(0);
    await page.goto(`${page.url().split("#")[0]}#/ledger/access`);
    await page.locator(".fault, .empty").first().waitFor();
    expect(await page.locator("main").innerText()).not.toContain("incident 7");
    await page.close();
  });
});
