// The console as a process: what the command prints, whose life it shares, and what is on the record when things die.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { judgedEvent, REQUEST, SESSION, send, startedEvent } from "../../src/console/console.testkit.ts";
import type { LedgerEvent } from "../../src/core/index.ts";
import { openLedger, readEntries } from "../../src/ledger/index.ts";
import { Place } from "../harness.ts";

let place: Place;
beforeEach(() => {
  place = new Place();
});
afterEach(() => place.close());

interface Made {
  readonly origin: string;
  readonly url: string;
  readonly port: number;
}

async function link(...flags: string[]): Promise<Made> {
  const { code, stdout, stderr } = await place.run(["console", "--json", ...flags]);
  expect(code, stderr).toBe(0);
  const made = JSON.parse(stdout) as { origin: string; url: string };
  return { ...made, port: Number(new URL(made.origin).port) };
}

async function signIn(made: Made): Promise<Readonly<Record<string, string>>> {
  const reply = await send(made, "POST", "/api/sign-in", {
    body: { token: made.url.split("/").at(-1) },
    headers: { origin: made.origin },
  });
  expect(reply.status, reply.text).toBe(200);
  const cookie = String(reply.headers["set-cookie"]).split(";")[0] ?? "";
  const { csrf } = (reply.json as { data: { csrf: string } }).data;
  return { cookie, origin: made.origin, "x-sallyport-csrf": csrf };
}

async function entries(): Promise<LedgerEvent[]> {
  const all: LedgerEvent[] = [];
  for await (const { event } of readEntries(join(place.state, "ledger"))) all.push(event);
  return all;
}

/** Resolves when nobody listens there any more. */
async function gone(made: Made): Promise<void> {
  for (;;) {
    const isThere = await send(made, "GET", "/api/me").then(
      () => true,
      () => false,
    );
    if (!isThere) return;
  }
}

const stationPid = async (): Promise<number> =>
  (JSON.parse((await place.run(["status", "--json"])).stdout) as { pid: number }).pid;

it("a link signs in as whom it was made for, on the record, and `links`, `revoke` and `stop` do what they say", async () => {
  const made = await link("--role", "viewer", "--name", "ada");
  expect(made.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/#\/sign-in\/[\w-]{43}$/);
  const headers = await signIn(made);
  const signedIn = (await entries()).find((event) => event.kind === "console.signed-in");
  expect(signedIn).toMatchObject({ principal: `local:${process.getuid?.()}/ada`, roles: ["viewer"] });
  expect((await send(made, "GET", "/api/links", { headers })).status).toBe(403);
  const listed = JSON.parse((await place.run(["console", "links", "--json"])).stdout) as {
    links: { state: string }[];
  };
  expect(listed.links.map(({ state }) => state)).toEqual(["signed-in"]);
  expect((await place.run(["console", "revoke", "all"])).stdout).toBe("ended: 1\n");
  expect((await send(made, "GET", "/api/me", { headers })).status).toBe(401);
  await place.run(["console", "stop"]);
  await gone(made);
  expect((await place.run(["console", "--role", "king"])).code).toBe(2);
}, 180_000);

it("the station killed: the console ends with it, and nothing was shown that is not on the record", async () => {
  const keyDirectory = join(place.state, "keys");
  const clock = { now: () => Date.now(), monotonic: () => performance.now() };
  const ledger = await openLedger({
    directory: join(place.state, "ledger"),
    keyDirectory,
    clock,
    program: "test",
  });
  await ledger.append(startedEvent());
  await ledger.append(judgedEvent(1), REQUEST);
  await ledger.close();
  const made = await link();
  const headers = await signIn(made);
  const look = (): Promise<{ readonly status: number; readonly text: string }> =>
    send(made, "POST", `/api/sessions/${SESSION}/contents`, {
      body: { reason: "a complaint", exchanges: [`${SESSION}-1`] },
      headers,
    });
  for (;;) {
    const { status } = await send(made, "GET", `/api/sessions/${SESSION}`, { headers });
    if (status === 200) break; // the index has it
  }
  const looks = [look()];
  const pid = await stationPid();
  process.kill(pid, "SIGKILL");
  for (let i = 0; i < 20; i++) looks.push(look());
  const answers = await Promise.allSettled(looks);
  await gone(made);
  const shown = answers.filter(
    (one) => one.status === "fulfilled" && one.value.text.includes("please look at the token"),
  );
  const recorded = (await entries()).filter((event) => event.kind === "evidence.viewed").length;
  // Two pieces to a look: head and body.
  expect(recorded).toBeGreaterThanOrEqual(shown.length * 2);
  expect(shown.length, "what was asked for after the kill was not shown").toBeLessThanOrEqual(1);
  expect(readFileSync(join(place.state, "station.log"), "utf8")).not.toContain("please look");
}, 180_000);
