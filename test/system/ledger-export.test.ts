// A live export that is killed again and again, to a receiver that fails now and then: nothing is missing.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { asSessionId, systemClock } from "../../src/core/index.ts";
import { type Ledger, openLedger } from "../../src/ledger/index.ts";

const PROGRAM = join(import.meta.dirname, "../../bin/sallyport");
const session = asSessionId("7f3a0001") ?? expect.fail("not an id");
const servers: Server[] = [];
const children: ChildProcess[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

async function receiver(answer: (n: number) => number): Promise<{
  readonly url: string;
  readonly ids: string[];
  readonly authorizations: Set<string | undefined>;
}> {
  const ids: string[] = [];
  const authorizations = new Set<string | undefined>();
  let requests = 0;
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      authorizations.add(request.headers.authorization);
      const status = answer(requests++);
      if (status === 0) {
        request.socket.destroy();
        return;
      }
      if (status === 200)
        for (const line of Buffer.concat(parts).toString("utf8").trim().split("\n"))
          ids.push((JSON.parse(line) as { id: string }).id);
      response.writeHead(status).end();
    });
  });
  servers.push(server);
  await once(server.listen(0, "127.0.0.1"), "listening");
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/in`, ids, authorizations };
}

const place = (): string => mkdtempSync(join(tmpdir(), "export-sys-"));
const opened = (home: string): Promise<Ledger> =>
  openLedger({
    directory: join(home, "ledger"),
    keyDirectory: join(home, "keys"),
    clock: systemClock,
    program: "test",
    origin: "example.org/log",
  });
const refused = (n: number) =>
  ({
    kind: "connection.refused",
    session,
    door: "tls",
    host: `h${n}`,
    port: 443,
    rule: "r",
    reason: "no",
  }) as const;
function start(home: string, ...args: string[]): ChildProcess {
  const child = spawn(PROGRAM, ["export", ...args], {
    env: { ...process.env, SALLYPORT_HOME: home },
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.push(child);
  return child;
}
const settled = async (isDone: () => boolean): Promise<void> => {
  const until = performance.now() + 30_000;
  while (!isDone() && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 20));
};

it("killed with SIGKILL while the ledger grows, a live export delivers every entry at least once", async () => {
  const home = place();
  mkdirSync(home, { recursive: true });
  const to = await receiver((n) => (n % 7 === 3 ? 503 : n % 11 === 5 ? 0 : 200));
  const headers = join(home, "headers");
  writeFileSync(headers, "Authorization: Bearer not-a-real-token\n");
  const cursor = join(home, "cursor");
  const args = ["--follow", "--cursor", cursor, "--to", to.url, "--header-file", headers];
  const ledger = await opened(home);
  let appended = 1;
  for (let round = 0; round < 6; round++) {
    const child = start(home, ...args);
    const before = to.ids.length;
    for (let n = 0; n < 20; n++) {
      await Promise.all(Array.from({ length: 7 }, () => ledger.append(refused(appended++))));
      if (n % 5 === 0) await ledger.checkpoint();
    }
    await settled(() => to.ids.length > before + round * 10);
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  await ledger.close();
  const last = start(home, ...args);
  const all = Array.from({ length: appended }, (_, n) => `example.org/log/${n}`);
  await settled(() => new Set(to.ids).size === appended);
  expect([...new Set(to.ids)].sort()).toEqual(all.sort());
  expect(to.authorizations).toEqual(new Set(["Bearer not-a-real-token"]));
  await settled(() => readFileSync(cursor, "utf8") === `ndjson ${appended}\n`);
  last.kill("SIGTERM");
  expect(await once(last, "exit")).toEqual([0, null]);
  expect(readFileSync(cursor, "utf8")).toBe(`ndjson ${appended}\n`);
}, 90_000);

it("a receiver that refuses for good ends the export, and the cursor stays", async () => {
  const home = place();
  const ledger = await opened(home);
  await ledger.close();
  const to = await receiver(() => 401);
  const cursor = join(home, "cursor");
  const child = start(home, "--cursor", cursor, "--to", to.url);
  let said = "";
  child.stderr?.on("data", (part: Buffer) => {
    said += part.toString();
  });
  const [code] = await once(child, "close");
  expect([code, existsSync(cursor)]).toEqual([2, false]);
  expect(said).toContain("answered 401");
});
