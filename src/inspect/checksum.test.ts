import { describe, expect, test } from "vitest";
import {
  crc32,
  entropy,
  hasBase62Crc,
  isCheckedAddress,
  isChineseResidentId,
  isDate,
  isLuhn,
  isMod1110,
  isMrzChecked,
  isVerhoeff,
  isWalletKey,
  mod97,
} from "./checksum.ts";

/** Each row: the claim, published values that hold, and values one digit away that do not. */
const published: [string, (value: string) => boolean, string[], string[]][] = [
  [
    "Luhn (ISO/IEC 7812-1)",
    isLuhn,
    ["79927398713", "4111111111111111", "378282246310005"],
    ["79927398710", "4111111111111112", ""],
  ],
  [
    "MOD 97-10 (IBAN registry)",
    (v) => mod97(v.slice(4) + v.slice(0, 4)) === 1,
    ["GB82WEST12345698765432", "DE89370400440532013000", "NO9386011117947"],
    ["GB82WEST12345698765433", "gb82west12345698765432"],
  ],
  ["MOD 11,10 (ISO 7064)", isMod1110, ["12345678903", "136695976"], ["12345678904", "136695975"]],
  ["Verhoeff", isVerhoeff, ["2363", "123451"], ["2364", "213451"]],
  [
    "GB 11643",
    isChineseResidentId,
    ["11010519491231002X", "11010519491231002x"],
    ["110105194912310021", "11010519490231002X", "01010519491231002X"],
  ],
  [
    "Base58Check and bech32",
    isCheckedAddress,
    [
      "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
      "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
      "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
    ],
    ["1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5", "bc1qb"],
  ],
  [
    "EIP-55, its own examples",
    isCheckedAddress,
    [
      "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
      "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
      "0x52908400098527886E0F7030069857D2E4169EE7",
      "0xde709f2102306220921060314715629080e2fb77",
    ],
    ["0x5aAeb6053F3E94C9b9A09f33669435E7Ef1Beaed", "0x0000000000000000000000000000000000000000"],
  ],
  [
    "wallet import format",
    isWalletKey,
    ["5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ"],
    ["5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTK", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", ""],
  ],
];

describe.each(published)("%s", (_, holds, good, bad) => {
  test.each(good)("%s holds", (value) => expect(holds(value)).toBe(true));
  test.each(bad)("%s does not", (value) => expect(holds(value)).toBe(false));
});

test("CRC-32 of the standard's check string", () => expect(crc32("123456789")).toBe(0xcbf43926));

test("a base62 CRC tail holds for its own body only", () => {
  const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  const body = "zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ".slice(0, 30);
  let rest = crc32(body);
  let tail = "";
  for (let i = 0; i < 6; i++) {
    tail = alphabet.charAt(rest % 62) + tail;
    rest = Math.floor(rest / 62);
  }
  expect(hasBase62Crc(body + tail)).toBe(true);
  expect(hasBase62Crc(`${body.slice(0, -1)}X${tail}`)).toBe(false);
  expect(hasBase62Crc("short")).toBe(false);
});

test("ICAO 9303's own example: document number, birth, expiry", () => {
  expect([isMrzChecked("L898902C3", "6"), isMrzChecked("740812", "2"), isMrzChecked("120415", "9")]).toEqual([
    true,
    true,
    true,
  ]);
  expect(isMrzChecked("L898902C3", "7")).toBe(false);
});

test("days that do not exist are none", () => {
  expect([
    isDate(2000, 2, 29),
    isDate(1900, 2, 29),
    isDate(2023, 4, 31),
    isDate(2023, 13, 1),
    isDate(2023, 1, 0),
  ]).toEqual([true, false, false, false, false]);
});

test("entropy is nothing for one letter and all bits for all of them", () => {
  expect(entropy("aaaa")).toBe(0);
  expect(entropy("abcd")).toBe(2);
  expect(entropy("")).toBe(0);
});
