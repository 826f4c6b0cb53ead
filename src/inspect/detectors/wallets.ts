/** What gives away a wallet, or whose it is. */
import { isCheckedAddress, isWalletKey } from "../checksum.ts";
import { type Family, OWN_LICENCE, type Reader } from "../detector.ts";
import { SEED_PHRASE } from "../seed-phrase.ts";

const VALUE =
  /^[A-Za-z .:#=_"'?&/\\-]{0,24}?((?<![A-Za-z0-9])(?:0x[0-9a-fA-F]{40}|[a-z]{2,12}1[02-9ac-hj-np-z]{20,110}|[1-9A-HJ-NP-Za-km-z]{25,52}))(?![A-Za-z0-9])/;

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
