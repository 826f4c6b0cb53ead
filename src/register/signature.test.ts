import { generateKeyPairSync, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseNpmKeys, type SignedVersion, signatureCheck } from "./index.ts";

const SHIPPED = join(import.meta.dirname, "../../register/trust/npm-keys.json");
const shipped = parseNpmKeys(readFileSync(SHIPPED, "utf8"), SHIPPED);

/** What npm's documentation shows as an example: really published, really signed. */
const KMS_DEMO: SignedVersion = {
  ...{ name: "kms-demo", version: "1.0.0", publishedAt: Date.parse("2022-03-30") },
  integrity:
    "sha512-QqZ7VJ/8xPkS9s2IWB7Shj3qTJdcRyeXKbPQnsZjsPEwvutGv0EGeVchPcauoiDFJlGbZMFq5GDCurAGNSghJQ==",
  signatures: [
    {
      keyid: "SHA256:jl3bwswu80PjjokCgh0o2w5c2U4LhQAE57gj9cz1kzA",
      sig: "MEUCIDrLNspFeU5NZ6d55ycVBZIMXnPJi/XnI1Y2dlJvK8P1AiEAnXjn1IOMUd+U7YfPH+FNjwfLq+jCwfH8uaxocq+mpPk=",
    },
  ],
};
const own = generateKeyPairSync("ec", { namedCurve: "P-256" });
const ownKey = { id: "SHA256:own", usage: "npm:signatures", key: own.publicKey, endedAt: null } as const;
const signed = (name: string, integrity: string, keyid = "SHA256:own"): SignedVersion => ({
  ...{ name, version: "1.2.3", integrity, publishedAt: null },
  signatures: [
    {
      keyid,
      sig: sign("sha256", Buffer.from(`${name}@1.2.3:${integrity}`), own.privateKey).toString("base64"),
    },
  ],
});

test.each<[string, readonly SignedVersion[], string, string]>([
  ["a signature npm really made", [KMS_DEMO], "ok", "jl3bwswu80"],
  ["of other bytes", [{ ...KMS_DEMO, integrity: "sha512-AAAA" }], "failed", "does not fit"],
  ["of another version", [{ ...KMS_DEMO, version: "1.0.1" }], "failed", "does not fit"],
  ["of another name", [{ ...KMS_DEMO, name: "kms-demo2" }], "failed", "does not fit"],
  ["no signature at all", [{ ...KMS_DEMO, signatures: [] }], "unchecked", "a mirror that strips it"],
  ["no hash", [{ ...KMS_DEMO, integrity: null }], "unchecked", "a mirror that strips it"],
  ["by a mirror's own key", [signed("a", "sha512-x")], "unchecked", "SHA256:own, no key of npm's"],
  [
    "by a key retired before it was published",
    [{ ...KMS_DEMO, publishedAt: Date.parse("2025-06-01") }],
    "failed",
    "retired on 2025-01-29",
  ],
  ["by a retired key, and nobody knows when", [{ ...KMS_DEMO, publishedAt: null }], "unchecked", "not known"],
  ["one of two has none", [KMS_DEMO, { ...KMS_DEMO, signatures: [] }], "unchecked", "by npm's key"],
  ["nothing was asked", [], "unchecked", "could not be asked"],
])("%s: %#", (_what, versions, state, detail) => {
  expect(signatureCheck(versions, shipped)).toMatchObject({ state, detail: expect.stringContaining(detail) });
});

test("with a key of one's own the same holds", () => {
  expect(signatureCheck([signed("@v/a", "sha512-x")], [ownKey]).state).toBe("ok");
  const moved = { ...signed("@v/a", "sha512-x"), integrity: "sha512-y" };
  expect(signatureCheck([moved], [ownKey]).state).toBe("failed");
  // A key that is for attestations signs no versions.
  const other = { ...ownKey, usage: "npm:attestations" } as const;
  expect(signatureCheck([signed("@v/a", "sha512-x")], [other]).state).toBe("unchecked");
});

test("a file of keys that is none is a fault", () => {
  expect(() => parseNpmKeys('{"keys":[{"keyId":"x"}]}', "keys.json")).toThrow();
});
