import { deflateSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createInspector } from "./inspect.ts";
import { decodedView } from "./views.ts";

const inspector = createInspector({ key: Buffer.alloc(32, 2) });
const fake = `ghp_${"aB3dE5gH".repeat(5)}`;
const each = (f: (c: string) => string): string => [...fake].map(f).join("");
const hex = (c: string): string => c.charCodeAt(0).toString(16).padStart(2, "0");
const b64 = (s: string): string => Buffer.from(s).toString("base64");
const turned = (c: string): string =>
  String.fromCharCode(((c.charCodeAt(0) - (c < "a" ? 65 : 97) + 13) % 26) + (c < "a" ? 65 : 97));
const inBase32 = (s: string): string =>
  (
    Buffer.from(s)
      .reduce((bits, byte) => bits + byte.toString(2).padStart(8, "0"), "")
      .match(/.{1,5}/g) ?? []
  )
    .map((five) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".charAt(Number.parseInt(five.padEnd(5, "0"), 2)))
    .join("");
const ALIKE: Record<string, string> = { a: "а", B: "В", E: "Е", H: "Н", p: "р" };
const found = (text: string) => inspector.inspect([{ text, isNew: true, role: "user" }]).findings;

/** Disguise, and what of the text the finding must cover. */
const disguises: [string, string][] = [
  ["base64", b64(`key ${fake}`)],
  ["base64url", Buffer.from(`key ${fake}`).toString("base64url")],
  ["base64 three times", b64(b64(b64(`key ${fake}`)))],
  ["gzip in base64", gzipSync(`key ${fake}`).toString("base64")],
  ["zlib in base64", deflateSync(`key ${fake}`).toString("base64")],
  ["UTF-16 in base64", Buffer.from(`key ${fake}`, "utf16le").toString("base64")],
  ["hexadecimal", Buffer.from(fake).toString("hex")],
  ["base32", inBase32(`key ${fake}`)],
  ["rot13", fake.replace(/[a-z]/gi, turned)],
  ["reversed", [...fake].reverse().join("")],
  ["URL escapes", each((c) => `%${hex(c)}`)],
  ["URL escapes twice", each((c) => `%25${hex(c)}`)],
  ["\\u escapes", each((c) => `\\u00${hex(c)}`)],
  ["\\x escapes", each((c) => `\\x${hex(c)}`)],
  ["HTML entities", each((c) => `&#x${hex(c)};`)],
  ["zero-width characters", [...fake].join("\u200b")],
  ["soft hyphens and tags", `${fake.slice(0, 9)}\u00ad${fake.slice(9, 20)}\u{e0061}${fake.slice(20)}`],
  ["look-alikes", each((c) => ALIKE[c] ?? c)],
  ["full-width letters", each((c) => String.fromCharCode(c.charCodeAt(0) + 0xfee0))],
  ["NUL between", [...fake].join("\0")],
  ["added literals", `"${fake.slice(0, 9)}" + "${fake.slice(9, 25)}" + "${fake.slice(25)}"`],
];

describe("a secret stays a secret", () => {
  test.each(disguises)("in %s, and is found where it stands", (_, disguised) => {
    const text = `some text before it: ${disguised} and some behind`;
    const findings = found(text);
    expect(findings.length).toBeGreaterThan(0);
    const [{ start = 0, end = 0 } = {}] = findings;
    // Within the disguise, and all of the secret's own part of it.
    expect(start).toBeGreaterThanOrEqual(text.indexOf(disguised) - 1);
    expect(end).toBeLessThanOrEqual(text.indexOf(disguised) + disguised.length + 2);
    expect(end - start).toBeGreaterThan(disguised.length / 2);
  });
});

describe("what is no text is not read", () => {
  test.each([
    [
      "a picture",
      `data:image/png;base64,${Buffer.from(Array.from({ length: 300 }, (_, i) => (i * 73) % 256)).toString("base64")}`,
    ],
    [
      "a hash",
      `sha512-${Buffer.from(Array.from({ length: 64 }, (_, i) => (i * 151 + 7) % 256)).toString("base64")}`,
    ],
    ["a long name", "AuthenticationHandlerFactoryProviderRegistry"],
    ["Russian", "Это обычный русский текст, в котором нет ничего тайного."],
    ["a path", "packages/Components/src/Buttons/PrimaryButton"],
  ])("%s", (_, text) => expect(found(text)).toEqual([]));

  test("a bomb unfolds to nothing", () => {
    expect(found(`x ${gzipSync(Buffer.alloc(5_000_000, 65)).toString("base64")} y`)).toEqual([]);
  });
});

test("every character of a view has a place in the text, in order within a stretch", () => {
  const bits = fc.constantFrom(
    "%41",
    "\\u0041",
    "&#65;",
    '\\"',
    "\u200b",
    "а",
    b64("hello world, hello"),
    '" + "',
    "x",
    "key",
    " ",
    "\n",
    "é",
    "🔑",
  );
  fc.assert(
    fc.property(fc.array(bits, { maxLength: 40 }), (parts) => {
      const text = parts.join("");
      const view = decodedView(text);
      if (view === null) return;
      expect(view.places.length).toBe(view.text.length + 1);
      for (const place of view.places) expect(place).toBeLessThanOrEqual(text.length);
    }),
  );
});
