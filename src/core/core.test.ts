import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { asFault, asSessionId, canonicalText, FAULTS, Fault, newSessionId, Secret } from "./index.ts";

describe("canonical JSON (RFC 8785)", () => {
  // The RFC's own examples: section 3.2.2 (serialisation) and 3.2.3 (sorting by UTF-16 code units).
  test.each([
    [
      {
        numbers: [333333333.3333333, 1e30, 4.5, 2e-3, 1e-27],
        string: '\u20ac$\u000f\nA\'B"\\\\"/',
        literals: [null, true, false],
      },
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    ],
    [
      {
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew",
        "1": "One",
        "\ud83d\ude00": "Emoji",
        "\u0080": "Control",
        "\u00f6": "o",
      },
      '{"\\r":"Carriage Return","1":"One","\u0080":"Control","ö":"o","€":"Euro Sign","😀":"Emoji","\ufb33":"Hebrew"}',
    ],
  ])("example %#", (value, text) => {
    expect(canonicalText(value)).toBe(text);
  });
  it("is the same for the same value in any key order, and parses back to it", () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        const json = JSON.parse(JSON.stringify(value));
        const text = canonicalText(json);
        expect(JSON.parse(text)).toEqual(json);
        expect(canonicalText(JSON.parse(text))).toBe(text);
      }),
    );
  });
  test.each([[Number.NaN], [Number.POSITIVE_INFINITY], ["\ud800"], [{ a: ["\udc00"] }]])(
    "refuses %s",
    (value) => {
      expect(() => canonicalText(value)).toThrow(Fault);
    },
  );
});

describe("faults", () => {
  it("every fault says what to do, without a full stop", () => {
    for (const [code, kind] of Object.entries(FAULTS)) {
      expect(kind.summary, code).not.toMatch(/\.$|^[A-Z](?![A-Z])/);
      expect(kind.remedy, code).not.toBe("");
      expect(kind.exitCode, code).toBeGreaterThan(0);
    }
  });
  it("a stranger's error becomes a bug report with its cause", () => {
    const cause = new TypeError("x is undefined");
    expect(asFault(cause)).toMatchObject({ code: "internal.bug", cause });
    const own = new Fault("usage.invalid");
    expect(asFault(own)).toBe(own);
  });
});

it("a secret cannot be printed by accident", () => {
  const secret = new Secret("hunter2");
  expect([`${secret}`, JSON.stringify({ secret }), String(secret)].join()).not.toContain("hunter2");
  expect(secret.reveal()).toBe("hunter2");
});

it("session ids are eight hexadecimal digits and nothing else is one", () => {
  expect(asSessionId(newSessionId(randomBytes))).not.toBeNull();
  for (const text of ["", "../../etc", "0123456", "0123456g", "01234567\n"])
    expect(asSessionId(text)).toBeNull();
});
