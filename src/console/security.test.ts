// The console as an attacker, a lesser user and another page of the same browser meet it: over real HTTP.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { Fault } from "../core/index.ts";
import type { Link, Role } from "./api/me.ts";
import {
  HOSTILE,
  judgedEvent,
  type Kit,
  PROMPT,
  REQUEST,
  SECRET,
  SESSION,
  send,
  signIn,
  startedEvent,
  startKit,
} from "./console.testkit.ts";
import { cell } from "./download.ts";
import { ROLES } from "./rights.ts";
import type { Rooms } from "./rooms.ts";
import { routesOf } from "./routes.ts";
import { IDLE_MS, LINK_MS, WHOLE_MS } from "./sign-in.ts";

const ALL = Object.keys(ROLES) as readonly Role[]; // its own keys
const kits: Kit[] = [];
async function kit(o: Parameters<typeof startKit>[0] = {}): Promise<Kit> {
  const made = await startKit(o);
  kits.push(made);
  return made;
}
afterEach(async () => {
  for (const one of kits.splice(0)) await one.close();
});

const codeOf = (reply: { readonly json: unknown }): string | undefined =>
  (reply.json as { fault?: { code: string } } | undefined)?.fault?.code;

async function withSession(): Promise<Kit> {
  const made = await kit();
  await made.ledger.append(startedEvent());
  await made.ledger.append(judgedEvent(1), REQUEST);
  await made.settle();
  made.done.length = 0;
  return made;
}

describe("rights", () => {
  // What a route touches before its first request: nothing.
  const routes = routesOf({} as unknown as Rooms).map(({ method, path, rights, kind }) => ({
    method,
    path,
    rights,
    kind,
  }));

  it("every route and every role: who is let in is as the table says, and who is not gets nothing but the refusal", async () => {
    const { console: it, done } = await withSession();
    expect(routes.length).toBeGreaterThan(25);
    const table: string[] = [];
    for (const role of ALL) {
      const person = await signIn(it, [role]);
      done.length = 0;
      for (const { method, path, rights, kind } of routes) {
        const isLetIn = rights.every((right) => ROLES[role].includes(right));
        table.push(`${role.padEnd(16)} ${isLetIn ? "yes" : "no "} ${method} ${path}`);
        if (isLetIn && kind === "live") continue; // never ends: asked elsewhere
        const real = path
          .replace(":id", SESSION)
          .replace(":index", "0")
          .replace(/\*$/, "checkpoint")
          .replace(/:\w+/g, "0");
        const reply = method === "GET" ? await person.get(real) : await person.post(real, {});
        if (isLetIn) expect([codeOf(reply), path], path).not.toEqual(["console.forbidden", path]);
        else {
          expect([reply.status, codeOf(reply)], `${role} ${path}`).toEqual([403, "console.forbidden"]);
          expect(Object.keys(reply.json as object)).toEqual(["fault"]);
        }
        expect(codeOf(reply), `${role} ${path}: ${reply.text}`).not.toBe("internal.bug");
      }
      if (!ROLES[role].includes("read-evidence"))
        expect(done.filter((one) => one.startsWith("open"))).toEqual([]);
    }
    const file = join(import.meta.dirname, "../../test/golden/console/rights.txt");
    const text = `${table.join("\n")}\n`;
    if (process.env["UPDATE"] === "1") writeFileSync(file, text);
    expect(existsSync(file) ? readFileSync(file, "utf8") : "", "UPDATE=1, and read the diff").toBe(text);
  }, 60_000);

  it("nobody who is not signed in is answered, by any route", async () => {
    const { console: it } = await withSession();
    for (const { method, path } of routes) {
      const headers = method === "GET" ? {} : { origin: it.origin };
      const reply = await send(it, method, path.replace(/:\w+|\*$/, "x"), {
        headers,
        ...(method === "GET" ? {} : { body: {} }),
      });
      expect([reply.status, codeOf(reply)], path).toEqual([401, "console.signed-out"]);
    }
  });

  it("without the right to read evidence no answer tells a name, a length or a number of it", async () => {
    const made = await withSession();
    const reader = await made.signIn(ALL);
    await reader.post(`/api/sessions/${SESSION}/contents`, {
      reason: "for a test",
      exchanges: [`${SESSION}-1`],
    });
    await reader.post("/api/ledger/evidence", { reason: "for a test", session: SESSION });
    await made.settle();
    const viewer = await made.signIn(["viewer", "approver", "policy-author", "admin", "unmasker"]);
    for (const path of [
      ...[
        "/api/ledger/entries?limit=500",
        "/api/ledger/entries?format=json",
        "/api/ledger/entries?format=csv",
      ],
      ...[
        `/api/sessions/${SESSION}`,
        `/api/sessions/${SESSION}/moments`,
        `/api/sessions/${SESSION}/moments?format=csv`,
      ],
      ...["/api/exposure", "/api/flows/exchanges", "/api/ledger/entries/2"],
    ]) {
      const { status, text } = await viewer.get(path);
      expect([status, path]).toEqual([200, path]);
      for (const told of [
        "commitment",
        "request-body",
        "evidenceId",
        '"pieces"',
        "for a test",
        SECRET,
        "hasContent",
      ])
        expect(text.includes(told), `${path} tells ${told}`).toBe(false);
    }
  });
});

describe("requests that are not the console's own", () => {
  it("T-rebinding: another name for this address reaches nothing, pages and API alike", async () => {
    const { console: it } = await kit();
    for (const host of [
      "evil.example",
      `evil.example:${it.port}`,
      "127.0.0.1",
      `127.0.0.1:${it.port + 1}`,
      `[::1]:${it.port}`,
    ])
      for (const path of ["/", "/api/me", "/assets/page-1a2b.js"]) {
        const reply = await send(it, "GET", path, { headers: { host } });
        expect([reply.status, codeOf(reply), host]).toEqual([403, "console.origin", host]);
      }
  });

  it("a change needs this origin, the csrf token of this session and a JSON body", async () => {
    const made = await kit();
    const [person, other] = [await made.signIn(ALL), await made.signIn(ALL)];
    const attempts: readonly Readonly<Record<string, string>>[] = [
      { origin: "http://evil.example" },
      { origin: "null" },
      { origin: `http://localhost:${made.console.port}` },
      { "x-sallyport-csrf": "" },
      { "x-sallyport-csrf": other.csrf },
    ];
    for (const headers of attempts)
      expect(
        codeOf(await person.post("/api/links/revoke", { id: "x" }, headers)),
        JSON.stringify(headers),
      ).toBe("console.origin");
    const form = { "content-type": "application/x-www-form-urlencoded" };
    expect((await person.post("/api/links/revoke", "id=x", form)).status).toBe(400);
    expect((await person.post("/api/links/revoke", '{"id":"x"', {})).status).toBe(400);
    expect(codeOf(await person.post("/api/links/revoke", { id: "x", more: 1 }))).toBe("console.invalid");
    expect(codeOf(await person.post("/api/links/revoke", { id: "x" }))).toBe("console.unknown");
  });

  it("a read that another page started is refused, and no answer may be read by other origins", async () => {
    const made = await kit();
    const person = await made.signIn(ALL);
    for (const site of ["cross-site", "same-site"])
      expect(codeOf(await person.get("/api/flows", { "sec-fetch-site": site }))).toBe("console.origin");
    const reply = await person.get("/api/flows", {
      "sec-fetch-site": "same-origin",
      origin: "http://evil.example",
    });
    expect(reply.status).toBe(200);
    expect(Object.keys(reply.headers).filter((name) => name.startsWith("access-control"))).toEqual([]);
  });

  it("the headers keep the pages to themselves", async () => {
    const { console: it } = await kit();
    const { headers } = await send(it, "GET", "/");
    expect(headers["content-security-policy"]).toBe(
      "default-src 'none';script-src 'self';style-src 'self';img-src 'self' data:;connect-src 'self';font-src 'self';base-uri 'none';form-action 'none';frame-ancestors 'none'",
    );
    expect(headers).toMatchObject({
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "x-frame-options": "DENY",
    });
  });

  it("T-traversal: nothing outside of the built pages and the published log is served", async () => {
    const made = await withSession();
    const person = await made.signIn(ALL);
    for (const path of [
      "/../outside.txt",
      "/..%2foutside.txt",
      "/%2e%2e/outside.txt",
      "/assets/..%2f..%2foutside.txt",
      "/.hidden",
      "//etc/passwd",
    ]) {
      const reply = await person.get(path);
      expect([reply.status >= 400, path, reply.text.includes("outside")]).toEqual([true, path, false]);
    }
    for (const path of [
      "../keys/organisation.keys",
      "..%2fkeys%2forganisation.keys",
      "journal/0000000001.seg",
      "lock",
      "tile/../vkey.txt",
      "tile/0/000%00",
    ])
      expect((await person.get(`/api/ledger/log/${path}`)).status, path).toBeGreaterThanOrEqual(400);
    expect((await person.get("/api/ledger/log/vkey.txt")).text).toMatch(/^sallyport\.local\//);
  });

  it("more requests than a person makes are refused for a while, and signing in sooner", async () => {
    const made = await kit({ maxRequests: 60 });
    const replies: number[] = [];
    for (let i = 0; i < 11; i++)
      replies.push(
        (
          await send(made.console, "POST", "/api/sign-in", {
            body: { token: "x" },
            headers: { origin: made.console.origin },
          })
        ).status,
      );
    expect([replies.slice(0, 10).every((status) => status === 403), replies.at(-1)]).toEqual([true, 429]);
    let last = 0;
    for (let i = 0; i < 70; i++) last = (await send(made.console, "GET", "/api/me")).status;
    expect(last).toBe(429);
  });
});

describe("signing in", () => {
  const signInWith = (it: Kit, url: string): Promise<{ readonly status: number; readonly json: unknown }> =>
    send(it.console, "POST", "/api/sign-in", {
      body: { token: url.split("/").at(-1) },
      headers: { origin: it.console.origin },
    });

  it("a link signs in once, however many try at the same time", async () => {
    const made = await kit();
    const { url } = made.console.link({ principal: "p", roles: ["viewer"], language: "en" });
    const statuses = await Promise.all([1, 2, 3].map(async () => (await signInWith(made, url)).status));
    expect(statuses.sort()).toEqual([200, 403, 403]);
    expect((await signInWith(made, url)).status).toBe(403);
  });

  it("a link is over after five minutes, and revoked at once", async () => {
    const made = await kit();
    const link = (): string => made.console.link({ principal: "p", roles: ["viewer"], language: "en" }).url;
    const late = link();
    made.clock.at += LINK_MS;
    expect(codeOf(await signInWith(made, late))).toBe("console.link");
    const { id, url } = made.console.link({ principal: "p", roles: ["viewer"], language: "en" });
    expect([made.console.revoke(id), codeOf(await signInWith(made, url))]).toEqual([1, "console.link"]);
  });

  it("a session is over after an hour without a request, after twelve in any case, and when it is revoked", async () => {
    const made = await kit();
    const idle = await made.signIn(["viewer"]);
    made.clock.at += IDLE_MS;
    expect((await idle.get("/api/me")).status).toBe(401);
    const busy = await made.signIn(["viewer"]);
    for (let at = 0; at < WHOLE_MS; at += IDLE_MS / 2) {
      expect((await busy.get("/api/me")).status, `${at}`).toBe(200);
      made.clock.at += IDLE_MS / 2;
    }
    expect((await busy.get("/api/me")).status).toBe(401);
    const [admin, other] = [await made.signIn(["admin"]), await made.signIn(["viewer"])];
    const { rows } = ((await admin.get("/api/links")).json as { data: { rows: readonly Link[] } }).data;
    const found = rows.find((one) => !one.isOwn && one.state === "signed-in");
    expect((await admin.post("/api/links/revoke", { id: found?.id })).status).toBe(200);
    expect((await other.get("/api/me")).status).toBe(401);
  });

  it("nobody is signed in when that cannot be recorded, and the link is used up all the same", async () => {
    const made = await kit();
    const { url } = made.console.link({ principal: "p", roles: ["viewer"], language: "en" });
    made.fails = new Fault("station.lost");
    expect((await signInWith(made, url)).status).toBe(503);
    made.fails = null;
    expect((await signInWith(made, url)).status).toBe(403);
    expect(made.console.links()).toEqual([]);
  });

  it("the cookie is for this console alone: not for scripts, not for other sites, and never in an address", async () => {
    const made = await kit();
    const { url } = made.console.link({ principal: "p", roles: ["viewer"], language: "en" });
    expect(new URL(url).pathname + new URL(url).search).toBe("/");
    const reply = await send(made.console, "POST", "/api/sign-in", {
      body: { token: url.split("/").at(-1) },
      headers: { origin: made.console.origin },
    });
    expect(String(reply.headers["set-cookie"])).toMatch(
      /^sallyport-\d+=[\w-]{43}; Max-Age=43200; Path=\/; HttpOnly; SameSite=Strict$/,
    );
  });
});

describe("evidence", () => {
  it("who looks, and why, is durable before a byte is opened; where it cannot be, nothing is", async () => {
    const made = await withSession();
    const person = await made.signIn(["evidence-reader"]);
    made.done.length = 0;
    const asked = { reason: "a complaint", exchanges: [`${SESSION}-1`] };
    const reply = await person.post(`/api/sessions/${SESSION}/contents`, asked);
    expect(reply.status).toBe(200);
    const firstOpen = made.done.findIndex((one) => one.startsWith("open"));
    expect(made.done.slice(0, firstOpen)).toEqual(["record evidence.viewed", "record evidence.viewed"]);
    expect(made.done.slice(firstOpen).every((one) => one.startsWith("open"))).toBe(true);
    for (const [path, body] of [
      [`/api/sessions/${SESSION}/contents`, asked],
      [`/api/exposure/exchanges/${SESSION}-1/bytes`, { reason: "a complaint" }],
    ] as const) {
      made.done.length = 0;
      made.fails = new Fault("station.lost");
      const refused = await person.post(path, body);
      expect([refused.status, codeOf(refused), made.done]).toEqual([503, "station.lost", []]);
      made.fails = null;
    }
    expect(codeOf(await person.post(`/api/sessions/${SESSION}/contents`, { ...asked, reason: " " }))).toBe(
      "console.invalid",
    );
  });

  it("a value that a detector finds stands masked; one is shown for the asking, on the record first", async () => {
    const made = await withSession();
    const reader = await made.signIn(["evidence-reader"]);
    const contents = await reader.post(`/api/sessions/${SESSION}/contents`, {
      reason: "a complaint",
      exchanges: [`${SESSION}-1`],
    });
    expect([contents.text.includes("please look at the token"), contents.text.includes(SECRET)]).toEqual([
      true,
      false,
    ]);
    const exact = await reader.post(`/api/exposure/exchanges/${SESSION}-1/bytes`, { reason: "a complaint" });
    expect([
      exact.text.includes("please look at the token"),
      exact.text.includes(SECRET),
      exact.text.includes("sk-not-shown"),
    ]).toEqual([...[true, false, false]]);
    const { exchanges } = (
      contents.json as { data: { exchanges: { request: { masked: { id: string }[] }[] }[] } }
    ).data;
    const id = exchanges[0]?.request.flatMap((part) => part.masked)[0]?.id ?? "";
    expect((await reader.post(`/api/sessions/${SESSION}/unmask`, { reason: "a complaint", id })).status).toBe(
      403,
    );
    const both = await made.signIn(["evidence-reader", "unmasker"]);
    const shown = await both.post(`/api/sessions/${SESSION}/unmask`, { reason: "a complaint", id });
    expect(shown.json).toMatchObject({ data: { text: SECRET } });
    expect(made.done.at(-1)).toBe("record evidence.unmasked");
    made.fails = new Fault("station.lost");
    const refused = await both.post(`/api/sessions/${SESSION}/unmask`, { reason: "a complaint", id });
    expect([refused.status, refused.text.includes(SECRET)]).toEqual([503, false]);
  });

  it("where the record tells of a class that cannot be found again, each part is one value; unmasking is on the record", async () => {
    const made = await kit();
    await made.ledger.append(startedEvent());
    await made.ledger.append(
      judgedEvent(1, { findings: [{ class: "classified", detector: "code", count: 1 }] }),
      REQUEST,
    );
    await made.settle();
    const person = await made.signIn(ALL);
    const contents = await person.post(`/api/sessions/${SESSION}/contents`, {
      reason: "a complaint",
      exchanges: [`${SESSION}-1`],
    });
    const exact = await person.post(`/api/exposure/exchanges/${SESSION}-1/bytes`, { reason: "a complaint" });
    for (const { status, text } of [contents, exact]) {
      expect([status, text.includes("please look"), text.includes("cannot-mask")]).toEqual([
        200,
        false,
        true,
      ]);
    }
    const { exchanges } = (
      contents.json as {
        data: { exchanges: { request: { text: string; masked: { id: string; class: string }[] }[] }[] };
      }
    ).data;
    const [value] = exchanges[0]?.request.flatMap((part) => part.masked) ?? [];
    expect(value).toMatchObject({ class: "classified" });
    const asked = { reason: "a complaint", id: value?.id };
    const reader = await made.signIn(["evidence-reader"]);
    expect((await reader.post(`/api/sessions/${SESSION}/unmask`, asked)).status).toBe(403);
    const shown = await person.post(`/api/sessions/${SESSION}/unmask`, asked);
    expect(shown.json).toMatchObject({ data: { text: `${PROMPT} ${SECRET}` } });
    expect(made.done.at(-1)).toBe("record evidence.unmasked");
  });

  it("a part is one value only where a class has no place: a secret's own part cannot be asked for so", async () => {
    const made = await withSession();
    const person = await made.signIn(ALL);
    const contents = await person.post(`/api/sessions/${SESSION}/contents`, {
      reason: "a complaint",
      exchanges: [`${SESSION}-1`],
    });
    const id = /"id":"([^"]+):[^":]+"/.exec(contents.text)?.[1] ?? expect.fail("no value");
    const asked = { reason: "a complaint", id: `${id}:part-0` };
    expect(codeOf(await person.post(`/api/sessions/${SESSION}/unmask`, asked))).toBe("console.unknown");
  });
});

describe("hostile content", () => {
  it("what agents name things by stays text: JSON with its type, and cells that no spreadsheet calculates", async () => {
    const made = await withSession();
    const person = await made.signIn(["viewer"]);
    const { json, headers } = await person.get("/api/sessions");
    expect((json as { data: { rows: { workspace: string }[] } }).data.rows[0]?.workspace).toBe(HOSTILE);
    expect(headers).toMatchObject({
      "content-type": "application/json; charset=utf-8",
      "x-content-type-options": "nosniff",
    });
    const csv = await person.get("/api/sessions?format=csv");
    expect(csv.headers["content-disposition"]).toBe('attachment; filename="sessions.csv"');
  });

  it.each([
    ["=1+1", "'=1+1"],
    ["+1", "'+1"],
    ["-1", "'-1"],
    ["@x", "'@x"],
    ["\t=1", "'\t=1"],
    ["a,b", '"a,b"'],
    ['=a"b', '"\'=a""b"'],
    [-1, "-1"],
    [null, ""],
    [["=a", "b"], "'=a b"],
  ])("the cell of %j is %s", (value, text) => {
    expect(cell(value)).toBe(text);
  });

  it("a filter is a filter and nothing else", async () => {
    const made = await withSession();
    const person = await made.signIn(["viewer"]);
    for (const filter of ["kind='x' OR 1=1", "host=x;drop table entry", "__proto__=x", "x".repeat(2001)]) {
      const reply = await person.get(`/api/ledger/entries?filter=${encodeURIComponent(filter)}`);
      expect([reply.status === 400 || codeOf(reply) === "usage.invalid", filter]).toEqual([true, filter]);
    }
  });
});
