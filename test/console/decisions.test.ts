// The pages about what people decide, in a real browser against a real station: what is shown is harmless, what is asked for
// happens and is on the record, and whoever lacks the right gets nothing of it.
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it, test } from "vitest";
import { parse, stringify } from "yaml";
import { type ScriptedModel, startScriptedModel } from "../../src/lab/index.ts";
import { Place, ROOT, type Running } from "../harness.ts";
import { PROFILE, seed, UNVETTED } from "./decisions-seed.ts";
import { ConsoleRig, type Look, openBrowser, violations } from "./rig.ts";

const OLD = `h1:${Buffer.alloc(32, 5).toString("base64")}`;
const APPROVED = `h1:${Buffer.alloc(32, 1).toString("base64")}`;
const MESSAGES = "https://api.anthropic.com/v1/messages";
/** Shaped like a key; it opens nothing. */
const KEY = `ghp_${"aB3dE5gH".repeat(5)}`;
const BODY = JSON.stringify({
  model: "claude-sonnet-4-5",
  max_tokens: 50,
  messages: [{ role: "user", content: `use ${KEY}` }],
});

const ROUTES = [
  "/disclosures?range=all",
  "/disclosures?range=all&repository=payments-service&under=src",
  "/disclosures?range=all&repository=payments-service&file=src%2Fledger%2Fpost.ts",
  "/agents",
  `/agents?build=${encodeURIComponent(OLD)}`,
  "REPORT",
  "/destinations?range=all",
  "/destinations?range=all&id=openai-compatible.example",
  "/policy?tab=rules&name=asks&origin=own",
  "/policy?tab=rules&name=broken&origin=own",
  "/policy?tab=proofs",
  "/policy?tab=draft",
  "/approvals?range=all",
] as const;
const LOOKS: readonly Required<Look>[] = [
  { language: "en", theme: "light", width: 1280 },
  { language: "en", theme: "dark", width: 390 },
  { language: "zh-CN", theme: "dark", width: 1280 },
  { language: "zh-CN", theme: "light", width: 390 },
];
/** What must be shown as a code point, never as itself. */
const HIDDEN =
  "/[\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f\\u200b-\\u200f\\u202a-\\u202e\\u2066-\\u2069\\ufeff]/u";

let rig: ConsoleRig;
let model: ScriptedModel;
let received = 0;
beforeAll(async () => {
  const place = new Place({
    "agent.js": readFileSync(join(ROOT, "test/fixtures/tiny-agent/agent.js"), "utf8"),
  });
  chmodSync(join(place.workspace, "agent.js"), 0o755);
  mkdirSync(place.state, { recursive: true });
  await seed(place.state, `local:${process.getuid?.() ?? 0}`, Date.now());
  model = await startScriptedModel({ cwd: place.workspace, onRequest: () => void received++ });
  rig = new ConsoleRig(place, await openBrowser());
});
afterAll(async () => {
  await rig?.close();
  await model?.close();
});

/** A vetting report is named by its bytes. */
function routeOf(route: string): string {
  if (route !== "REPORT") return route;
  const [name = ""] = readdirSync(join(rig.place.state, "vettings"));
  const bytes = readFileSync(join(rig.place.state, "vettings", name));
  return `/agents?report=${createHash("sha256").update(bytes).digest("hex")}`;
}

describe.each(LOOKS)("$language, $theme, $width", (look) => {
  test.each(ROUTES)("%s is harmless, fits, and axe finds nothing", async (route) => {
    const before = rig.complaints.length;
    const page = await rig.look(routeOf(route), look);
    expect(await page.evaluate("globalThis.hacked"), "markup was run").toBeUndefined();
    expect(await page.locator("main img, main script, main iframe").count()).toBe(0);
    expect(
      await page.evaluate(`(document.body.innerText.match(${HIDDEN}) ?? [])[0]?.codePointAt(0)`),
    ).toBeUndefined();
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(look.width);
    expect(await page.locator("main [role=alert]").count()).toBe(route.includes("broken") ? 1 : 0);
    expect(await violations(page)).toEqual([]);
    expect(rig.complaints.slice(before)).toEqual([]);
    await page.close();
  });
});

/** The machine may be busy. */
const eventually = <T>(look: () => T) => expect.poll(look, { timeout: 30_000 });
const textOf = (page: Page): Promise<string> => page.locator("main").innerText();
const logged = async (kind: string): Promise<Record<string, unknown>[]> => {
  const { stdout } = await rig.place.run(["query", `kind=${kind}`, "--json"]);
  return stdout
    .trim()
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => (JSON.parse(line) as { event: Record<string, unknown> }).event);
};

describe("Disclosures", () => {
  it("leads from the share to a directory, a file, its lines, and the request that carried them", async () => {
    const page = await rig.look("/disclosures?range=all");
    await eventually(() => textOf(page)).toContain("7.7%");
    await page.locator("table").getByRole("link", { name: "src/", exact: true }).click();
    await page.locator("table").getByRole("link", { name: "ledger/", exact: true }).click();
    await page.locator("table").getByRole("link", { name: "balance.ts" }).click();
    await eventually(() => textOf(page)).toContain("1–180, 240–512");
    expect(await page.getByRole("img", { name: "anthropic-api: 453 of 512 lines" }).count()).toBe(1);
    await page.locator("tbody a.figures").first().click();
    await eventually(() => page.url()).toContain("ledger/entries?filter=index%3D");
    await page.close();
  });

  it("the map can be walked by keyboard, and says in words what its colours say", async () => {
    const page = await rig.look("/disclosures?range=all");
    const box = page.getByRole("link", { name: /^src: 11% left, 1,002 of 9,300 lines$/ });
    await box.focus();
    await page.keyboard.press("Enter");
    await eventually(() => page.url()).toContain("under=src");
    await page.close();
  });
});

describe("Agents", () => {
  it("a second approver signs with a key of their own browser; the register and the ledger have it", async () => {
    const approvers = join(rig.place.state, "config/register/approvers.yaml");
    const page = await rig.look("/agents", { width: 1280 });
    await page.getByRole("button", { name: "Make a key" }).click();
    const line = await page.locator(".command-line code").innerText();
    const key = /key: (\S+) \}/.exec(line)?.[1] ?? expect.fail(`no key in ${line}`);
    expect(Buffer.from(key, "base64")).toHaveLength(32);
    const list = parse(readFileSync(approvers, "utf8")) as { approvers: object[]; required: number };
    writeFileSync(
      approvers,
      stringify({ ...list, required: 2, approvers: [...list.approvers, { name: "lin", key }] }),
    );
    await page.reload();
    await rig.settled(page);
    await page.getByRole("link", { name: "claude 2.1.329" }).nth(1).click();
    await eventually(() => textOf(page)).toContain("waits for approvers");
    await page.getByRole("button", { name: "Approve" }).click();
    await expect
      .poll(() => page.getByRole("dialog").innerText(), { timeout: 30_000 })
      .toContain("Signed with the key of this browser, as lin");
    await page.getByRole("dialog").getByLabel("Reason").fill("read the report of the lab");
    await page.getByRole("dialog").getByRole("button", { name: "Approve" }).click();
    await expect.poll(() => textOf(page), { timeout: 30_000 }).toContain("read the report of the lab");
    await eventually(() => textOf(page)).toContain("by ada, lin");
    const [change] = await logged("register.changed");
    expect(change).toMatchObject({ action: "approved", by: "lin", subject: { hash: APPROVED } });
    expect((await rig.place.run(["register", "verify"])).code).toBe(0);
    await page.close();
  });

  it("a build that nobody has spoken about, and whose bytes are not here, is not approved from here", async () => {
    const page = await rig.look(`/agents?build=${encodeURIComponent(UNVETTED.hash)}`);
    const before = (await logged("register.changed")).length;
    await page.getByRole("button", { name: "Approve" }).click();
    await page.getByRole("dialog").getByLabel("Reason").fill("it looks all right");
    await page.getByRole("dialog").getByRole("button", { name: "Approve" }).click();
    await page.getByRole("dialog").getByRole("alert").waitFor();
    expect(await logged("register.changed")).toHaveLength(before);
    await page.close();
  });
});

describe("Policy", () => {
  it("a draft is refused at its line; a valid one is compared and tried, and nothing is written", async () => {
    const folder = join(rig.place.state, "config/profiles");
    const before = readdirSync(folder).map((name) => readFileSync(join(folder, name), "utf8"));
    const page = await rig.look("/policy?tab=draft");
    const editor = page.locator("textarea");
    await editor.fill(PROFILE.replace("then: ask", "then: perhaps"));
    await page.getByRole("button", { name: "Check and try" }).click();
    await eventually(() => textOf(page)).toContain("draft.yaml:12:");
    expect(await page.locator(".around li[data-here]").innerText()).toContain("perhaps");
    await editor.fill(
      PROFILE.replace("internal_code, personal] }, then: allow", "internal_code, personal] }, then: deny"),
    );
    await page.getByRole("button", { name: "Check and try" }).click();
    await eventually(() => textOf(page)).toContain("It only tightens");
    await eventually(() => textOf(page)).toContain(
      "Tried on 4 recorded requests: 4 would have been judged otherwise",
    );
    await eventually(() => textOf(page)).toContain("sallyport policy reload");
    expect(readdirSync(folder).map((name) => readFileSync(join(folder, name), "utf8"))).toEqual(before);
    await page.close();
  });

  it("proofs stand beside what they do not say", async () => {
    const page = await rig.look("/policy?tab=proofs");
    await eventually(() => textOf(page)).toContain("It says nothing of a detector that misses");
    expect(await page.locator(".proof[data-holds=false]").count()).toBeGreaterThan(0);
    expect(await page.locator(".proof .faint", { hasText: "About labels alone" }).count()).toBe(
      await page.locator(".proof").count(),
    );
    await page.close();
  });
});

describe("Approvals", () => {
  const run = (): Running =>
    rig.place.start(["run", "-p", "asks", "--json", "--upstream", model.url, "./agent.js", MESSAGES, BODY]);

  it("a question comes by itself, is gone through by key, and Enter after `a` lets it leave", async () => {
    received = 0;
    const page = await rig.look("/approvals?range=all");
    const running = run();
    await expect.poll(() => textOf(page), { timeout: 30_000 }).toContain("1 question waits");
    await eventually(() => textOf(page)).toContain("Secrets need a yes");
    expect(received, "a question lets nothing out").toBe(0);
    await page.keyboard.press("a");
    await page.getByRole("dialog").waitFor();
    expect(received, "one key lets nothing out").toBe(0);
    await page.keyboard.press("Enter");
    const done = await running.finished;
    expect(done.code).toBe(0);
    expect(received).toBe(1);
    const [answer] = await logged("approval.answered");
    expect(answer).toMatchObject({ verdict: "allow", scope: "once" });
    await expect.poll(() => textOf(page), { timeout: 30_000 }).toContain("Nothing waits");
    await page.close();
  });

  it("`d` denies at once; the content is shown masked, after a reason that is on the record", async () => {
    received = 0;
    const page = await rig.look("/approvals?range=all");
    const running = run();
    await expect.poll(() => textOf(page), { timeout: 30_000 }).toContain("1 question waits");
    await page.getByRole("button", { name: "Show the content, values masked" }).click();
    await page.getByRole("dialog").getByLabel("Reason").fill("to decide about the token");
    await page.getByRole("dialog").getByRole("button", { name: "Record and show" }).click();
    await expect
      .poll(() => page.locator(".payload-part").allInnerTexts(), { timeout: 30_000 })
      .not.toEqual([]);
    expect((await page.locator("main").innerText()).includes(KEY), "the value stays masked").toBe(false);
    expect(await logged("evidence.viewed")).toContainEqual(
      expect.objectContaining({ reason: "to decide about the token" }),
    );
    await page.locator("h1").click();
    await page.keyboard.press("d");
    await running.finished;
    expect(received).toBe(0);
    const [answer] = await logged("approval.answered");
    expect(answer).toMatchObject({ verdict: "deny" });
    await page.close();
  });
});

describe("without the right", () => {
  const post = (page: Page, path: string, body: object): Promise<number> =>
    page.evaluate(
      async ([at, json]) => {
        const me = (await (await fetch("api/me")).json()) as { data: { csrf: string } };
        const answer = await fetch(`api/${at}`, {
          method: "POST",
          headers: { "content-type": "application/json", "x-sallyport-csrf": me.data.csrf },
          body: json,
        });
        return answer.status;
      },
      [path, JSON.stringify(body)] as const,
    );
  const state = { state: "approve", hash: APPROVED, name: null, reason: "because", days: 30, report: null };

  it.each([
    ["agents/sign", state],
    ["agents/prepare", { ...state, as: "ada" }],
    ["agents/submit", { envelope: "{}" }],
    ["policy/draft", { text: PROFILE, profile: null, language: "en" }],
    ["approvals/answer", { id: "x", verdict: "allow", scope: "once", forMs: null, reason: "" }],
    ["approvals/end", { id: "x" }],
  ])("a viewer is refused %s", async (path, body) => {
    const page = await rig.look("/approvals", {}, ["viewer"]);
    expect(await post(page, path, body)).toBe(403);
    await page.close();
  });

  it("a viewer sees no way to do it, and not the text of documents that hold canaries", async () => {
    const agents = await rig.look(`/agents?build=${encodeURIComponent(OLD)}`, {}, ["viewer"]);
    expect(await agents.getByRole("button", { name: /Approve|Revoke/ }).count()).toBe(0);
    await agents.close();
    const policy = await rig.look("/policy?tab=rules&name=asks&origin=own", {}, ["viewer"]);
    expect(await policy.content()).not.toContain("zq-canary-7781");
    await eventually(() => textOf(policy)).toContain("planted");
    await policy.close();
    const draft = await rig.look("/policy?tab=draft", {}, ["viewer"]);
    expect(await draft.locator("textarea").count()).toBe(0);
    await draft.close();
  });
});
