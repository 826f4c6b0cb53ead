// A station that is told to stop (SIGTERM, as a service manager does) while an agent is at work, and what it says in its log.
import { execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { LedgerEvent } from "../../src/core/index.ts";
import { Place, ROOT } from "../harness.ts";

const AGENT = join(ROOT, "test/fixtures/tiny-agent/agent.js");
const MESSAGES = "https://api.anthropic.com/v1/messages";
const BODY = JSON.stringify({
  model: "m",
  max_tokens: 5,
  stream: true,
  messages: [{ role: "user", content: "hello" }],
});

const closing: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

function newPlace(): Place {
  const place = new Place({ "agent.js": readFileSync(AGENT, "utf8") });
  chmodSync(join(place.workspace, "agent.js"), 0o755);
  closing.push(() => place.close());
  return place;
}

/** A model whose replies begin and go on when the test says so. */
async function model(): Promise<{ readonly url: string; readonly open: readonly ServerResponse[] }> {
  const open: ServerResponse[] = [];
  const server = createServer((request, response) => {
    request.resume().on("end", () => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write("data: begun\n\n");
      open.push(response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, open }; // it listens on TCP
}

const pidOf = async (place: Place): Promise<number> =>
  (JSON.parse((await place.run(["status", "--json"])).stdout) as { pid: number }).pid;
const gone = async (pid: number): Promise<void> => {
  while (existsSync(`/proc/${pid}`)) await new Promise((resolve) => setImmediate(resolve));
};
async function eventsOf(place: Place): Promise<readonly LedgerEvent[]> {
  const [row = "{}"] = (await place.run(["log", "--json"])).stdout.trim().split("\n");
  const { session } = JSON.parse(row) as { session: string };
  const { stdout } = await place.run(["show", session, "--events", "--json"]);
  return stdout
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as { event: LedgerEvent }).event);
}

describe("SIGTERM to the station", () => {
  it("lets a stream under way end, takes nothing new, leaves a ledger that verifies; who comes meanwhile gets the next one", async () => {
    const place = newPlace();
    const { url, open } = await model();
    // It takes its time to say the last word. A second request from inside, when the test has written into `go`.
    const slowly = `while IFS= read -r line; do [ "$line" != "data: the last word" ] || sleep 0.3; echo "$line"; done`;
    const script = `mkfifo go; { ./agent.js ${MESSAGES} '${BODY}' | ${slowly}; } & read line < go; ./agent.js ${MESSAGES} '${BODY}' | sed 's/^/second /'; wait %1`;
    const running = place.start(["run", "--json", "--upstream", url, "--", "bash", "-c", script]);
    await running.until("stdout", "begun");
    const pid = await pidOf(place);
    process.kill(pid, "SIGTERM");
    // Its socket is gone as soon as it takes nothing new.
    while (existsSync(join(place.state, "run/station.sock")))
      await new Promise((resolve) => setImmediate(resolve));
    const next = place.run(["run", "-q", "--", "echo", "the next one"]);
    writeFileSync(join(place.workspace, "go"), "now\n");
    expect(await running.until("stdout", "second ")).toMatch(/second (?:error|status 503)/);
    expect(existsSync(`/proc/${pid}`), "it waits for the stream").toBe(true);
    expect(open).toHaveLength(1);
    open[0]?.end("data: the last word\n\n");
    const { stdout } = await running.finished;
    expect(stdout).toContain("the last word");
    await gone(pid);
    expect((await next).stdout).toBe("the next one\n");
    const events = await eventsOf(place);
    expect(events.find(({ kind }) => kind === "exchange.answered")).toMatchObject({ complete: true });
    expect(events.at(-1)).toMatchObject({ kind: "session.ended", reason: "station-lost" });
    expect((await place.run(["verify"])).code).toBe(0);
    expect(await pidOf(place)).not.toBe(pid);
  });

  it("cuts off a stream that does not end, within the time for it, and records that it was", async () => {
    const place = newPlace();
    const { url } = await model();
    const running = place.start(["run", "--upstream", url, "./agent.js", MESSAGES, BODY]);
    await running.until("stdout", "begun");
    const pid = await pidOf(place);
    const told = performance.now();
    process.kill(pid, "SIGTERM");
    await gone(pid);
    // The limit of gateway/limits.ts is 10 s; the rest is a machine at work.
    expect(performance.now() - told).toBeLessThan(30_000);
    await running.finished;
    const events = await eventsOf(place);
    expect(events.find(({ kind }) => kind === "exchange.answered")).toMatchObject({ complete: false });
    expect(events.at(-1)).toMatchObject({ kind: "session.ended" });
    expect((await place.run(["verify"])).code).toBe(0);
  });
});

it("what neither agent nor ledger can be told of is in the station's log: a reply that could not be recorded", async () => {
  const place = newPlace();
  const { url, open } = await model();
  // A state folder of its own on a small disk, in a mount namespace of its own; the test says when through pipes. The agent's
  // home is on another: a full disk there ends the session.
  for (const name of ["begun", "go"]) execFileSync("mkfifo", [join(place.folder, name)]);
  const sallyport = join(ROOT, "bin/sallyport");
  const script = `
    mkdir -p "$SALLYPORT_HOME" && mount -t tmpfs -o size=12m none "$SALLYPORT_HOME"
    mkdir -m 700 "$SALLYPORT_HOME/homes" && mount -t tmpfs -o size=256m,mode=700 none "$SALLYPORT_HOME/homes"
    ${sallyport} run -q --upstream ${url} ./agent.js ${MESSAGES} '${BODY}' > ../said &
    read line < ../begun
    dd if=/dev/zero of="$SALLYPORT_HOME/filler" bs=64k 2>/dev/null
    truncate -s -256k "$SALLYPORT_HOME/filler"
    echo full > ../go
    wait
    rm "$SALLYPORT_HOME/filler"
    cat "$SALLYPORT_HOME/station.log"
    ${sallyport} verify
    ${sallyport} down --force`;
  const child = spawn("unshare", ["-Urm", "sh", "-c", script], {
    cwd: place.workspace,
    env: { ...process.env, SALLYPORT_HOME: place.state },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (piece: Buffer) => {
      said += piece.toString();
    });
  const over = new Promise((resolve) => child.once("close", resolve));
  while (open.length === 0) await new Promise((resolve) => setImmediate(resolve));
  await writeFile(join(place.folder, "begun"), "begun\n");
  await readFile(join(place.folder, "go"));
  open[0]?.end(randomBytes(4 << 20).toString("base64"));
  await over;
  expect(readFileSync(join(place.folder, "said"), "utf8")).toMatch(/^status 200\n/);
  const line = said.split("\n").find((one) => one.includes('"ledger.'));
  expect(line, said).toBeDefined();
  expect(JSON.parse(line ?? "{}")).toMatchObject({ code: "ledger.full", at: expect.any(String) });
  expect(said).toContain("verified:");
});
