import { describe, expect, test } from "vitest";
import { base32, concealedIn } from "./concealed.ts";
import { createInspector } from "./inspect.ts";

const hex = (text: string): string => Buffer.from(text).toString("hex");
const inBase32 = (text: string): string =>
  (
    Buffer.from(text)
      .reduce((bits, byte) => bits + byte.toString(2).padStart(8, "0"), "")
      .match(/.{1,5}/g) ?? []
  )
    .map((five) => "abcdefghijklmnopqrstuvwxyz234567".charAt(Number.parseInt(five.padEnd(5, "0"), 2)))
    .join("");
const random = "q7Zk2Lp9Xv4Bn8Tw1Rc6Ys3Hd5Jg0MfA";

describe("a target that carries rather than names", () => {
  test.each([
    ["hexadecimal in a label", `${hex("user=jane;pin=4711")}.t.evil.example /`, "hostname-hex"],
    [
      "hexadecimal over labels",
      `${hex("the first part of ")}.${hex("a long letter")}.evil.example /`,
      "hostname-hex",
    ],
    [
      "hexadecimal, short and over labels",
      `${hex("secret")}.${hex("letter")}.x.evil.example /`,
      "hostname-hex",
    ],
    ["base32", `${inBase32("password is swordfish")}.evil.example /`, "hostname-base32"],
    [
      "base32 in capitals",
      `${inBase32("password is swordfish").toUpperCase()}.evil.example /`,
      "hostname-base32",
    ],
    [
      "base32, also under a known host's name",
      `${inBase32("password is swordfish")}.workers.dev /`,
      "hostname-base32",
    ],
    ["bytes in hexadecimal", "9f1c3b7a55e0d2486b1f7c9a.evil.example /", "hostname-random"],
    ["a random label", "x7kp2mq9vr4sl8nw1by6.evil.example /", "hostname-random"],
    ["a random piece of a label", "a-x7kp2mq9vr4sl8nw1by6.evil.example /", "hostname-random"],
    ["labels of one length", "abcdefgh.ijklmnop.qrstuvwx.yzabcdef.evil.example /", "hostname-chunks"],
    ["too many labels", "a.b.c.d.e.f.g.h.evil.example /", "hostname-long"],
    ["three layers of escapes", "evil.example /x?k=%25252541", "url-escaped-thrice"],
    ["a random segment", `evil.example /api/${random}/status`, "url-random"],
    ["a random value", `evil.example /x?d=${random}`, "url-random"],
    ["a random value, escaped", `evil.example /x?d=${random}%3D%3D`, "url-random"],
  ])("%s", (_, target, detector) => {
    expect(concealedIn(target).map((one) => one.detector)).toContain(detector);
  });

  test.each([
    ["an ordinary host", "api.example.com /v1/users?id=12345&sort=name"],
    ["an address", "93.184.215.14 /"],
    ["a date in the name", "release-20261120.cdn.example.com /"],
    ["words", "customer-success-platform.internal-tools.example.com /"],
    ["words of one length", "static.client.example.com /"],
    ["a content network", "d111111abcdef8.cloudfront.net /"],
    ["a function's host", "abcdefghij1234567890abcdefghij12.lambda-url.us-east-1.on.aws /"],
    ["an endpoint in a cloud", "vpce-0a1b2c3d4e5f67890-abcdefgh.execute-api.us-east-1.vpce.amazonaws.com /"],
    ["a preview", "my-app-git-main-4f9d2c1b7a.vercel.app /"],
    ["an error collector", "o4504123456789012.ingest.us.sentry.io /api/4505/envelope/"],
    ["a commit", "git.example.com /a/b/commit/9cd77707d0f3f6f2f2fa8f7d8e6c6d5a4b3c2d1e"],
    ["a UUID", "api.example.com /r/550e8400-e29b-41d4-a716-446655440000"],
    ["a ULID", "api.example.com /r/01ARZ3NDEKTSV4RRFFQ69G5FAV"],
    ["a KSUID", "api.example.com /r/1srOrx2ZWZBpBUvZwXKQmoEXga2"],
    ["a document", "docs.google.com /document/d/1BxiMVs0XRA5nFMdKvBdBZjgmUUqptlbs74OgvE2upms/edit"],
    ["a video", "www.youtube.com /watch?v=dQw4w9WgXcQ"],
    [
      "a long slug",
      "blog.example.com /2026/11/how-we-moved-14000-services-to-http-3-in-12-weeks-and-what-broke",
    ],
    ["a package", "packages.example.com /lodash/-/lodash-4.17.21-beta.20261120.tgz"],
    ["sign-in", `login.example.com /authorize?state=${random}&nonce=${random}&code_challenge=${random}`],
    ["a signed link", `files.example.com /a.png?X-Amz-Credential=${random}&Signature=${random}`],
    ["a URL in a URL", "example.com /r?to=https%3A%2F%2Fexample.org%2F%3Fq%3Da%2520b"],
    ["a picture", "example.com /u?data=iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"],
  ])("%s is none", (_, target) => {
    expect(concealedIn(target)).toEqual([]);
  });

  test("an address whose checksum holds is somebody's, wherever it goes", () => {
    const found = concealedIn("github.com /x?to=bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4");
    expect(found).toEqual([{ class: "personal", detector: "crypto-address", start: 17, end: 59 }]);
  });
});

test("an address in the argument of a tool is read like the target of a request, at its place in the text", () => {
  const inspector = createInspector({ key: Buffer.alloc(32, 1) });
  const text = `https://evil.example:8443/api/${random}?x=1`;
  const { findings } = inspector.inspect([{ text, isNew: true, role: "assistant" }]);
  const found = findings.find(({ detector }) => detector === "url-random");
  expect(text.slice(found?.start, found?.end)).toBe(random);
});

test("RFC 4648's own base32", () => {
  expect(base32("MZXW6YTBOI").toString()).toBe("foobar");
});
