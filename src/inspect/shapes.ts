/**
 * What is found by shape and not by a format: the rows for `why` and for reports. The examples are targets as
 * {@link concealedIn} reads them (host, one blank, path), or a field's value; shapes.test.ts holds them to it.
 */
import type { Detector } from "./detector.ts";

export type Shape = Pick<Detector, "id" | "class" | "title" | "source" | "examples" | "counterexamples">;

const TUNNEL = "https://attack.mitre.org/techniques/T1071/004/ (data in names that are looked up)";
const IN_URL = "https://attack.mitre.org/techniques/T1567/ (data in addresses that are fetched)";

const hostname = (end: string, title: string, example: string, counterexample: string): Shape => ({
  id: `hostname-${end}`,
  class: "concealed",
  title,
  source: TUNNEL,
  examples: [`${example}.evil.example /`],
  counterexamples: [`${counterexample}.fine.example /`],
});

export const SHAPES: { readonly written: string; readonly licence: string; readonly rows: readonly Shape[] } =
  {
    written: "2026-11-20",
    licence: "Apache-2.0",
    rows: [
      hostname(
        "key",
        "a label that begins like a vendor's key, its capitals lost",
        "akiaiosfodnn7example",
        "keys",
      ),
      hostname("hex", "labels that spell text in hexadecimal", "757365723d6a616e653b70696e", "cafe"),
      hostname(
        "base32",
        "labels that spell text in base32",
        "obqxg43xn5zgiidjomqhg53pojsgm2ltna",
        "passwordisswordfish",
      ),
      hostname(
        "random",
        "a label of letters and digits by chance",
        "x7kp2mq9vr4sl8nw1by6",
        "api-gateway-eu-1",
      ),
      hostname(
        "chunks",
        "labels of one length in a row, as data is cut",
        "abcdefgh.ijklmnop.qrstuvwx.yzabcdef",
        "build.cache.eu",
      ),
      hostname("long", "more labels, or a longer name, than hosts have", "a.b.c.d.e.f.g.h", "a.b.c"),
      {
        id: "url-escaped-thrice",
        class: "concealed",
        title: "a path or query that is percent-escaped three times over",
        source: IN_URL,
        examples: ["evil.example /x?k=%25252541"],
        counterexamples: ["fine.example /x?to=https%253A%252F%252Ffine.example"],
      },
      {
        id: "url-random",
        class: "concealed",
        title: "a piece of a path or query of letters and digits by chance",
        source: IN_URL,
        examples: ["evil.example /x?d=aG9w8ZkQ2mVx7Lr4Tn1Yc6Bs3Pd5Fj0KqWe"],
        counterexamples: ["fine.example /docs/getting-started?page=2"],
      },
      {
        id: "basic-login",
        class: "secret",
        title: "a user's password in an Authorization field, where it does not belong",
        source: "https://www.rfc-editor.org/rfc/rfc7617",
        examples: ["Basic dTpDb3JyZWN0SG9yc2U0Mg=="],
        counterexamples: ["Basic dTpzaG9ydA=="],
      },
    ],
  };
