import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isLuhn, mod97 } from "./checksum.ts";
import { createInspector } from "./inspect.ts";
import { asBuffer, decodeString, walkStrings } from "./json-strings.ts";
import { placeholder } from "./placeholder.ts";
import { createVault } from "./vault.ts";

const key = Buffer.alloc(32, 9);
const fakeToken = `ghp_${"aB3dE5gH".repeat(5)}`;
const fakePassword = "tr0ub4dor-and-3-horses";

/** A vault that learned what the inspector found in these texts. */
function learned(texts: readonly string[]) {
  const vault = createVault({ key });
  const parts = texts.map((text) => ({ text, isNew: true, role: "user" }));
  vault.learn(parts, createInspector({ key }).inspect(parts), ["secret", "personal"]);
  return vault;
}
const joined = (chunks: readonly Uint8Array[]): string => Buffer.concat(chunks).toString("utf8");

describe("redaction", () => {
  test("a token becomes one of its own shape, the same one every time, and tells nothing without the key", () => {
    const vault = learned([`use ${fakeToken}`]);
    const body = Buffer.from(JSON.stringify({ a: `x ${fakeToken} y`, b: [fakeToken] }));
    const { a, b } = JSON.parse(joined(vault.redact(body, "json").chunks)) as { a: string; b: string[] };
    expect(a).toMatch(/^x ghp_[A-Za-z0-9]{40} y$/);
    expect(a).toBe(`x ${b[0]} y`);
    expect(a).not.toContain(fakeToken.slice(6, 12));
    expect(learned([fakeToken]).restore(b[0] ?? "", false)).toBe(fakeToken);
    const other = createVault({ key: Buffer.alloc(32, 1) });
    expect(other.restore(b[0] ?? "", false)).toBe(b[0]);
  });

  test("every byte outside of a redacted value is the very byte that came", () => {
    const vault = learned([`k = ${fakeToken}`]);
    const body = new Uint8Array(
      Buffer.from(`{ "a" :1.50e+3,"b":"\\u0041\\/ ${fakeToken}\\n", "c":[ "é", null ],"d":"z"}  `),
    );
    const { chunks, replaced } = vault.redact(body, "json");
    expect(replaced).toBe(1);
    const out = joined(chunks);
    const at = asBuffer(body).indexOf(fakeToken);
    expect(out.slice(0, at)).toBe(asBuffer(body).toString("latin1", 0, at));
    expect(out.endsWith('\\n", "c":[ "é", null ],"d":"z"}  ')).toBe(true);
    // Untouched stretches are slices of the same memory.
    expect(chunks.filter((chunk) => chunk.buffer === body.buffer).length).toBe(2);
  });

  test("a value is found behind any JSON escape of its characters", () => {
    const vault = learned([`password = "${fakePassword}"`]);
    const escaped = [...fakePassword]
      .map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`)
      .join("");
    const { chunks, replaced } = vault.redact(Buffer.from(`{"t":"x ${escaped} y"}`), "json");
    expect(replaced).toBe(1);
    expect(joined(chunks)).not.toContain(escaped);
  });

  describe("a private key in lines", () => {
    const lines = Array.from({ length: 6 }, (_, n) =>
      Buffer.from(Array.from({ length: n === 5 ? 11 : 48 }, (_, k) => (k * 37 + n * 91 + 13) % 256)).toString(
        "base64",
      ),
    );
    const pem = [
      ["-----BEGIN PRIVATE", "KEY-----"].join(" "),
      ...lines,
      ["-----END PRIVATE", "KEY-----"].join(" "),
    ];
    test.each<[string, (line: string, n: number) => string]>([
      ["as it is", (line) => line],
      ["with a tool's line numbers", (line, n) => `${String(n + 1).padStart(6)}→${line}`],
      ["numbered by cat -n", (line, n) => `     ${n + 1}\t${line}`],
      ["in a diff", (line) => `+${line}`],
    ])("%s: its lines are replaced each, the same however they are shown", (_, dress) => {
      const inspector = createInspector({ key });
      const vault = createVault({ key });
      const text = pem.map(dress).join("\n");
      const part = { text, isNew: true, role: "tool", files: ["k.pem"] };
      vault.learn([part], inspector.inspect([part]), ["secret"]);
      const redacted = (said: string): string =>
        (
          JSON.parse(joined(vault.redact(Buffer.from(JSON.stringify({ said })), "json").chunks)) as {
            said: string;
          }
        ).said;
      const seen = redacted(text);
      for (const line of lines) expect(seen).not.toContain(line);
      // What the model writes back, without the numbers, is the key.
      const plain = redacted(pem.join("\n"));
      expect(pem.map(dress).length).toBe(seen.split("\n").length);
      expect(plain.split("\n").map(dress).join("\n")).toBe(seen);
      expect(vault.restore(plain, false)).toBe(pem.join("\n"));
      // And what stands there instead is no finding.
      const again = { text: seen, isNew: true, role: "tool" };
      expect(vault.learn([again], inspector.inspect([again]), ["secret"]).findings).toEqual([]);
    });
  });

  test("a weak value is replaced behind its name only, not wherever the word stands", () => {
    const vault = createVault({ key });
    const text = "db_password: hunter2\nthe hunter2 comic";
    const finding = {
      class: "secret",
      detector: "x",
      part: 0,
      start: 13,
      end: 20,
      hash: "",
      verified: false,
    };
    vault.learn([{ text, isNew: true, role: "user" }], { findings: [finding], tally: [] }, ["secret"]);
    const out = JSON.parse(joined(vault.redact(Buffer.from(JSON.stringify({ text })), "json").chunks)) as {
      text: string;
    };
    expect(out.text).toMatch(/^db_password: redacted_[a-z0-9]{20}\nthe hunter2 comic$/);
  });

  test("keys, signatures, thinking and the first system block are not edited, but reported", () => {
    const vault = learned([fakeToken]);
    const body = {
      [fakeToken]: 1,
      system: [{ text: fakeToken }, { text: fakeToken }],
      messages: [{ content: [{ type: "thinking", thinking: fakeToken, signature: fakeToken }] }],
    };
    const bytes = Buffer.from(JSON.stringify(body));
    const { chunks, replaced, left } = vault.redact(bytes, "json");
    expect({ replaced, left }).toEqual({ replaced: 1, left: 4 });
    expect(joined(chunks).split(fakeToken).length - 1).toBe(4);
  });

  test("a placeholder that the agent sends back is no finding and gets no placeholder of its own", () => {
    const inspector = createInspector({ key });
    const vault = learned([fakeToken]);
    const sent = vault.redact(Buffer.from(JSON.stringify([fakeToken])), "json");
    const [word = ""] = JSON.parse(joined(sent.chunks)) as string[];
    const parts = [{ text: `curl -H 'Authorization: Bearer ${word}'`, isNew: true, role: "assistant" }];
    expect(vault.learn(parts, inspector.inspect(parts), ["secret"]).findings).toEqual([]);
    expect(vault.size).toBe(1);
  });

  test("the shared prefix of the next turn has the same bytes", () => {
    const vault = learned([fakeToken]);
    const first = Buffer.from(`{"messages":["${fakeToken}","a"`);
    const turn = (rest: string) =>
      joined(vault.redact(Buffer.concat([first, Buffer.from(rest)]), "json").chunks);
    const [one, two] = [turn("]}"), turn(`,"new ${fakeToken}"]}`)];
    expect(two.slice(0, one.length - 2)).toBe(one.slice(0, -2));
  });

  test("a plain body is edited as text", () => {
    const vault = learned([fakeToken]);
    const { chunks } = vault.redact(Buffer.from(`é=${fakeToken}&b`), "text");
    expect(joined(chunks)).toMatch(/^é=ghp_[A-Za-z0-9]{40}&b$/);
  });

  test("a JSON body that is none is refused, not sent", () => {
    const vault = learned([fakeToken]);
    for (const bad of [`{"a":"${fakeToken}`, `{"a":"${fakeToken}"]`, `["${fakeToken}"`])
      expect(() => vault.redact(Buffer.from(bad), "json")).toThrow(
        /cannot be edited|can be edited|not a document/,
      );
  });

  test("a closed vault knows nothing", () => {
    const vault = learned([fakeToken]);
    vault.close();
    expect(vault.size).toBe(0);
    expect(joined(vault.redact(Buffer.from(`["${fakeToken}"]`), "json").chunks)).toBe(`["${fakeToken}"]`);
  });
});

describe("placeholders", () => {
  const of = (detector: string, value: string, keep = 0) => placeholder(key, detector, value, keep, 0);
  test("keep the shape that code checks, in ranges that nobody owns", () => {
    const card = of("payment-card", "4111 1111 1111 1111");
    expect(card).toMatch(/^9999 \d{4} \d{4} \d{4}$/);
    expect(isLuhn(card.replaceAll(" ", ""))).toBe(true);
    const iban = of("iban", "DE89370400440532013000");
    expect(iban).toMatch(/^XX\d{20}$/);
    expect(mod97(iban.slice(4) + iban.slice(0, 4))).toBe(1);
    expect(of("email", "jane@corp.de")).toMatch(/^user_[a-z0-9]{12}@redacted\.invalid$/);
    expect(of("us-ssn", "536-90-4399")).toMatch(/^9\d\d-\d\d-\d{4}$/);
    expect(of("x", "0123456789abcdef0123")).toMatch(/^[0-9a-f]{20}$/);
  });
  test("of a short or spaced value have a length of their own", () => {
    expect(of("x", "hunter2").length).toBe(of("x", "pa$$ word").length);
  });
  test("never hold a run of the value's secret characters", () => {
    const any = fc
      .stringMatching(/^[A-Za-z0-9/+=_.-]{16,80}$/)
      .filter((v) => new Set(v.replace(/[-_.]/g, "")).size > 8);
    fc.assert(
      fc.property(any, (value) => {
        const made = of("x", value);
        for (let i = 0; i + 8 <= value.length; i++)
          if (/^[^-_.]{8}$/.test(value.slice(i, i + 8))) expect(made).not.toContain(value.slice(i, i + 8));
      }),
    );
  });
});

test("walking a document meets every string of it, with its pointer", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), fc.constantFrom(0, 1, 2), (value, indent) => {
      const bytes = Buffer.from(JSON.stringify(value, null, indent));
      walkStrings(bytes, ({ start, end, pointer, isKey }) => {
        const text = decodeString(asBuffer(bytes), start, end);
        const path = pointer
          .split("/")
          .slice(1)
          .map((s) => s.replaceAll("~1", "/").replaceAll("~0", "~"));
        let at: unknown = value;
        for (const step of path.slice(0, isKey ? -1 : undefined)) at = (at as Record<string, unknown>)[step];
        if (isKey) expect(path.at(-1)).toBe(text);
        else expect(at).toBe(text);
      });
    }),
  );
});

test("an edit lands on the right bytes whatever stands round it", () => {
  const around = fc.string({ unit: "binary", maxLength: 30 }).filter((s) => s.isWellFormed());
  fc.assert(
    fc.property(around, around, fc.boolean(), (before, after, escaped) => {
      const vault = learned([fakeToken]);
      const text = `${before} ${fakeToken} ${after}`;
      const source = escaped
        ? `"${[...text].map((c) => (c.length === 1 && /[\w-]/.test(c) ? c : [...Array(c.length).keys()].map((k) => `\\u${c.charCodeAt(k).toString(16).padStart(4, "0")}`).join(""))).join("")}"`
        : JSON.stringify(text);
      const out = JSON.parse(joined(vault.redact(Buffer.from(`[${source}]`), "json").chunks)) as string[];
      expect(out[0]?.startsWith(`${before} ghp_`)).toBe(true);
      expect(out[0]?.endsWith(` ${after}`)).toBe(true);
      expect(out[0]).not.toContain(fakeToken);
    }),
  );
});
