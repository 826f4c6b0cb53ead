import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { createEventParser, MAX_EVENT_BYTES } from "./sse.ts";

type Told = readonly [name: string, data: string];

function read(...chunks: readonly (string | Uint8Array)[]): readonly Told[] {
  const told: Told[] = [];
  const parser = createEventParser(({ name, data }) => told.push([name, data.toString("utf8")]));
  for (const chunk of chunks) parser.feed(Buffer.from(chunk));
  return told;
}

const BOM = "\ufeff";

describe("the specification's rules", () => {
  // Each row: what the stream says, the stream, the events (html.spec.whatwg.org, 9.2.5 and 9.2.6).
  const rows: readonly (readonly [string, string, readonly Told[]])[] = [
    ["data lines join", "data: YHOO\ndata: +2\ndata: 10\n\n", [["", "YHOO\n+2\n10"]]],
    [
      "comments and ids are no data",
      ": a comment\n\ndata: first\nid: 1\n\ndata:second\nid\n\n",
      [
        ["", "first"],
        ["", "second"],
      ],
    ],
    ["one space is taken off, no more", "data:  two\n\n", [["", " two"]]],
    [
      "a name alone is an empty line of data",
      "data\n\ndata\ndata\n\ndata:",
      [
        ["", ""],
        ["", "\n"],
      ],
    ],
    [
      "with or without a space",
      "data:test\n\ndata: test\n\n",
      [
        ["", "test"],
        ["", "test"],
      ],
    ],
    [
      "a name, and none after it",
      "event: add\ndata: 1\n\ndata: 2\n\n",
      [
        ["add", "1"],
        ["", "2"],
      ],
    ],
    ["an empty name", "event:\ndata: 1\n\n", [["", "1"]]],
    ["a name without data is dropped", "event: add\n\ndata: 1\n\n", [["", "1"]]],
    ["colons in the value stay", "data: a:b: c\n\n", [["", "a:b: c"]]],
    ["unknown fields are left out", "foo: bar\ndata: 1\nbaz\n\n", [["", "1"]]],
    ["names are exact", "Data: no\n data: no\ndata : no\ndata: yes\n\n", [["", "yes"]]],
    ["what the end cuts off is not told", "data: 1\n\ndata: 2\n", [["", "1"]]],
    ["a byte order mark at the start", `${BOM}data: 1\n\n`, [["", "1"]]],
    ["only one", `${BOM}${BOM}data: 1\n\ndata: 2\n\n`, [["", "2"]]],
    ["none later", `data: 1\n\n${BOM}data: 2\n\n`, [["", "1"]]],
    ["a mark in the data stays", `data: ${BOM}1\n\n`, [["", `${BOM}1`]]],
    ["empty lines in a row", "\n\n\ndata: 1\n\n\n\n", [["", "1"]]],
    [
      "CR, LF and CRLF in one stream",
      "data: a\rdata: b\r\ndata: c\n\r\ndata: d\r\r",
      [
        ["", "a\nb\nc"],
        ["", "d"],
      ],
    ],
    ["text beyond ASCII", "data: 我現在\u2028都看🎉\n\n", [["", "我現在\u2028都看🎉"]]],
    ["a null in the data", "data: a\0b\n\n", [["", "a\0b"]]],
    // What the suites of eventsource-parser and undici ask about (both MIT; the streams are our own).
    [
      "times to wait, good and bad, are no data",
      "retry:1000\nretry:2000x\nretry:\nretry\ndata:x\n\n",
      [["", "x"]],
    ],
    ["a null in an id", "id: a\0b\ndata: x\n\n", [["", "x"]]],
    ["an id and no data", "id: 7\n\ndata: x\n\n", [["", "x"]]],
    ["a time and no data", "retry: 50\n\ndata: x\n\n", [["", "x"]]],
    ["a comment between the lines of one event", "data: one\n:left out\r\ndata: two\n\n", [["", "one\ntwo"]]],
    [
      "comments of every kind",
      `data:1\r\r:\0\n:\r\ndata:2\n\n:${"x".repeat(100)}\rdata:3\n\n:data:no\r:${"y".repeat(100)}\ndata:4\n\ndata:5`,
      [
        ["", "1"],
        ["", "2"],
        ["", "3"],
        ["", "4"],
      ],
    ],
    ["a colon alone, many times", ":\n::\n:::\n\n: :\n\ndata::\n\n", [["", ":"]]],
    ["a name alone between lines of data", "data: one\ndata\r\ndata: two\n\n", [["", "one\n\ntwo"]]],
    [
      "what looks like data and is none",
      "data:abc\n data\ndata\nother:xxx\njusttext\n:c\ndata:123\n\n",
      [["", "abc\n\n123"]],
    ],
    [
      "CRLF twice is one end",
      "data: one\r\n\r\ndata: two\r\n\r\n",
      [
        ["", "one"],
        ["", "two"],
      ],
    ],
    [
      "CR, CR and LF are one end",
      "data: one\r\r\ndata: two\r\r\n",
      [
        ["", "one"],
        ["", "two"],
      ],
    ],
    [
      "LF and CR are two line ends",
      "data: one\n\rdata: two\n\r",
      [
        ["", "one"],
        ["", "two"],
      ],
    ],
    [
      "the same event twice",
      "event: e\ndata: x\n\nevent: e\ndata: x\n\n",
      [
        ["e", "x"],
        ["e", "x"],
      ],
    ],
    ["the last of two names", "event: a\nevent: b\ndata: x\n\n", [["b", "x"]]],
    ["a name that is spaces", "event:  \ndata:x\n\n", [[" ", "x"]]],
    ["a tab is not taken off", "data:\tx\n\n", [["", "\tx"]]],
    ["fields named like data", "dat: a\ndataa: b\ndata\0: c\ndata: d\n\n", [["", "d"]]],
    ["half a mark is no mark", "\u00efdata: no\ndata: x\n\n", [["", "x"]]],
    ["only line ends", "\n\r\r\n\n", []],
    ["nothing", "", []],
    ["only a mark", BOM, []],
    [
      "other line ends of Unicode end nothing",
      "data: a\u0085b\u2029c\u000bd\n\n",
      [["", "a\u0085b\u2029c\u000bd"]],
    ],
  ];
  test.each(rows)("%s, in one piece, in any two, byte by byte", (_, stream, events) => {
    const bytes = Buffer.from(stream);
    expect(read(bytes)).toEqual(events);
    for (let at = 0; at <= bytes.length; at++)
      expect(read(bytes.subarray(0, at), bytes.subarray(at))).toEqual(events);
    expect(read(...[...bytes].map((byte) => Buffer.of(byte)))).toEqual(events);
  });

  test.each<[string, Buffer]>([
    ["a lone continuation", Buffer.of(0x80)],
    ["an overlong form", Buffer.of(0xc0, 0xaf)],
    ["a character cut short", Buffer.of(0xf0, 0x9f, 0x8e)],
    ["Latin-1", Buffer.of(0x63, 0x61, 0x66, 0xe9)],
    ["UTF-16's mark", Buffer.of(0xff, 0xfe)],
  ])("bytes that are no UTF-8 reach the reader as they are, and end with their line: %s", (_, odd) => {
    const stream = Buffer.concat([
      Buffer.from("event: "),
      odd,
      Buffer.from("\n:"),
      odd,
      Buffer.from("\ndata: <"),
      odd,
      Buffer.from(">\n\ndata: after\n\n"),
    ]);
    const whole = Buffer.concat([Buffer.from("<"), odd, Buffer.from(">")]);
    for (let at = 0; at <= stream.length; at++) {
      const told: Buffer[] = [];
      const parser = createEventParser(({ data }) => told.push(Buffer.from(data)));
      parser.feed(stream.subarray(0, at));
      parser.feed(stream.subarray(at));
      expect(told).toEqual([whole, Buffer.from("after")]);
    }
  });
});

describe("any split of any stream gives the same events", () => {
  const piece = fc.constantFrom(
    "data",
    ":",
    " ",
    "x",
    "é",
    "\n",
    "\r",
    "\r\n",
    "event",
    BOM,
    "data: {}\n\n",
    "event: a\n",
  );
  it("as the whole of it", () => {
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 40 }),
        fc.array(fc.nat(300), { maxLength: 12 }),
        (pieces, cuts) => {
          const bytes = Buffer.from(pieces.join(""));
          const at = [
            0,
            ...cuts.map((cut) => (bytes.length === 0 ? 0 : cut % bytes.length)),
            bytes.length,
          ].sort((a, b) => a - b);
          const chunks = at.slice(1).map((end, i) => bytes.subarray(at[i], end));
          expect(read(...chunks)).toEqual(read(bytes));
        },
      ),
      { numRuns: 1000 },
    );
  });

  it("as a reading line by line, after the specification's grammar", () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        const stream = pieces.join("");
        expect(read(stream)).toEqual(byTheBook(stream));
      }),
      { numRuns: 1000 },
    );
  });
});

/** Slow and plain: the specification's algorithm on a whole text. */
function byTheBook(stream: string): readonly Told[] {
  const lines = stream.replace(/^\ufeff/, "").split(/\r\n|\r|\n/);
  lines.pop(); // what follows the last line end is no line
  const told: Told[] = [];
  let [name, data]: [string, string[]] = ["", []];
  for (const line of lines) {
    if (line === "") {
      if (data.length > 0) told.push([name, data.join("\n")]);
      [name, data] = ["", []];
      continue;
    }
    const [, field = "", value = ""] = /^([^:]*)(?::[ ]?([\s\S]*))?$/.exec(line) ?? [];
    if (field === "data") data.push(value);
    if (field === "event") name = value;
  }
  return told;
}

it("a line without end costs bounded memory, and the stream goes on after it", () => {
  const told: string[] = [];
  const parser = createEventParser(({ data }) => told.push(data.toString()));
  const chunk = Buffer.alloc(1024 * 1024, 0x61);
  parser.feed(Buffer.from("data: "));
  for (let i = 0; i <= MAX_EVENT_BYTES / chunk.length; i++) parser.feed(chunk);
  parser.feed(Buffer.from("\n\ndata: after\n\n"));
  expect(told).toEqual(["after"]);
  expect(parser.hasOddities()).toBe(true);
});
