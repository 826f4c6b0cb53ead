/** What gives away a wallet, or whose it is. */
import { isCheckedAddress, isWalletKey } from "../checksum.ts";
import { type Family, OWN_LICENCE, type Reader } from "../detector.ts";
import { SEED_PHRASE } from "../seed-phrase.ts";

const VALUE =
  /^[A-Za-z .:#=_"'?&/\\-]{0,24}?((?<![A-Za-z0-9])(?:0x[0-9a-fA-F]{40}|[a-z]{2,12}1[02-9ac-hj-np-z]{20,110}|[1-9A-HJ-NP-Za-km-z]{25,52}))(?![A-Za-z0-9])/;

const HEX_KEY = /^(?:[ _-]?(?:hex|raw))?[ "':=\\>]{1,12}(?:is )?((?:0x)?[0-9a-fA-F]{64})(?![0-9a-zA-Z])/;

/** A value that follows a name and whose own checksum holds. */
const checked = (
  reader: Omit<Reader, "on" | "read">,
  anchors: readonly string[],
  check: (value: string) => boolean,
): Reader => ({
  ...reader,
  on: { anchors },
  read: (text, at, end) => {
    if (/[A-Za-z]/.test(text.charAt(at - 1))) return null;
    const match = VALUE.exec(text.slice(end, end + 144));
    const value = match?.[1];
    if (match === null || value === undefined || !check(value)) return null;
    const start = end + match[0].length - value.length;
    return { start, end: start + value.length, verified: true };
  },
});

export const WALLETS: Family = {
  name: "wallets",
  written: "2026-11-20",
  licence: OWN_LICENCE,
  detectors: [
    SEED_PHRASE,
    checked(
      {
        id: "wallet-key",
        class: "secret",
        title: "Private key in Bitcoin's wallet import format",
        source: "https://en.bitcoin.it/wiki/Wallet_import_format",
        examples: ["wif: 5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ"],
        counterexamples: ["wif: 5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTK"],
      },
      ["wif", "private", "privkey"],
      isWalletKey,
    ),
    {
      id: "wallet-private-key",
      class: "secret",
      title: "Private key of 32 bytes in hexadecimal, named as one (Ethereum and its kin)",
      source: "https://ethereum.org/developers/docs/accounts/",
      on: { anchors: ["private_key", "private key", "privatekey", "private-key", "privkey", "priv_key"] },
      read: (text, _, end) => {
        const match = HEX_KEY.exec(text.slice(end, end + 120));
        const value = match?.[1];
        if (match === null || value === undefined || new Set(value.toLowerCase()).size < 8) return null;
        const start = end + match[0].length - value.length;
        return { start, end: start + value.length, verified: false };
      },
      examples: ['"private_key": "0x4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"'],
      counterexamples: [`private_key = 0x${"0".repeat(64)}`, "private key of 64 digits"],
    },
    checked(
      {
        id: "crypto-address",
        class: "personal",
        title: "Address of a wallet, named as one",
        source: "https://en.bitcoin.it/wiki/Base58Check_encoding",
        examples: [
          "wallet: 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
          "btc=bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
          "eth=0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045",
        ],
        counterexamples: [
          "wallet: 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb",
          "btc=bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5",
          "eth=0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96046",
        ],
      },
      [
        ...[
          "bitcoin",
          "wallet",
          "btc",
          "ethereum",
          "eth=",
          'eth"',
          "eth:",
          "eth_addr",
          "ltc=",
          "deposit",
          "payout",
        ],
        ...["addr=", "addr:", 'addr"', "address=", "address: ", 'address"', "recipient"],
      ],
      isCheckedAddress,
    ),
  ],
};
