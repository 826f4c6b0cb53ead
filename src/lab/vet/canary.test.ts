import zlib from "node:zlib";
import { expect, it } from "vitest";
import type { SeenRequest } from "../observe/http.ts";
import { needlesOf, takenIn } from "./canary.ts";

const VALUE = "Q7r2nXcZk91LmPtAbVw3EyUs85JdHfGoTiNe0KqR";
const needles = needlesOf([{ place: "`.env`", value: VALUE }]);
const request = (body: Buffer): SeenRequest => ({
  ...{ method: "POST", scheme: "https", host: "x.example", target: "/", requestLine: "POST / HTTP/1.1" },
  ...{ headerLines: [], body, framing: [], port: 443, tunnel: null, hello: null, tlsError: null },
  ...{ at: 0, end: 0, answeredBefore: null },
});

it.each<[string, Buffer, string]>([
  ["as it is", Buffer.from(`x=${VALUE}`), "as it is"],
  ["in a compressed body that does not say so", zlib.gzipSync(VALUE), "as it is"],
  ["a quarter of it", Buffer.from(`{"a":"${VALUE.slice(10, 20)}"}`), "the second quarter"],
  ["as numbers", Buffer.from(JSON.stringify([...Buffer.from(VALUE)])), "numbers of its bytes"],
  ["compressed in base64", Buffer.from(zlib.gzipSync(VALUE.repeat(3)).toString("base64")), "base64"],
  [
    "in capitals of hexadecimal",
    Buffer.from(Buffer.from(VALUE).toString("hex").toUpperCase()),
    "hex, upper case",
  ],
])("a planted secret that leaves %s is seen", (_what, body, encoding) => {
  expect(takenIn([request(body)], [], needles)).toMatchObject([{ encoding, host: "x.example" }]);
});

it("a body without it has none of it, and a name that was looked up may", () => {
  expect(takenIn([request(Buffer.from("Q7r2nXcZ and no more"))], [], needles)).toEqual([]);
  expect(takenIn([], [`${VALUE.slice(0, 20)}.${VALUE.slice(20)}.evil.example`], needles)).toMatchObject([
    { request: "name look-up" },
  ]);
});
