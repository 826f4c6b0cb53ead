import { mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type EventBody, Fault, newSessionId } from "../core/index.ts";
import type { EvidenceInput } from "../ledger/index.ts";
import { Recorder, type RecorderOptions } from "./recorder.ts";

const session = newSessionId(() => Buffer.from("7f3a0001", "hex"));
let folder: string;
let recorder: Recorder | null = null;
let helper: Socket | null = null;
const events: { body: EventBody; evidence: readonly EvidenceInput[] }[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sp-rec-"));
  events.length = 0;
});
afterEach(async () => {
  helper?.destroy();
  await recorder?.finish(false);
  rmSync(folder, { recursive: true, force: true });
});

const frame = (...fields: readonly string[]): Buffer => {
  const rest = Buffer.from(fields.map((field) => `${field}\0`).join(""));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(rest.length);
  return Buffer.concat([length, rest]);
};

async function record(over: Partial<RecorderOptions> = {}): Promise<Recorder> {
  const socket = join(folder, "record.sock");
  recorder = await Recorder.listen({
    session,
    workspace: "/work",
    socket,
    append: async (body, evidence = []) => void events.push({ body, evidence }),
    hashOf: async (identity) => (identity === "1:2:3:4" ? "ab".repeat(32) : null),
    onLost: () => {},
    ...over,
  });
  helper = connect(socket);
  helper.resume(); // it is told when programs may change files
  await new Promise((resolve) => helper?.once("connect", resolve));
  helper.write(frame("H", "1", "77"));
  return recorder;
}
const say = (...frames: readonly Buffer[]): void => void helper?.write(Buffer.concat(frames));
const STARTED = frame(
  "E",
  "1",
  "0",
  "900",
  "1:2:3:4",
  "9",
  "3",
  "/usr/bin/curl",
  "/work/src",
  "curl",
  "-u",
  "ada:pw",
);

describe("the record", () => {
  it("arguments are sealed: the event holds how many there are", async () => {
    const open = await record();
    say(STARTED, frame("X", "1", "0"), frame("."));
    await open.finish(true);
    expect(events.map(({ body }) => body)).toEqual([
      {
        kind: "command.started",
        session,
        commands: [
          {
            ...{ command: 1, parent: null, program: "/usr/bin/curl", sha256: "ab".repeat(32) },
            ...{ arguments: 3, folder: "src" },
          },
        ],
        evidence: [],
      },
      { kind: "command.ended", session, commands: [{ command: 1, exitCode: 0 }], unreadable: 0 },
    ]);
    const sealed = events[0]?.evidence[0];
    expect(sealed?.role).toBe("arguments");
    expect(Buffer.concat(sealed?.chunks ?? []).toString()).toBe(
      '{"command":1,"arguments":["curl","-u","ada:pw"]}\n',
    );
    expect(JSON.stringify(events.map(({ body }) => body))).not.toContain("ada:pw");
  });

  it("files are told relative to the workspace, in groups", async () => {
    const open = await record();
    say(frame("F", "1", "c", "/work/a"), frame("F", "1", "m", "/work/a", "/tmp/b"), frame("."));
    await open.finish(true);
    expect(events.map(({ body }) => body)).toEqual([
      {
        kind: "file.changed",
        session,
        changes: [
          { command: 1, change: "created", path: "a" },
          { command: 1, change: "renamed", path: "a", to: "/tmp/b" },
        ],
      },
    ]);
  });

  it("everything that was told is appended before finish resolves, however much it is", async () => {
    const open = await record();
    for (let at = 0; at < 9_000; at++) say(frame("F", "1", "w", `/work/${at}`));
    say(frame("."));
    await open.finish(true);
    const told = events.flatMap(({ body }) => (body.kind === "file.changed" ? body.changes : []));
    expect(told.map(({ path }) => Number(path))).toEqual([...Array(9_000).keys()]);
  });

  it("a helper that dies is recorded, and whoever cares is told", async () => {
    const lost = Promise.withResolvers<void>();
    const open = await record({ onLost: () => lost.resolve() });
    say(STARTED);
    helper?.destroy();
    await lost.promise;
    await open.finish(true);
    expect(events.map(({ body }) => body.kind)).toEqual(["command.started", "recorder.lost"]);
  });

  it("a helper that never came is recorded", async () => {
    recorder = await Recorder.listen({
      ...{ session, workspace: "/work", socket: join(folder, "record.sock"), hashOf: async () => null },
      append: async (body, evidence = []) => void events.push({ body, evidence }),
      onLost: () => {},
    });
    await recorder.finish(true);
    expect(events.map(({ body }) => body)).toEqual([
      { kind: "recorder.lost", session, detail: "it never came" },
    ]);
  });

  it("a ledger that takes no more closes the helper's socket, which ends the session", async () => {
    const lost = Promise.withResolvers<Fault | null>();
    await record({
      append: async () => Promise.reject(new Fault("ledger.full", { at: "/ledger" })),
      onLost: lost.resolve,
    });
    const closed = new Promise((resolve) => helper?.once("close", resolve));
    say(STARTED);
    await closed;
    expect((await lost.promise)?.code).toBe("ledger.full");
  });

  it("what is no frame closes the socket", async () => {
    const lost = Promise.withResolvers<Fault | null>();
    await record({ onLost: lost.resolve });
    helper?.on("error", () => {}); // the other side went away
    say(frame("?"));
    expect((await lost.promise)?.message).toContain("the recorder says something else");
  });

  it("a second helper is turned away", async () => {
    await record();
    const second = connect(join(folder, "record.sock"));
    second.on("error", () => {}); // reset or closed, either is a no
    await new Promise((resolve) => second.once("close", resolve));
    expect(events).toEqual([]);
  });
});
