// The person's terminal: what a program prints reaches it, but for what would turn it against them; job control works.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readMachineFacts } from "../../src/sandbox/index.ts";
import { Place, SALLYPORT } from "../harness.ts";

const helper = readMachineFacts().helper.path ?? "";

function filtered(bytes: Buffer, piece = 65_536): Buffer {
  const { status, stdout, stderr } = spawnSync(helper, ["filter", String(piece)], { input: bytes });
  expect(status, String(stderr)).toBe(0);
  return stdout;
}
const pass = (text: string): string => filtered(Buffer.from(text, "latin1")).toString("latin1");
const utf8 = (text: string): string => Buffer.from(text, "utf8").toString("latin1");

describe("what a terminal may be sent", () => {
  it.each<[string, string]>([
    ["OSC 52", "\x1b]52;c;eA==\x07"],
    ["OSC 52, ended by ST", "\x1b]52;c;eA==\x1b\\"],
    ["OSC 52 with leading zeros", "\x1b]052;c;eA==\x07"],
    ["OSC 52 by C1 in UTF-8", utf8("\u009d52;c;eA==\u009c")],
    ["OSC 52 by C1 as bytes", "\x9d52;c;eA==\x9c"],
    ["a query of the clipboard", "\x1b]52;c;?\x07"],
    ["kitty's clipboard", "\x1b]5522;type=write\x1b\\"],
    ["iTerm2's copy", "\x1b]1337;Copy=:eA==\x07"],
    ["iTerm2's file download", "\x1b]1337;File=name=eA==:eA==\x07"],
    ["ConEmu's programs", '\x1b]9;7;"cmd"\x07'],
    ["tmux passthrough", "\x1bPtmux;\x1b\x1b]52;c;eA==\x07\x1b\\"],
    ["screen passthrough", "\x1bP\x1b]52;c;eA==\x07\x1b\\"],
    ["tmux control mode", "\x1bP1000p%begin\x1b\\"],
    ["user-defined keys", "\x1bP0;1|17/726d\x1b\\"],
    ["a request that is answered with its own words", "\x1bP$qx\x1b\\"],
    ["kitty's graphics by path", "\x1b_Gf=24,t=f;L2V0Yw==\x1b\\"],
    ["PM and SOS", "\x1b^x\x1b\\\x1bXy\x1b\\"],
    ["the title read back", "\x1b[21t\x1b[20t\x1b[0021t\x1b[1;21t"],
    ["printing", "\x1b[5i\x1b[?5i\x1b[4i"],
    ["answerback", "\x05"],
    ["a checksum of the screen", "\x1b[1;1;1;1;9;9*y"],
    ["leaving UTF-8", "\x1b%@"],
    ["a deleted character within", "\x1b[2\x7f1t"],
    ["a string that is broken off by another", "\x1b]52;c;\x1b]52;c;eA==\x07"],
    ["a sequence without end", `\x1b[${"1;".repeat(900)}21t`],
  ])("T: %s does not reach it", (_name, sequence) => {
    const out = pass(`before${sequence}after`);
    expect(out.replaceAll("\x1b\\", "")).toBe("beforeafter");
  });

  it.each<[string, string]>([
    ["text in every script", utf8("plain, “quoted”, žluťoučký, 日本語, 🙂, \u00a0, \u0600")],
    [
      "colours and cursors",
      "\x1b[38;2;1;2;3m\x1b[4:3m\x1b[?25l\x1b[10;20H\x1b[2J\x1b[6n\x1b[c\x1b[>q\x1b[?u\x1b[>1u",
    ],
    [
      "mouse, paste, screens, frames",
      "\x1b[?1049h\x1b[?1000;1006h\x1b[?2004h\x1b[?2026h\x1b[?2026l\x1bP=1s\x1b\\\x1bP=2s\x1b\\",
    ],
    [
      "titles, links, notices, progress",
      "\x1b]0;t\x07\x1b]8;id=1;http://x/\x1b\\L\x1b]8;;\x1b\\\x1b]9;hello\x07\x1b]9;4;1;50\x07\x1b]777;notify;a;b\x07",
    ],
    ["colours asked for and set", "\x1b]11;?\x1b\\\x1b]4;1;rgb:00/00/00\x07\x1b]104\x07\x1b]112\x1b\\"],
    [
      "marks of prompts and directories",
      "\x1b]133;A\x07\x1b]7;file:///x\x07\x1b]633;P;x=y\x07\x1b]1337;CurrentDir=/x\x07",
    ],
    ["pictures", '\x1bPq#0;2;0;0;0#0~~\x1b\\\x1bP0;1;0q"1;1~\x1b\\'],
    ["character sets and resets", "\x1b(B\x1b)0\x1b7\x1b8\x1bc\x1b=\x1b>\x1b#8\x1b%G\x0e\x0f"],
    ["window sizes", "\x1b[14t\x1b[18t\x1b[22;0t\x1b[23;0t\x1b[8;24;80t"],
    ["broken UTF-8", "\xff\xfe\xc3(\xe2\x82 \xf0\x9f\x98"],
  ])("%s: passes byte for byte", (_name, text) => {
    expect(pass(`${text}.`)).toBe(`${text}.`);
  });

  const PIECE = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.constantFrom(
        "\x1b",
        "]",
        "[",
        "P",
        "_",
        "\\",
        ";",
        "\x07",
        "52",
        "0",
        "9",
        "21",
        "t",
        "1337",
        "\xc2",
        "\x9d",
        "\x9c",
        "\x9b",
        "q",
        "\x18",
        "\x7f",
        "%",
        "@",
        "\xe2\x80\x9d",
      ),
    },
    { weight: 1, arbitrary: fc.string({ unit: "binary-ascii", maxLength: 4 }) },
    {
      weight: 1,
      arbitrary: fc.uint8Array({ maxLength: 3 }).map((bytes) => Buffer.from(bytes).toString("latin1")),
    },
  );
  const STREAM = fc.array(PIECE, { maxLength: 60 }).map((parts) => parts.join(""));

  it("the pieces in which it comes make no difference, and what has passed passes again unchanged", () => {
    fc.assert(
      fc.property(STREAM, fc.integer({ min: 1, max: 7 }), (text, piece) => {
        // What is begun at the end would be waited for.
        const bytes = Buffer.from(`${text}\x18.`, "latin1");
        const whole = filtered(bytes);
        expect(filtered(bytes, piece)).toEqual(whole);
        expect(filtered(whole)).toEqual(whole);
      }),
      { numRuns: 150, interruptAfterTimeLimit: 20_000 },
    );
  });

  // A reader of another make: seven-bit and UTF-8 introducers, what follows them up to their end.
  const CLIPBOARD = /(?:\x1b\]|\xc2\x9d)0*(?:52|5522);/;
  it("T: whatever is printed, no clipboard sequence is in what passes", () => {
    fc.assert(
      fc.property(STREAM, (text) => {
        expect(filtered(Buffer.from(text, "latin1")).toString("latin1")).not.toMatch(CLIPBOARD);
      }),
      { numRuns: 150, interruptAfterTimeLimit: 20_000 },
    );
  });
});

const hasScript = existsSync("/usr/bin/script");
if (!hasScript) process.stderr.write("\n!!! NOT CHECKED: job control, as /usr/bin/script is missing\n");

describe.skipIf(!hasScript)("a program on a terminal", { timeout: 150_000 }, () => {
  let place: Place;
  beforeEach(() => {
    place = new Place();
  });
  afterEach(() => place.close());

  /** A person's interactive shell on a terminal. */
  function shell() {
    const child = spawn("/usr/bin/script", ["-qec", "bash --norc --noprofile -i", "/dev/null"], {
      cwd: place.workspace,
      env: {
        PATH: process.env["PATH"],
        HOME: place.folder,
        SALLYPORT_HOME: place.state,
        PS1: "PROMPT> ",
        TERM: "dumb",
        HISTFILE: "/dev/null",
      },
      stdio: ["pipe", "pipe", "inherit"],
    });
    let text = "";
    let look = (): void => {};
    child.stdout.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
      look();
    });
    return {
      type: (keys: string): boolean => child.stdin.write(keys),
      /** Resolves to what was printed up to the end of the match; what follows is for the next. */
      until: (wanted: RegExp): Promise<string> =>
        new Promise((resolve, reject) => {
          const late = setTimeout(() => reject(new Error(`no ${wanted} in ${JSON.stringify(text)}`)), 60_000);
          look = (): void => {
            const found = wanted.exec(text);
            if (found === null) return;
            const seen = text.slice(0, found.index + found[0].length);
            text = text.slice(seen.length);
            look = () => {};
            clearTimeout(late);
            resolve(seen);
          };
          look();
        }),
      close: (): boolean => child.kill("SIGKILL"),
    };
  }

  it("Ctrl-Z, fg, resize, Ctrl-D and Ctrl-C do what they do without a wall, and the clipboard is out of reach", async () => {
    const person = shell();
    await person.until(/PROMPT> /);
    person.type("tty\n");
    const tty = /\/dev\/pts\/\d+/.exec(await person.until(/\/dev\/pts\/\d+[\s\S]*PROMPT> /))?.[0] ?? "";
    const size = (rows: number, columns: number): void =>
      void execFileSync("stty", ["-F", tty, "rows", String(rows), "cols", String(columns)]);
    size(40, 100);
    person.type(
      `${SALLYPORT} run -q -- bash -c 'trap "stty size" WINCH; printf "\\033]52;c;eA==\\007<\\033[1mu""p>\\n"; stty size; while read -r l; do echo got:$l; done; echo e""of'\n`,
    );
    const printed = await person.until(/up>[\s\S]*40 100/);
    expect(printed).toContain("<\x1b[1mup>");
    expect(printed.slice(printed.indexOf("\n"))).not.toContain("]52;");
    person.type("one\n");
    await person.until(/got:one/);
    person.type("\x1a");
    await person.until(/Stopped[\s\S]*PROMPT> /);
    person.type("stty -a | grep -o ' icanon'\n");
    await person.until(/\n icanon[\s\S]*PROMPT> /);
    person.type("fg\n");
    await person.until(/sallyport run/);
    person.type("two\n");
    await person.until(/got:two/);
    size(50, 120);
    person.type("three\n");
    await person.until(/50 120/);
    person.type("\x04");
    await person.until(/\neof[\s\S]*PROMPT> /);
    // A trap: a shell that is about to start a program keeps Ctrl-C to itself until that has ended, wall or no wall.
    person.type(
      `${SALLYPORT} run -q -- bash -c 'trap "exit 130" INT; echo re""ady; while :; do sleep 0.1; done'; echo code=$?\n`,
    );
    await person.until(/\nready/);
    person.type("\x03");
    await person.until(/code=130[\s\S]*PROMPT> /);
    const log = await place.run(["log", "--events", "--json"]);
    expect(log.stdout).toContain('"withheld":1');
    person.close();
  });

  it("a program that stops itself gives the person their shell, and goes on with fg", async () => {
    const person = shell();
    await person.until(/PROMPT> /);
    person.type(
      `${SALLYPORT} run -q -- bash -c 'stty raw -echo; echo re""ady; dd bs=1 count=1 of=/dev/null 2>/dev/null; stty sane; kill -STOP $$; echo ba""ck'\n`,
    );
    await person.until(/ready/);
    person.type("\x1a");
    await person.until(/Stopped[\s\S]*PROMPT> /);
    person.type("fg\n");
    await person.until(/back[\s\S]*PROMPT> /);
    person.close();
  });

  it("T: the program's terminal is not the person's: nothing inside is open on theirs, and typing into its own is refused", async () => {
    const person = shell();
    await person.until(/PROMPT> /);
    person.type("echo mine=$(readlink /proc/$$/fd/0)\n");
    const mine =
      /mine=(\/dev\/pts\/\d+)/.exec(await person.until(/mine=\/dev\/pts\/\d+[\s\S]*PROMPT> /))?.[1] ?? "none";
    person.type(
      `${SALLYPORT} run -q -- perl -e '$c = "x"; print "fd $_ ", readlink("/proc/self/fd/$_"), "\\n" for 0..2; print ioctl(STDIN, 0x5412, $c) ? "typed" : "refu"."sed", "\\n"; open(T, "+<", "/dev/tty") or die; print "done."x2, "\\n"'\n`,
    );
    const printed = await person.until(/done\.done\.[\s\S]*PROMPT> /);
    expect(printed).toContain("refused");
    expect(printed.match(/fd \d \S+/g)).toHaveLength(3);
    expect(printed.slice(printed.indexOf("fd 0"))).not.toContain(`${mine}\r`);
    person.close();
  });
});
