/**
 * Which IP addresses the gateway may dial. The check runs on the numeric address that is then dialled, never on a name,
 * so a name that changes its address between check and use (DNS rebinding) gains nothing.
 *
 * `public`: global unicast. `private`: this machine or its networks; dialled only where policy says so for the host.
 * `never`: metadata services (link-local), multicast, unspecified, documentation, tunnels that hide another address.
 * Source: IANA special-purpose address registries (RFC 6890 and its updates). An address that cannot be read is `never`.
 */
import { isIPv4, isIPv6, SocketAddress } from "node:net";

export type Reach = "public" | "private" | "never";

type Row = readonly [prefix: readonly number[], bits: number, reach: Reach];

const V4: readonly Row[] = [
  // Clouds' own services outside of link-local: Alibaba's metadata (help.aliyun.com), Azure's WireServer (learn.microsoft.com).
  [[100, 100, 100, 200], 32, "never"],
  [[168, 63, 129, 16], 32, "never"],
  [[0], 8, "never"],
  [[10], 8, "private"],
  [[100, 64], 10, "private"],
  [[127], 8, "private"],
  [[169, 254], 16, "never"],
  [[172, 16], 12, "private"],
  [[192, 0, 0], 24, "never"],
  [[192, 0, 2], 24, "never"],
  [[192, 88, 99], 24, "never"],
  [[192, 168], 16, "private"],
  [[198, 18], 15, "private"],
  [[198, 51, 100], 24, "never"],
  [[203, 0, 113], 24, "never"],
  [[224], 4, "never"],
  [[240], 4, "never"],
];

const V6: readonly Row[] = [
  // EC2's metadata service over IPv6 lies inside the unique-local range; so do other clouds' under fd20::/16.
  [[0xfd, 0x00, 0x0e, 0xc2], 32, "never"],
  [[0xfd, 0x20, 0x00, 0xce], 32, "never"],
  [[0xfc], 7, "private"],
  [[0x20, 0x01, 0x00, 0x00], 32, "never"],
  [[0x20, 0x01, 0x00, 0x02, 0x00, 0x00], 48, "never"],
  [[0x20, 0x01, 0x00, 0x10], 28, "never"],
  [[0x20, 0x01, 0x00, 0x20], 28, "never"],
  [[0x20, 0x01, 0x0d, 0xb8], 32, "never"],
  [[0x3f, 0xff, 0x00], 20, "never"],
  [[0x20], 3, "public"],
];

export function reachOf(address: string): Reach {
  if (isIPv4(address)) return lookUp(V4, addressBytes(address)) ?? "public";
  if (!isIPv6(address) || address.includes("%")) return "never";
  const bytes = v6Bytes(address);
  const high = (length: number, ...prefix: readonly number[]): boolean =>
    bytes.slice(0, length).every((byte, i) => byte === (prefix[i] ?? 0));
  const v4At = (offset: number): Reach => lookUp(V4, bytes.slice(offset, offset + 4)) ?? "public";
  if (high(15) && bytes[15] === 1) return "private";
  // Addresses that carry an IPv4 address reach that address: it decides.
  if (high(12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff)) return v4At(12);
  if (high(12, 0, 0x64, 0xff, 0x9b)) return v4At(12);
  if (high(2, 0x20, 0x02)) return v4At(2) === "public" ? "public" : "never";
  return lookUp(V6, bytes) ?? "never";
}

function lookUp(table: readonly Row[], bytes: readonly number[]): Reach | undefined {
  return table.find(([prefix, bits]) => matches(bytes, prefix, bits))?.[2];
}

function matches(bytes: readonly number[], prefix: readonly number[], bits: number): boolean {
  for (let i = 0; i * 8 < bits; i++) {
    const mask = bits - i * 8 >= 8 ? 0xff : (0xff << (8 - (bits - i * 8))) & 0xff;
    if (((bytes[i] ?? 0) & mask) !== ((prefix[i] ?? 0) & mask)) return false;
  }
  return true;
}

/** The 4 or 16 bytes of a valid IP address. */
export function addressBytes(address: string): number[] {
  return isIPv4(address) ? address.split(".").map(Number) : v6Bytes(address);
}

function v6Bytes(address: string): number[] {
  // SocketAddress prints the shortest form, an embedded IPv4 address in dots.
  let text = new SocketAddress({ address, family: "ipv6" }).address;
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  if (dotted) {
    const [, head = "", a, b, c, d] = dotted;
    const pair = (x: string | undefined, y: string | undefined): string =>
      ((Number(x) << 8) | Number(y)).toString(16);
    text = `${head}${pair(a, b)}:${pair(c, d)}`;
  }
  const [left = "", right] = text.split("::");
  const words = (part: string): string[] => (part === "" ? [] : part.split(":"));
  const front = words(left);
  const back = right === undefined ? [] : words(right);
  const all =
    right === undefined
      ? front
      : [...front, ...new Array<string>(8 - front.length - back.length).fill("0"), ...back];
  return all.flatMap((word) => [Number.parseInt(word, 16) >> 8, Number.parseInt(word, 16) & 0xff]);
}
