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
  ];
  test.each(rows)("%s", (_, stream, events) => {
    expect(read(stream)).toEqual(events);
    expect(
      read(
        ...Buffer.from(stream)
          .toString("latin1")
          .split("")
          .map((c) => Buffer.from(c, "latin1")),
      ),
    ).toEqual(events);
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
