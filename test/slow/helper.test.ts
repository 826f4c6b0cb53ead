/**
 * The helper with real bubblewrap: what it tells of programs, files and connections, what it catches, and what happens
 * when it or the station's end of it dies. As whoever runs the tests and, when that is root, as a plain user too.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { LedgerEvent } from "../../src/core/index.ts";
import { readEntries } from "../../src/ledger/index.ts";
import { readyProfile } from "../../src/policy/index.ts";
import { buildHelper, findHelper, HELPER_FOLDER, helperStamp, isPinned } from "../../src/sandbox/helper.ts";
import { readMachineFacts, type SandboxSpec } from "../../src/sandbox/index.ts";
import { FrameReader, type Observation } from "../../src/sandbox/record.ts";
import { Place } from "../harness.ts";
import type { Orders } from "../system/sandbox-driver.ts";

const DRIVER = join(import.meta.dirname, "../system/sandbox-driver.ts");
const PLAIN = 54_323; // needs no account: the kernel knows numbers only
const machine = readMachineFacts();
if (machine.helper.path === null)
  throw new Error(`no helper (${machine.helper.why}): run bin/sallyport setup --for-tests`);
const isRoot = machine.uid === 0;
if (!isRoot) process.stderr.write("\n!!! NOT CHECKED: not root: root's own sessions\n");

const sha256 = (path: string): string => createHash("sha256").update(readFileSync(path)).digest("hex");

describe("the helper's program", () => {
  it("the same source and compiler give the same bytes, in another folder and at another time", () => {
    const copy = mkdtempSync(join(tmpdir(), "sp-helper-"));
    try {
      for (const name of readdirSync(HELPER_FOLDER).filter((at) => at !== "build"))
        copyFileSync(join(HELPER_FOLDER, name), join(copy, name));
      const built = buildHelper(copy);
      expect(built).toMatchObject({
        sha256: machine.helper.path === null ? "" : sha256(machine.helper.path),
      });
      expect(isPinned(built), "helper/pins.json names another build by this compiler").not.toBe("differs");
      writeFileSync(join(copy, "main.c"), "\n", { flag: "a" });
      expect(findHelper(copy)).toEqual({ path: null, why: "its source has changed since it was built" });
    } finally {
      rmSync(copy, { recursive: true, force: true });
    }
  });

  it("one that was built since a station looked is looked for again", () => {
    const copy = mkdtempSync(join(tmpdir(), "sp-helper-"));
    try {
      for (const name of readdirSync(HELPER_FOLDER).filter((at) => at !== "build"))
        copyFileSync(join(HELPER_FOLDER, name), join(copy, name));
      const before = helperStamp(copy);
      buildHelper(copy);
      const built = helperStamp(copy);
      buildHelper(copy);
      expect(new Set([before, built, helperStamp(copy)]).size).toBe(3);
    } finally {
      rmSync(copy, { recursive: true, force: true });
    }
  });

  it("a program that was swapped for another is not used", () => {
    const copy = mkdtempSync(join(tmpdir(), "sp-helper-"));
    try {
      execFileSync("cp", ["-r", `${HELPER_FOLDER}/.`, copy]);
      const found = findHelper(copy);
      writeFileSync(found.path ?? "", "\n", { flag: "a" });
      expect(findHelper(copy)).toEqual({ path: null, why: "it is not what was built" });
    } finally {
      rmSync(copy, { recursive: true, force: true });
    }
  });

  it("started by hand it says what it is, and does nothing", () => {
    const done = spawnSync(machine.helper.path ?? "", ["launch"], { encoding: "utf8" });
    expect([done.status, done.stderr]).toEqual([125, "the helper is started by the client\n"]);
  });
});

describe.each<[string, number | null]>([
  ["as whoever runs the tests", null],
  ...(isRoot ? [["as a plain user", PLAIN] as [string, number]] : []),
])("%s", (_title, uid) => {
  let root: string;
  let record: Server;
  let told: Observation[];
  /** Closes the station's end. */
  let hangUp: () => void;
  /** Whether the station has not yet what the workspace holds. */
  let isHeld: boolean;
  let mayChange: () => void;
  let closed: Promise<void>;
  const running = new Set<ChildProcess>();
  const at = (name: string): string => join(root, name);

  beforeEach(async () => {
    root = mkdtempSync(join(tmpdir(), "sp-helper-"));
    for (const name of ["", "work", "agent-home"]) {
      mkdirSync(at(name), { recursive: true });
      if (uid !== null) chownSync(at(name), uid, uid);
    }
    writeFileSync(at("ca.pem"), "\n");
    told = [];
    isHeld = false;
    const over = Promise.withResolvers<void>();
    closed = over.promise;
    record = createServer((socket) => {
      const reader = new FrameReader();
      mayChange = () => socket.write("k");
      if (!isHeld) mayChange();
      socket.on("data", (bytes) => told.push(...reader.read(bytes)));
      socket.on("error", () => {}); // `close` follows
      socket.on("close", () => over.resolve());
      hangUp = () => socket.destroy();
    });
    await new Promise<void>((resolve) => record.listen(at("record.sock"), resolve));
    chmodSync(at("record.sock"), 0o666);
  });
  afterEach(() => {
    for (const child of running) child.kill("SIGKILL");
    record.close();
    rmSync(root, { recursive: true, force: true });
  });

  function start(script: string, more: Partial<Orders> = {}, spec: Partial<SandboxSpec> = {}) {
    const orders: Orders = {
      spec: {
        program: ["bash", "-c", script],
        ...{ workspace: at("work"), homeDirectory: at("agent-home"), read: [], write: [], hide: [] },
        ...{ environment: { TERM: "dumb" }, caCertificate: at("ca.pem"), caBundle: at("ca.pem") },
        ...{
          proxyPort: 3128,
          nested: false,
          record: { socket: at("record.sock"), reads: false, goesOn: false },
        },
        ...spec,
      },
      facts: {},
      ...more,
    };
    const child = spawn(process.execPath, [DRIVER, JSON.stringify(orders)], {
      env: { PATH: process.env["PATH"], HOME: at("agent-home") },
      stdio: ["ignore", "pipe", "pipe"],
      ...(uid === null ? {} : { uid, gid: uid }),
    });
    running.add(child);
    let [out, err] = ["", ""];
    child.stdout.on("data", (chunk) => {
      out += chunk;
    });
    child.stderr.on("data", (chunk) => {
      err += chunk;
    });
    const ended = new Promise<{ code: number | null; out: string; err: string }>((resolve) =>
      child.once("close", (code) => resolve({ code, out, err })),
    );
    return { child, ended };
  }
  const run = async (...args: Parameters<typeof start>) => {
    const ran = await start(...args).ended;
    await closed;
    return ran;
  };
  const started = () => told.filter((one) => one.kind === "started");
  const named = (program: string) => started().find((one) => one.program.endsWith(`/${program}`));

  describe("the record", () => {
    it("every program: arguments, parent, folder, file, exit code; and the end says that all was told", async () => {
      await run("mkdir sub && cd sub && (env A=1 sh -c 'exit 3'); true & wait; no-such-program; exit 4");
      const [bash] = started();
      expect(bash).toMatchObject({
        ...{ command: 1, parent: 0, folder: at("work"), count: 3, isCut: false },
        arguments: ["bash", "-c", expect.stringContaining("no-such-program")],
      });
      // env became sh: the same process, a command of its own that names it as its parent.
      expect(named("env")).toMatchObject({
        parent: 1,
        folder: at("work/sub"),
        arguments: ["env", "A=1", "sh", "-c", "exit 3"],
      });
      expect(named("sh")).toMatchObject({ parent: named("env")?.command });
      expect(told).toContainEqual({ kind: "ended", command: named("sh")?.command, exitCode: 3 });
      expect(told).toContainEqual({ kind: "ended", command: 1, exitCode: 4 });
      expect(named("no-such-program")).toBeUndefined();
      expect(told.at(-1)).toEqual({ kind: "end" });
    });

    it("every file of the workspace that is created, written, renamed, linked or removed, and by which command", async () => {
      writeFileSync(at("work/old"), "text", { mode: 0o666 });
      if (uid !== null) chownSync(at("work/old"), uid, uid);
      await run(
        "echo a > new; echo b >> old; mkdir d; mv new d/moved; ln -s moved d/link; rm old; echo x > /tmp/away; cd d; perl -e 'unlink \"./../d//moved\"'",
      );
      const files = told.filter((one) => one.kind === "file");
      const seen = files.map(({ change, path, to }) =>
        [change, path, ...(to === null ? [] : [to])].join(" "),
      );
      const w = at("work");
      expect(seen).toEqual([
        `created ${w}/new`,
        `written ${w}/old`,
        `folder ${w}/d`,
        `renamed ${w}/new ${w}/d/moved`,
        `linked ${w}/d/link`,
        `removed ${w}/old`,
        `removed ${w}/d/moved`,
      ]);
      expect(files.at(3)?.command).toBe(named("mv")?.command);
      expect(files.at(0)?.command).toBe(1); // the shell's own redirection
    });

    it("a killed program, a statically linked one, and a fork that has no program of its own", async () => {
      await run(
        "cp /etc/sallyport/enter static; sh -c 'kill -9 $$'; (echo forked > by-fork); ./static stage; exit 0",
      );
      expect(told).toContainEqual({ kind: "ended", command: named("sh")?.command, exitCode: null });
      expect(told).toContainEqual({ kind: "ended", command: named("static")?.command, exitCode: 125 });
      expect(told).toContainEqual({
        ...{ kind: "file", command: 1, change: "created", path: at("work/by-fork"), to: null },
      });
    });

    it("an argument vector beyond its room is cut, and said so", async () => {
      await run("/bin/true $(seq 1 9000)");
      expect(named("true")).toMatchObject({ isCut: true });
      expect(named("true")?.count).toBeGreaterThan(3_000);
    });

    it("reads outside of the workspace, where the session asks for them", async () => {
      mkdirSync(at("tool"));
      writeFileSync(at("tool/settings"), "x");
      await run(
        `cat ${at("tool/settings")} ${at("tool/none")} /etc/hosts; cat seen`,
        {},
        {
          read: [at("tool")],
          record: { socket: at("record.sock"), reads: true, goesOn: false },
        },
      );
      expect(told.filter((one) => one.kind === "read")).toEqual([
        { kind: "read", command: named("cat")?.command, path: at("tool/settings") },
      ]);
    });

    it("nothing of the workspace changes before the station has what it held; all else goes on", async () => {
      isHeld = true;
      writeFileSync(at("work/old"), "before");
      if (uid !== null) chownSync(at("work/old"), uid, uid);
      const session = start(
        "(echo after > old) & killed=$!; chmod 711 old & mkdir d & echo elsewhere > /tmp/x; cat /tmp/x old; ls; sleep 0.2; kill -9 $killed; /bin/true; wait; exit 0",
      );
      await expect.poll(() => named("true"), { timeout: 20_000 }).toBeDefined();
      expect(readdirSync(at("work"))).toEqual(["old"]);
      expect(told.filter((one) => one.kind === "file")).toEqual([]);
      mayChange();
      expect(await session.ended).toMatchObject({ code: 0, out: "elsewhere\nbeforeold\n" });
      await closed;
      expect(readdirSync(at("work"))).toEqual(["d", "old"]);
      expect(readFileSync(at("work/old"), "utf8"), "its program was killed while it waited").toBe("before");
      const changes = told.flatMap((one) => (one.kind === "file" ? [one.change] : []));
      expect(changes.sort()).toEqual(["folder", "mode"]);
    });

    it("the recorder is killed: everything inside dies, and no end is told", async () => {
      const session = start("echo $$ > started; sleep 60; echo survived > late");
      await expect.poll(() => readdirSync(at("work")), { timeout: 20_000 }).toContain("started");
      const hello = told.find((one) => one.kind === "hello");
      process.kill(hello?.pid ?? 0, "SIGKILL");
      expect((await session.ended).code).toBe(137);
      await closed;
      expect(told.some((one) => one.kind === "end")).toBe(false);
      expect(readdirSync(at("work"))).toEqual(["started"]);
    });

    it("nobody takes the record any more, and the session may go on: it does", async () => {
      const session = start(
        "echo > started; until [ -e go ]; do sleep 0.05; done; echo > late; exit 3",
        {},
        { record: { socket: at("record.sock"), reads: false, goesOn: true } },
      );
      await expect.poll(() => readdirSync(at("work")), { timeout: 20_000 }).toContain("started");
      hangUp();
      await closed;
      writeFileSync(at("work/go"), "");
      expect((await session.ended).code).toBe(3);
      expect(readdirSync(at("work"))).toContain("late");
    });

    it("nobody takes the record any more: the session stops", async () => {
      const session = start("echo > started; while :; do sleep 0.05; done");
      await expect.poll(() => readdirSync(at("work")), { timeout: 20_000 }).toContain("started");
      hangUp();
      expect((await session.ended).code).toBe(125);
    });
  });

  describe("programs that know of no proxy", () => {
    const reach = { reach: ["git.example", "10.9.8.7"] };
    const say = (to: string): string => `exec 3<>/dev/tcp/${to} && echo hello >&3 && head -1 <&3; exec 3<&-`;

    it("a name that may be reached is caught with its name, on any port, and by either kind of address", async () => {
      const ran = await run(
        `${say("git.example/443")}; ${say("git.example/9418")}; ${say("10.9.8.7/80")}`,
        reach,
      );
      expect(ran.out).toBe("heard hello\n".repeat(3));
      expect(ran.err).toBe("caught git.example:443\ncaught git.example:9418\ncaught 10.9.8.7:80\n");
      expect(told.filter((one) => one.kind === "connection")).toMatchObject([
        { command: 1, transport: "tcp", port: 443, outcome: "caught", host: "git.example" },
        { command: 1, transport: "tcp", port: 9418, outcome: "caught", host: "git.example" },
        { command: 1, transport: "tcp", port: 80, outcome: "caught", host: "10.9.8.7" },
      ]);
    });

    it("what may not be reached is refused at once, and recorded", async () => {
      const ran = await run(
        "SECONDS=0; getent hosts evil.example; for to in 10.1.1.1/443 169.254.169.254/80 198.18.0.99/443; do (exec 3<>/dev/tcp/$to); done; (exec 3<>'/dev/tcp/2001:db8::1/443'); [ $SECONDS -lt 4 ] && echo quick",
        reach,
      );
      expect(ran.out).toBe("quick\n");
      expect(ran.err.match(/Connection refused/g)).toHaveLength(2 * 4); // bash says it twice
      const refused = told.filter((one) => one.kind === "connection" && one.outcome === "refused");
      expect(refused).toHaveLength(4);
    });

    it("no datagram leaves: QUIC hears at once that nobody is there", async () => {
      const ran = await run(
        "getent hosts git.example >/dev/null; echo x > /dev/udp/198.18.0.1/443; echo y > /dev/udp/198.18.0.1/443 || echo refused; exec 3<>/dev/udp/198.18.0.1/443; echo x >&3; echo x >&3 || echo refused",
        reach,
      );
      expect(ran.out).toContain("refused");
      expect(told.filter((one) => one.kind === "connection")).toMatchObject([
        { transport: "udp", outcome: "unreachable", address: "198.18.0.1" },
      ]);
    });

    it("servers that the agent starts work as ever, and none can take the gateway's place", async () => {
      const serve = `use IO::Socket::INET; my $s = IO::Socket::INET->new(Listen => 5, LocalAddr => "0.0.0.0", LocalPort => 8080, ReuseAddr => 1) or die "no: $!"; if (fork) { my $c = $s->accept; print $c "local\\n"; close $c; wait } else { my $c = IO::Socket::INET->new("127.0.0.1:8080") or die; print scalar <$c> }`;
      const take = `use IO::Socket::INET; for my $p (53, 80, 443) { print IO::Socket::INET->new(Listen => 1, LocalAddr => "0.0.0.0", LocalPort => $p) ? "took $p" : "refused " }`;
      const ran = await run(`perl -e '${serve}'; perl -e '${take}'`, reach);
      expect(ran.out).toBe("local\nrefused refused refused ");
    });

    it("more destinations than there is room for are refused, not lost", async () => {
      const ran = await run(
        "for p in $(seq 9001 9060); do (exec 3<>/dev/tcp/git.example/$p) 2>/dev/null && echo ok || echo no; done | sort | uniq -c",
        reach,
      );
      expect(ran.out.trim().split(/\s+/)).toEqual(["20", "no", "40", "ok"]);
      expect(told.filter((one) => one.kind === "connection" && one.outcome === "too-many")).toHaveLength(20);
    });
  });
});

describe("in the ledger", () => {
  const entriesOf = async (place: Place): Promise<LedgerEvent[]> => {
    const events: LedgerEvent[] = [];
    for await (const { event } of readEntries(join(place.state, "ledger"))) events.push(event);
    return events;
  };

  it("programs, files and connections are there, arguments are sealed, and the whole verifies", async () => {
    const place = new Place();
    try {
      const secret = ["fake", "token", "4711"].join("-");
      const ran = await place.run([
        "run",
        "--",
        "bash",
        "-c",
        `true ${secret} > made; /bin/true --key ${secret}; exit 0`,
      ]);
      expect(ran.code, ran.stderr).toBe(0);
      const events = await entriesOf(place);
      const started = events.flatMap((one) => (one.kind === "command.started" ? one.commands : []));
      expect(started).toMatchObject([
        { command: 1, parent: null, folder: ".", arguments: 3 },
        { command: 2, parent: 1, program: "/bin/true", sha256: sha256("/bin/true"), arguments: 3 },
      ]);
      expect(events.flatMap((one) => (one.kind === "file.changed" ? one.changes : []))).toEqual([
        { command: 1, change: "created", path: "made" },
      ]);
      expect(events.flatMap((one) => (one.kind === "command.ended" ? one.commands : []))).toEqual([
        { command: 2, exitCode: 0 },
        { command: 1, exitCode: 0 },
      ]);
      expect(events.at(-1)?.kind).toBe("session.ended");
      expect(JSON.stringify(events)).not.toContain(secret);
      const sealed = events.flatMap((one) => (one.kind === "command.started" ? one.evidence : []));
      expect(sealed.map(({ role }) => role)).toContain("arguments");
      expect((await place.run(["verify"])).code).toBe(0);
    } finally {
      await place.close();
    }
  });

  /** Of the session that runs there, oldest first. */
  const recorders = (place: Place): readonly number[] =>
    execFileSync("pgrep", ["-f", `sallyport-helper.* launch ${place.state}`], { encoding: "utf8" })
      .trim()
      .split("\n")
      .map(Number);

  /** A ready profile with changes of its own. */
  const profileIn = (place: Place, from: string, changes: readonly [RegExp, string][]): string => {
    const file = join(place.folder, "own.yaml");
    const text = changes.reduce((whole, [what, by]) => {
      expect(whole).toMatch(what);
      return whole.replace(what, by);
    }, readyProfile(from) ?? "");
    writeFileSync(file, text);
    return file;
  };

  it("the recorder is killed: the session ends, and the ledger says that the record was lost", async () => {
    const place = new Place();
    try {
      const running = place.start(["run", "--", "bash", "-c", "echo up; sleep 60"]);
      await running.until("stdout", "up");
      process.kill(recorders(place)[0] ?? 0, "SIGKILL");
      expect((await running.finished).code).toBe(137);
      const kinds = (await entriesOf(place)).map(({ kind }) => kind);
      expect(kinds.slice(-2)).toEqual(["recorder.lost", "session.ended"]);
    } finally {
      await place.close();
    }
  });

  it("the recorder is killed, and the profile lets the session go on: it does, and the ledger says so at once", async () => {
    const place = new Place();
    try {
      const profile = profileIn(place, "default", [
        [/sandbox: \{ mode: bubblewrap,/, "sandbox: { unrecorded: true, mode: bubblewrap,"],
      ]);
      const explained = await place.run(["run", "--explain", "-p", profile, "true"]);
      expect(explained.stdout).toContain("GOES ON WITHOUT A RECORD");
      const script =
        "echo up; echo before > before; until [ -e go ]; do sleep 0.05; done; echo after > after; (exec 3<>/dev/tcp/127.0.0.1/3128 && echo reached); (exec 3<>/dev/tcp/10.1.1.1/443) 2>/dev/null || echo refused; exit 7";
      const running = place.start(["run", "-p", profile, "--", "bash", "-c", script]);
      await running.until("stdout", "up");
      const [guard, recorder] = recorders(place);
      expect(readFileSync(`/proc/${recorder}/stat`, "utf8").split(") ")[1]?.split(" ")[1]).toBe(`${guard}`);
      process.kill(recorder ?? 0, "SIGKILL");
      await running.until("stderr", "NOT RECORDED ANY MORE");
      expect((await entriesOf(place)).at(-1)).toMatchObject({
        kind: "recorder.lost",
        detail: expect.stringContaining("the profile lets the session go on"),
      });
      writeFileSync(join(place.workspace, "go"), "");
      const { code, stdout } = await running.finished;
      expect([code, stdout]).toEqual([7, "up\nreached\nrefused\n"]);
      expect(readFileSync(join(place.workspace, "after"), "utf8")).toBe("after\n");
      const events = await entriesOf(place);
      expect(events.filter(({ kind }) => kind === "recorder.lost")).toHaveLength(1);
      expect(events.at(-1)).toMatchObject({ kind: "session.ended", reason: "exited", exitCode: 7 });
      const changed = events.flatMap((one) => (one.kind === "file.changed" ? one.changes : []));
      expect(changed.map(({ path }) => path)).toEqual(["before"]);
    } finally {
      await place.close();
    }
  });

  it("what the profile shows of the machine beside the workspace: each file that is read, once; nothing of the system", async () => {
    const place = new Place();
    try {
      const shown = join(place.folder, "shown");
      mkdirSync(join(shown, "deep"), { recursive: true });
      for (const name of ["a", "deep/b", "unread"]) writeFileSync(join(shown, name), "x");
      const profile = profileIn(place, "default", [[/ {4}- \/opt/, `    - ${shown}`]]);
      const script = `cat ${shown}/a; cd ${shown}; cat a deep/b; ls -R . >/dev/null; cat none; cat /etc/hosts /usr/bin/env README.md >/dev/null; exit 0`;
      const usual = await place.run(["run", "--explain", "true"]);
      expect(usual.stdout).not.toContain("files that are read");
      const explained = await place.run(["run", "--explain", "-p", profile, "true"]);
      expect(explained.stdout).toContain(`files that are read in ${shown}`);
      const ran = await place.run(["run", "-p", profile, "--", "bash", "-c", script]);
      expect([ran.code, ran.stdout]).toEqual([0, "xxx"]);
      const events = await entriesOf(place);
      const first = events
        .flatMap((one) => (one.kind === "command.started" ? one.commands : []))
        .find(({ program }) => program.endsWith("/cat"))?.command;
      expect(events.flatMap((one) => (one.kind === "file.read" ? one.reads : []))).toEqual([
        { command: first, path: `${shown}/a` },
        { command: (first ?? 0) + 1, path: `${shown}/deep/b` },
      ]);
    } finally {
      await place.close();
    }
  });
});
