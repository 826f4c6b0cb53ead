/** The real console in a real browser: a station of its own, Debian's Chromium, and a page that tells what it should not do. */
import { existsSync } from "node:fs";
import { AxeBuilder } from "@axe-core/playwright";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import type { Place } from "../harness.ts";

const CHROMIUM = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export async function openBrowser(): Promise<Browser> {
  if (!existsSync(CHROMIUM))
    throw new Error(`no browser at ${CHROMIUM}: apt-get install chromium, or name one in CHROMIUM`);
  return chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
}

export interface Look {
  readonly width?: 1280 | 390;
  readonly theme?: "light" | "dark";
  readonly language?: "en" | "zh-CN";
}

/** A console that runs at a place, and people who look at it. */
export class ConsoleRig {
  readonly place: Place;
  readonly browser: Browser;
  readonly #complaints: string[] = [];
  readonly #contexts = new Map<string, BrowserContext>();

  constructor(place: Place, browser: Browser) {
    this.place = place;
    this.browser = browser;
  }

  /** What pages did that they must not: errors, violations of the content security policy, requests to elsewhere. */
  get complaints(): readonly string[] {
    return this.#complaints;
  }

  /** A one-time link, with these roles. */
  async link(roles: readonly string[] = []): Promise<string> {
    const { stdout, stderr } = await this.place.run([
      "console",
      "--no-open",
      "--json",
      ...roles.flatMap((role) => ["--role", role]),
    ]);
    const told: unknown = stdout === "" ? null : JSON.parse(stdout);
    if (typeof told !== "object" || told === null || !("url" in told) || typeof told.url !== "string")
      throw new Error(`no link: ${stderr}`);
    return told.url;
  }

  /** A page at a route for somebody with these roles, who is signed in once. */
  async look(route: string, look: Look = {}, roles: readonly string[] = []): Promise<Page> {
    const key = JSON.stringify([look, roles]);
    const known = this.#contexts.get(key);
    const context = known ?? (await this.#signIn(look, roles));
    this.#contexts.set(key, context);
    const page = await context.newPage();
    this.#watch(page);
    await this.go(page, route);
    return page;
  }

  async go(page: Page, route: string): Promise<void> {
    await page.goto(`${this.#origin}/#${route}`);
    await page.locator("main h1").first().waitFor();
    await this.settled(page);
  }

  /** Nothing loads any more. */
  async settled(page: Page): Promise<void> {
    // Not by `waitForFunction`, which evaluates text: the content security policy forbids that here too.
    await page.locator(".loading, [aria-busy=true]").first().waitFor({ state: "detached", timeout: 25_000 });
  }

  #origin = "";
  /** The signed-in cookie is the same for all looks of the same roles: sign-ins are limited. */
  readonly #signedIn = new Map<string, Awaited<ReturnType<BrowserContext["storageState"]>>>();

  async #signIn(look: Look, roles: readonly string[]): Promise<BrowserContext> {
    const { width = 1280, theme = "light", language = "en" } = look;
    const settings = {
      viewport: { width, height: width === 390 ? 844 : 800 },
      colorScheme: theme,
      locale: language,
      reducedMotion: "reduce",
    } as const;
    const who = roles.join(" ");
    const kept = this.#signedIn.get(who);
    if (kept !== undefined)
      return this.browser.newContext({ ...settings, storageState: { ...kept, origins: [] } });
    const context = await this.browser.newContext(settings);
    const page = await context.newPage();
    this.#watch(page);
    const url = await this.link(roles);
    this.#origin = new URL(url).origin;
    await page.goto(url);
    await page.locator("main#content h1").first().waitFor();
    await page.close();
    const state = await context.storageState();
    this.#signedIn.set(who, state);
    await context.close();
    return this.browser.newContext({ ...settings, storageState: { ...state, origins: [] } });
  }

  #watch(page: Page): void {
    page.on("pageerror", (error) => this.#complaints.push(`error: ${error.message}`));
    page.on("console", (message) => {
      // A 403 or 404 that a page shows is no fault of the page.
      if (message.type() === "error" && !message.text().startsWith("Failed to load resource"))
        this.#complaints.push(`console: ${message.text()}`);
    });
    page.on("request", (request) => {
      const { origin, protocol } = new URL(request.url());
      if (protocol !== "blob:" && origin !== this.#origin && this.#origin !== "")
        this.#complaints.push(`asks elsewhere: ${request.url()}`);
    });
  }

  async close(): Promise<void> {
    await this.browser.close();
    await this.place.close();
  }
}

/** What axe finds, one line each. */
export async function violations(page: Page): Promise<string[]> {
  const { violations: found } = await new AxeBuilder({ page }).analyze();
  return found.flatMap(({ id, nodes }) =>
    nodes.map((node) => `${id}: ${node.target.join(" ")} ${node.failureSummary?.split("\n")[1] ?? ""}`),
  );
}
