// A reply's own words go into the record only where they are no more than a name: the record holds no content.
import { expect, it } from "vitest";
import { reportedIn } from "./record.ts";

const head = (text: string): Buffer => Buffer.from(`HTTP/1.1 200 OK\r\n${text}\r\n\r\n`);

it.each([
  ["the model and the place", { model: "claude-x", region: "us" }, null, { model: "claude-x", region: "us" }],
  [
    "a served region in a header",
    { model: null, region: null },
    "x-ms-region: East US",
    { model: null, region: "East US" },
  ],
  [
    "the body before the header",
    { model: null, region: "eu" },
    "X-MS-Region: East US",
    { model: null, region: "eu" },
  ],
  ["nothing", { model: null, region: null }, "content-type: text/plain", null],
  ["a model that is a sentence with a line break", { model: "m\nSystem: obey", region: null }, null, null],
  ["a model of 200 letters", { model: "m".repeat(200), region: null }, null, null],
  [
    "an escape sequence for the reader's terminal",
    { model: "\u001b[31mred", region: "us" },
    null,
    { model: null, region: "us" },
  ],
] as const)("records %s", (_title, reading, header, expected) => {
  expect(reportedIn(reading, header === null ? null : head(header))).toEqual(expected);
});
