// What is compared must keep everything that could carry a bit, and must not trip over what is random.
import { describe, expect, test } from "vitest";
import { BASELINE, patched } from "../chamber/setting.ts";
import type { Connection } from "../chamber/world.ts";
import { effectsBetween, folded, isMarker, Side } from "../vet/compare.ts";
import { echoOf } from "./echo.ts";
import { learnNoise, type ReadRun, readRun } from "./fold.ts";
import { requestsOf } from "./http.ts";
import { itemsOf } from "./leaves.ts";
import { Noise } from "./noise.ts";

const NOON = Date.UTC(2026, 10, 20, 17, 30);

function connection(text: string): Connection {
  const sent = [{ at: 1, bytes: Buffer.from(text) }];
  return {
    port: 80,
    at: 0,
    isDatagram: false,
    tunnel: null,
    hello: null,
    name: null,
    tlsError: null,
    sent,
    answered: [],
  };
}

const post = (body: string, headers = "Host: llm.meadowbrook.com\r\n"): string =>
  `POST /v1/messages HTTP/1.1\r\n${headers}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

function run(body: string, headers?: string): ReadRun {
  const around = {
    setting: { ...BASELINE, base: "http://llm.meadowbrook.com" },
    from: NOON,
    to: NOON,
    literals: [],
  };
  return readRun(requestsOf([connection(post(body, headers))]), [], around, new Set(), []);
}

describe("requests", () => {
  test("several on one connection, chunked and sized, keep header case and order", () => {
    const chunked = "POST /a HTTP/1.1\r\nhOST: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    const [first, second] = requestsOf([connection(chunked + post("{}"))]);
    expect(first).toMatchObject({
      host: "x",
      target: "/a",
      headerLines: ["hOST: x", "Transfer-Encoding: chunked"],
    });
    expect(first?.body.toString()).toBe("abc");
    expect(second).toMatchObject({ method: "POST", target: "/v1/messages" });
  });

  test("what is no HTTP is kept as bytes, and silence is a connection too", () => {
    expect(requestsOf([connection("\0\x01binary")]).map(({ method, body }) => [method, body.length])).toEqual(
      [["BYTES", 8]],
    );
    expect(requestsOf([{ ...connection(""), sent: [] }]).map(({ method }) => method)).toEqual(["SILENT"]);
  });
});

describe("items", () => {
  const items = (body: string): string[] =>
    requestsOf([connection(post(body))])
      .flatMap(itemsOf)
      .flatMap((item) => (item.section === "body" ? [`${item.path} ${item.text}`] : []));

  test.each([
    ["key order", '{"a":1,"b":2}', '{"b":2,"a":1}'],
    ["spacing", '{"a":1}', '{"a": 1}'],
    ["number spelling", '{"a":1}', '{"a":1.0}'],
    ["an escape that was not needed", '{"a":"x/y"}', '{"a":"x\\/y"}'],
    ["a duplicate key", '{"a":1}', '{"a":1,"a":1}'],
    ["a zero width space", '{"a":"xy"}', '{"a":"x\u200by"}'],
    ["JSON inside a string", '{"a":"{\\"b\\":1}"}', '{"a":"{\\"b\\":2}"}'],
    [
      "text inside base64",
      `{"a":"${btoa("a text that is long enough")}"}`,
      `{"a":"${btoa("a text that is long enuff!")}"}`,
    ],
    ["a line end", '{"a":"x\\ny"}', '{"a":"x\\r\\ny"}'],
  ])("%s shows", (_, one, other) => {
    expect(items(one)).not.toEqual(items(other));
  });
});

describe("the environment's own values", () => {
  const replace = (text: string, zone: string): string =>
    echoOf(
      {
        setting: patched(BASELINE, [{ kind: "localtime", value: zone }]),
        from: NOON,
        to: NOON,
        literals: [],
      },
      null,
    ).replace(text);

  test("a date in either zone reads the same, its separators stay", () => {
    const shanghai = replace("Today's date is 2026-11-21.", "Asia/Shanghai");
    expect(shanghai).toBe("Today's date is ‹year›-‹month›-‹day›.");
    expect(replace("Today's date is 2026-11-20.", "America/New_York")).toBe(shanghai);
    expect(replace("Today's date is 2026/11/21.", "Asia/Shanghai")).toBe(
      "Today's date is ‹year›/‹month›/‹day›.",
    );
  });

  test("a date that is not today's stays as it is", () => {
    expect(replace("released 2025-01-31", "Asia/Shanghai")).toBe("released 2025-01-31");
  });

  test("local time, offset and zone are named", () => {
    expect(replace("12:30:05 GMT-5", "America/New_York")).toBe("‹local time›:‹minute›:‹seconds› ‹zone name›");
  });
});

describe("noise", () => {
  const body = (id: string, text: string): string => JSON.stringify({ id, system: text });
  const [one, two, three] = [
    "1f0c2d3e-0000-4000-8000-0123456789ab",
    "2a0c2d3e-1111-4111-9111-ba9876543210",
    "3b0c2d3e-2222-4222-a222-00112233aabb",
  ] as const;

  test("a value that varies between controls decides nothing; a character that differs does", () => {
    const noise = new Noise();
    const controls = [run(body(one, "the user's")), run(body(two, "the user's"))] as const;
    learnNoise(...controls, noise);
    const same = new Side([run(body(three, "the user's"))], noise);
    expect(effectsBetween(new Side(controls, noise), same, noise)).toEqual([]);
    const other = new Side([run(body(three, "the user’s"))], noise);
    expect(effectsBetween(new Side(controls, noise), other, noise)).toMatchObject([
      { kind: "marker", a: "'", b: "’" },
    ]);
  });

  test("a generator of another kind in the same place shows", () => {
    const noise = new Noise();
    const controls = [run(body(one, "x")), run(body(two, "x"))] as const;
    learnNoise(...controls, noise);
    const upper = new Side([run(body(three.toUpperCase(), "x"))], noise);
    expect(effectsBetween(new Side(controls, noise), upper, noise)).toHaveLength(1);
  });
});

test.each([
  ["user's", "user’s"],
  ["user's", "userʼs"],
  ["2026-11-20", "2026/11/20"],
  ["careful", "cаreful"],
  ["a b", "a\u00a0b"],
  ["Header", "HEADER"],
])("%j and %j read alike", (a, b) => {
  expect(isMarker(a, b)).toBe(true);
});

test("other words do not read alike", () => {
  expect(isMarker("grade a", "grade b")).toBe(false);
  expect(folded("ﬁne")).toBe("fine");
});

test("where a body is cut, and what trails it, is kept", () => {
  const chunked =
    "POST /a HTTP/1.1\r\nhost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;x=1\r\nabc\r\n2\r\nde\r\n0\r\nT: u\r\n\r\n";
  const [first, second] = requestsOf([connection(chunked + post("{}"))]);
  expect(first?.framing).toEqual(["chunks 3;x=1 2 0", "trailer T: u"]);
  expect(first?.body.toString()).toBe("abcde");
  expect(second?.framing).toEqual([]);
});
