import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { asSessionId } from "../core/index.ts";
import { openLedger } from "./index.ts";
import { parseVerifierKey, type Verifier, verifierKeyText } from "./note.ts";
import { checkReceipt, makeReceipt } from "./receipt.ts";
import { parseWitnessPolicy } from "./witness-policy.ts";

const SIZE = 300;
const home = mkdtempSync(join(tmpdir(), "receipt-"));
const directory = join(home, "ledger");
let key: Verifier;

beforeAll(async () => {
  const clock = { now: () => 1_800_000_000_000, monotonic: () => performance.now() };
  const ledger = await openLedger({ directory, keyDirectory: join(home, "keys"), clock, program: "test" });
  const session = asSessionId("7f3a0001") ?? expect.fail("not an id");
  const refused = {
    kind: "connection.refused",
    session,
    door: "tls",
    port: 443,
    rule: "r",
    reason: "no",
  } as const;
  await Promise.all(
    Array.from({ length: SIZE - 1 }, (_, n) => ledger.append({ ...refused, host: `h${n + 1}` })),
  );
  await ledger.close();
  key = parseVerifierKey(ledger.verifierKey);
});

it.each([0, 1, 255, 256, SIZE - 1])("the receipt of entry %d proves that entry, by itself", (index) => {
  const { entry, checkpoint, ...rest } = checkReceipt(makeReceipt(directory, index), [key], null);
  expect([rest.index, checkpoint.size, checkpoint.origin]).toEqual([index, SIZE, key.name]);
  expect(JSON.parse(entry)).toMatchObject(
    index === 0 ? { kind: "ledger.opened" } : { kind: "connection.refused", host: `h${index}` },
  );
});

it("no receipt is made of what no checkpoint covers", () => {
  for (const index of [SIZE, SIZE + 1, 1e9])
    expect(() => makeReceipt(directory, index)).toThrow(expect.objectContaining({ code: "usage.invalid" }));
});

it.each<[string, (text: string) => string, string]>([
  [
    "of another entry",
    (t) => t.replace(/extra .*/, `extra ${Buffer.from("{}").toString("base64")}`),
    "does not lead",
  ],
  ["of another index", (t) => t.replace("index 257", "index 256"), "does not lead"],
  ["with an index beyond the tree", (t) => t.replace("index 257", `index ${SIZE}`), "does not lead"],
  ["with an index of another spelling", (t) => t.replace("index 257", "index 0257"), "malformed"],
  ["without a step of its proof", (t) => t.replace(/\n[^\n]+\n\n/, "\n\n"), "does not lead"],
  ["with a step more", (t) => t.replace("\n\n", `\n${"A".repeat(43)}=\n\n`), "does not lead"],
  ["with a step that is no hash", (t) => t.replace("\n\n", "\n?\n\n"), "does not lead"],
  ["without its entry", (t) => t.replace(/extra .*\n/, ""), "malformed"],
  ["in another version", (t) => t.replace("@v1", "@v2"), "malformed"],
  ["too long", (t) => t.replace(/extra .*/, `extra ${"A".repeat(2 ** 20)}`), "malformed"],
  ["with a larger checkpoint", (t) => t.replace(`\n${SIZE}\n`, `\n${SIZE + 1}\n`), "wrong signature"],
  ["empty", () => "", "malformed"],
])("a receipt %s is refused", (_, alter, problem) => {
  const altered = alter(makeReceipt(directory, 257));
  expect(() => checkReceipt(altered, [key], null)).toThrow(
    expect.objectContaining({ code: "ledger.unreadable", detail: expect.stringContaining(problem) }),
  );
});

it("a receipt is believed under its log's key alone, and under a policy only with its quorum", () => {
  const receipt = makeReceipt(directory, 5);
  const stranger = parseVerifierKey(verifierKeyText(key.name, Buffer.alloc(32, 7)));
  expect(() => checkReceipt(receipt, [stranger], null)).toThrow("signed by no known key");
  const witness = `witness w ${verifierKeyText("w.example", Buffer.alloc(32, 1), 4)}\n`;
  const none = parseWitnessPolicy(`${witness}quorum none\n`);
  expect(checkReceipt(receipt, [key], none).cosigned).toEqual([]);
  const one = parseWitnessPolicy(`${witness}quorum w\n`);
  expect(() => checkReceipt(receipt, [key], one)).toThrow("the quorum `w` is not met");
});
