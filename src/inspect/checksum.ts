/**
 * Check digits and checksums of public formats. Each returns a claim, never throws, and takes the value with its
 * separators already removed unless it says otherwise.
 */
import { createHash } from "node:crypto";

/** ISO/IEC 7812-1 annex B (Luhn), digits only. */
export function isLuhn(digits: string): boolean {
  let sum = 0;
  let double = false;
  for (let i = digits.length - 1; i >= 0; i--) {
    let digit = digits.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return false;
    if (double) {
      digit *= 2;
      if (digit > 9) digit -= 9;
    }
    sum += digit;
    double = !double;
  }
  return digits.length > 0 && sum % 10 === 0;
}

/** Weighted digit sum; the caller says which modulus and which remainder is right. */
export function weighted(digits: string, weights: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < weights.length; i++) sum += (weights[i] ?? 0) * (digits.charCodeAt(i) - 48);
  return sum;
}

/** ISO 7064 MOD 97-10 over a string whose letters count 10 to 35; the remainder. */
export function mod97(text: string): number {
  let rest = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code >= 48 && code <= 57) rest = (rest * 10 + code - 48) % 97;
    else if (code >= 65 && code <= 90) rest = (rest * 100 + code - 55) % 97;
    else return -1;
  }
  return rest;
}

/** ISO 7064 MOD 11,10 (German tax id, Croatian OIB), digits only, check digit last. */
export function isMod1110(digits: string): boolean {
  let product = 10;
  for (let i = 0; i < digits.length - 1; i++) {
    let sum = (digits.charCodeAt(i) - 48 + product) % 10;
    if (sum === 0) sum = 10;
    product = (sum * 2) % 11;
  }
  const check = (11 - product) % 10;
  return check === digits.charCodeAt(digits.length - 1) - 48;
}

const VERHOEFF_D: readonly string[] = [
  "0123456789",
  "1234067895",
  "2340178956",
  "3401289567",
  "4012395678",
  "5987604321",
  "6598710432",
  "7659821043",
  "8765932104",
  "9876543210",
];
const VERHOEFF_P: readonly string[] = [
  "0123456789",
  "1576283094",
  "5803796142",
  "8916043527",
  "9453126870",
  "4286573901",
  "2793806415",
  "7046913258",
];

/** Verhoeff's dihedral check (Indian Aadhaar), digits only. */
export function isVerhoeff(digits: string): boolean {
  let check = 0;
  for (let i = 0; i < digits.length; i++) {
    const digit = digits.charCodeAt(digits.length - 1 - i) - 48;
    const permuted = (VERHOEFF_P[i % 8] ?? "").charCodeAt(digit) - 48;
    check = (VERHOEFF_D[check] ?? "").charCodeAt(permuted) - 48;
  }
  return check === 0;
}

const CRC_TABLE: Uint32Array = (() => {
  const table = new Uint32Array(256);
  for (let n = 0; n < 256; n++) {
    let c = n;
    for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
    table[n] = c >>> 0;
  }
  return table;
})();

/** CRC-32 (ISO 3309) of the low bytes of a string. */
export function crc32(text: string): number {
  let crc = 0xffffffff;
  for (let i = 0; i < text.length; i++)
    crc = (CRC_TABLE[(crc ^ text.charCodeAt(i)) & 255] ?? 0) ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

const BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/**
 * The last six characters are the base62 CRC-32 of what stands between the prefix and them
 * (github.blog "Behind GitHub's new authentication token formats", 2021-04-05; npm uses the same).
 */
export function hasBase62Crc(body: string): boolean {
  if (body.length < 7) return false;
  let crc = crc32(body.slice(0, -6));
  let text = "";
  for (let i = 0; i < 6; i++) {
    text = BASE62.charAt(crc % 62) + text;
    crc = Math.floor(crc / 62);
  }
  return text === body.slice(-6);
}

/** GB 11643-1999: 17 digits and a check character, ISO 7064 MOD 11-2, with a birth date that exists. */
export function isChineseResidentId(id: string): boolean {
  if (!/^[1-9]\d{16}[\dX]$/i.test(id)) return false;
  if (!isDate(Number(id.slice(6, 10)), Number(id.slice(10, 12)), Number(id.slice(12, 14)))) return false;
  const sum = weighted(id, [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]);
  return "10X98765432".charAt(sum % 11) === id.charAt(17).toUpperCase();
}

/** A day that exists, in 1850 to 2099. */
export function isDate(year: number, month: number, day: number): boolean {
  if (year < 1850 || year > 2099 || month < 1 || month > 12 || day < 1) return false;
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  return day <= ([31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] ?? 0);
}

/** ICAO 9303 part 3: weights 7, 3, 1 over digits, A=10 to Z=35, `<`=0. */
export function isMrzChecked(field: string, check: string): boolean {
  let sum = 0;
  for (let i = 0; i < field.length; i++) {
    const code = field.charCodeAt(i);
    const value = code === 60 ? 0 : code >= 65 ? code - 55 : code - 48;
    sum += value * ([7, 3, 1][i % 3] ?? 0);
  }
  return String(sum % 10) === check || (check === "<" && sum % 10 === 0);
}

const BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/**
 * An address of a currency: Base58Check (double SHA-256), bech32 or bech32m (BIP 173, BIP 350) with any prefix, or
 * Ethereum's, whose capitals are its checksum (EIP-55; one without capitals has none, and its form alone counts).
 */
export function isCheckedAddress(address: string): boolean {
  if (/^0x[0-9a-fA-F]{40}$/.test(address)) return isEthereumAddress(address);
  if (/^[a-z]{2,16}1[02-9ac-hj-np-z]{20,110}$/.test(address)) return isBech32(address);
  return /^[1-9A-HJ-NP-Za-km-z]{25,36}$/.test(address) && base58Checked(address)?.length === 21;
}

/** Bitcoin's wallet import format: version 0x80, 32 bytes, and 1 behind them for a compressed public key. */
export function isWalletKey(key: string): boolean {
  const bytes = base58Checked(key);
  return (
    bytes !== null && bytes[0] === 0x80 && (bytes.length === 33 || (bytes.length === 34 && bytes[33] === 1))
  );
}

/** What stands before the four bytes of the checksum; null when it does not hold. */
function base58Checked(text: string): Buffer | null {
  let number = 0n;
  for (const char of text) {
    const digit = BASE58.indexOf(char);
    if (digit < 0) return null;
    number = number * 58n + BigInt(digit);
  }
  const zeros = /^1*/.exec(text)?.[0].length ?? 0;
  const hex = number === 0n ? "" : number.toString(16);
  const bytes = Buffer.from("00".repeat(zeros) + (hex.length % 2 === 0 ? hex : `0${hex}`), "hex");
  if (bytes.length < 5) return null;
  const sha = (input: Uint8Array): Buffer => createHash("sha256").update(input).digest();
  const body = bytes.subarray(0, -4);
  return sha(sha(body)).subarray(0, 4).equals(bytes.subarray(-4)) ? body : null;
}

function isBech32(address: string): boolean {
  let check = 1;
  const step = (value: number): void => {
    const top = check >>> 25;
    check = ((check & 0x1ffffff) << 5) ^ value;
    [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3].forEach((generator, i) => {
      if ((top >>> i) & 1) check ^= generator;
    });
  };
  const border = address.lastIndexOf("1");
  const prefix = [...address.slice(0, border)].map((char) => char.charCodeAt(0));
  for (const code of prefix) step(code >>> 5);
  step(0);
  for (const code of prefix) step(code & 31);
  for (const char of address.slice(border + 1)) {
    const value = BECH32.indexOf(char);
    if (value < 0) return false;
    step(value);
  }
  return check === 1 || check === 0x2bc830a3;
}

/** EIP-55: a letter is a capital where the address' own Keccak-256 has a digit of 8 or more. */
export function isEthereumAddress(address: string): boolean {
  const digits = address.slice(2);
  const lower = digits.toLowerCase();
  if (/^(.)\1*$/.test(lower.slice(0, 36))) return false;
  if (digits === lower || digits === digits.toUpperCase()) return true;
  const digest = keccak256(Buffer.from(lower)).toString("hex");
  return [...digits].every(
    (char, i) => !/[a-f]/i.test(char) || /[A-F]/.test(char) === Number.parseInt(digest.charAt(i), 16) >= 8,
  );
}

/** Keccak-256 as Ethereum has it: SHA-3 (FIPS 202) with the padding of before the standard. One block: 135 bytes at most. */
function keccak256(text: Uint8Array): Buffer {
  const lanes = new BigUint64Array(25);
  const block = new Uint8Array(136);
  block.set(text);
  block[text.length] = 1;
  block[135] = (block[135] ?? 0) | 0x80;
  const words = new BigUint64Array(block.buffer);
  words.forEach((word, i) => {
    lanes[i] = word;
  });
  keccakF(lanes);
  return Buffer.from(lanes.buffer, 0, 32);
}

/** Keccak-f[1600], FIPS 202 section 3.3; the round constants come from the register that the standard defines. */
function keccakF(lanes: BigUint64Array): void {
  const at = (i: number): bigint => lanes[i] ?? 0n;
  const turned = (word: bigint, by: number): bigint =>
    BigInt.asUintN(64, (word << BigInt(by)) | (word >> BigInt(64 - by)));
  let register = 1;
  for (let round = 0; round < 24; round++) {
    const columns = [0, 1, 2, 3, 4].map((x) => at(x) ^ at(x + 5) ^ at(x + 10) ^ at(x + 15) ^ at(x + 20));
    for (let i = 0; i < 25; i++)
      lanes[i] = at(i) ^ (columns[(i + 4) % 5] ?? 0n) ^ turned(columns[(i + 1) % 5] ?? 0n, 1);
    let [x, y, held] = [1, 0, at(1)];
    for (let step = 0; step < 24; step++) {
      [x, y] = [y, (2 * x + 3 * y) % 5];
      const next = at(x + 5 * y);
      lanes[x + 5 * y] = turned(held, (((step + 1) * (step + 2)) / 2) % 64);
      held = next;
    }
    for (let row = 0; row < 25; row += 5) {
      const old = lanes.slice(row, row + 5);
      for (let i = 0; i < 5; i++)
        lanes[row + i] =
          (old[i] ?? 0n) ^ (BigInt.asUintN(64, ~(old[(i + 1) % 5] ?? 0n)) & (old[(i + 2) % 5] ?? 0n));
    }
    for (let j = 0; j < 7; j++) {
      if (register & 1) lanes[0] = at(0) ^ (1n << BigInt((1 << j) - 1));
      register = register & 0x80 ? ((register << 1) ^ 0x171) & 0xff : register << 1;
    }
  }
}

/** Shannon entropy in bits per character. */
export function entropy(text: string): number {
  if (text.length === 0) return 0;
  const counts = new Map<number, number>();
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    counts.set(code, (counts.get(code) ?? 0) + 1);
  }
  let bits = 0;
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length);
  return bits;
}
