import { chmodSync, mkdirSync, mkdtempSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, test } from "vitest";
import { Fault } from "../core/index.ts";
import { parseDestinations } from "../register/index.ts";
import { HELP, helpFor } from "./help.ts";
import { labeller } from "./labels.ts";
import { placesOf } from "./places.ts";
import { workspaceOf } from "./prepare.ts";
import { faultText, printable, table } from "./print.ts";
import { privateFolder } from "./station.ts";

it("an operator under several laws is labelled with each of them, until nobody has looked for too long", () => {
  const register = parseDestinations(
    'version: 1\nrows: [{ id: x, host: a.example, channel: llm, operator: o, legal_entity: l, law: [US, CN], endpoint: US, at_rest: US, compute: US, trains: "no", retention: r, terms_public: true, src: [s], as_of: 2026-11-20, confidence: high }]',
    "d.yaml",
  );
  const label = labeller(() => register, { now: () => Date.parse("2026-11-20") });
  expect(label("a.example", 443, "/")).toMatchObject({ operatorLaw: "US", otherLaws: ["CN"] });
  expect(label("b.example", 443, "/")).toMatchObject({ operatorLaw: "unknown", otherLaws: [] });
  const later = labeller(() => register, { now: () => Date.parse("2027-11-20") });
  expect(later("a.example", 443, "/")).toMatchObject({
    destination: "x",
    channel: "llm",
    operatorLaw: "unknown",
    serverIn: "unknown",
    trains: "unknown",
    otherLaws: [],
  });
});

describe("where things lie", () => {
  it("SALLYPORT_HOME moves all state; XDG moves it apart; relative paths are refused", () => {
    expect(placesOf({ SALLYPORT_HOME: "/x" })).toMatchObject({
      ledger: "/x/ledger",
      keys: "/x/keys",
      run: "/x/run",
    });
    expect(placesOf({ XDG_STATE_HOME: "/s", XDG_RUNTIME_DIR: "/r" })).toMatchObject({
      ledger: "/s/sallyport/ledger",
      run: "/r/sallyport",
    });
    expect(() => placesOf({ SALLYPORT_HOME: "x" })).toThrow(Fault);
  });
  it("a socket path longer than the kernel takes becomes a short one, the same each time", () => {
    const long = placesOf({ SALLYPORT_HOME: `/${"d".repeat(200)}` });
    expect(long.stationSocket.length).toBeLessThan(100);
    expect(long).toEqual(placesOf({ SALLYPORT_HOME: `/${"d".repeat(200)}` }));
  });
});

describe("T17 somebody else's folder where our sockets go", () => {
  const base = mkdtempSync(join(tmpdir(), "sp-cli-"));
  it("a folder open to others is closed before it is used", async () => {
    const open = join(base, "open");
    mkdirSync(open, { mode: 0o777 });
    chmodSync(open, 0o777);
    await privateFolder(open);
    expect(statSync(open).mode & 0o777).toBe(0o700);
  });
  it("a link to another folder is refused", async () => {
    symlinkSync("/tmp", join(base, "link"));
    await expect(privateFolder(join(base, "link"))).rejects.toMatchObject({ code: "station.unreachable" });
  });
});

describe("the workspace", () => {
  const base = mkdtempSync(join(tmpdir(), "sp-ws-"));
  const repository = (folder: string): string => {
    mkdirSync(join(folder, ".git"), { recursive: true });
    writeFileSync(join(folder, ".git/HEAD"), "ref: refs/heads/main\n");
    return folder;
  };
  it("is the nearest repository upwards, else the folder itself", () => {
    const repo = repository(join(base, "repo"));
    mkdirSync(join(repo, "a/b"), { recursive: true });
    mkdirSync(join(base, "plain"));
    expect(workspaceOf(join(repo, "a/b"))).toBe(repo);
    expect(workspaceOf(join(base, "plain"))).toBe(join(base, "plain"));
  });
  it("is not a folder that others can write to, though it holds a .git", () => {
    const shared = repository(join(base, "shared"));
    chmodSync(shared, 0o1777);
    mkdirSync(join(shared, "mine"));
    expect(workspaceOf(join(shared, "mine"))).toBe(join(shared, "mine"));
  });
});

describe("T18 hostile text on the terminal", () => {
  test.each([
    ["\u001b]52;c;aGk=\u0007", "\\u001b]52;c;aGk=\\u0007"],
    ["a\u202etxt.exe", "a\\u202etxt.exe"],
    ["a\rb", "a\\u000db"],
    ["héllo 机密", "héllo 机密"],
  ])("%j is shown as text", (hostile, harmless) => {
    expect(printable(hostile)).toBe(harmless);
  });
  it("a fault says what, where, and what to do, with nothing hostile left in it", () => {
    const text = faultText(new Fault("usage.invalid", { detail: "x\u001b[2J", at: "p.yaml:5:7" }), false);
    expect(text.split("\n")).toEqual([
      "sallyport: the command line is not understood: x\\u001b[2J",
      "  at      p.yaml:5:7",
      "  to do   see `sallyport --help`",
      "  code    usage.invalid",
    ]);
  });
});

it("every command in the overview has a help text of its own", () => {
  const commands = [
    "run",
    "install",
    "profiles",
    "doctor",
    "log",
    "show",
    "verify",
    "up",
    "down",
    "status",
    "setup",
    "demo",
    "policy",
    "query",
    "export",
    "ledger",
    "scan",
    "why",
  ];
  for (const command of commands) {
    expect(HELP).toContain(command);
    expect(helpFor(command), command).toContain(`sallyport ${command}`);
  }
});

it("tables line up", () => {
  expect(
    table([
      ["a", "bb", "c"],
      ["aaa", "b", "c"],
    ]),
  ).toBe("a    bb  c\naaa  b   c");
});
