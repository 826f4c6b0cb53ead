/**
 * Host names and the patterns that stand for them.
 *
 * A pattern is an exact name or address, `*.suffix` (every name below the suffix, not the suffix itself), or `*` (every
 * host). Nothing else is a pattern: no other place for a star, no regular expression, no scheme, no path.
 *
 * Names are compared in the form a URL parser gives them, so that `EXAMPLE.com.`, `0x7f.1` or `[::0:1]` are not other
 * hosts than `example.com`, `127.0.0.1` and `::1`. A name that the parser refuses matches no pattern at all: denied.
 */
import { text } from "./text.ts";

const MAX_HOST = 253;

/** The one form of a host name or address, or null when it is neither. Brackets of IPv6 addresses are dropped. */
export function canonicalHost(written: string): string | null {
  const host = written.endsWith(".") ? written.slice(0, -1) : written;
  if (host.length === 0 || host.length > MAX_HOST) return null;
  const isIp6 = host.includes(":");
  // Only what a host can hold: a URL parser would otherwise read user names, ports, paths or escapes out of it.
  if (!(isIp6 ? /^\[?[0-9A-Fa-f:.]+\]?$/ : /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/).test(host)) return null;
  const bare = host.replace(/^\[|\]$/g, "");
  const url = URL.parse(isIp6 ? `http://[${bare}]/` : `http://${host}/`);
  return url === null || url.hostname === "" ? null : unmapped(url.hostname.replace(/^\[|\]$/g, ""));
}

/** An IPv4 address written as an IPv6 one (`::ffff:a9fe:a9fe`) leads to the IPv4 host: a rule about that must see it. */
function unmapped(host: string): string {
  const halves = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(host);
  if (halves === null) return host;
  return halves
    .slice(1)
    .flatMap((half) => [Number.parseInt(half, 16) >> 8, Number.parseInt(half, 16) & 255])
    .join(".");
}

/** The patterns that stand for a host as somebody wrote it; what is no host stands under none but `*`. */
export function patternsOfWritten(written: string): readonly string[] {
  const host = canonicalHost(written);
  return host === null ? ["*"] : patternsOf(host);
}

/** The patterns that stand for a canonical host, most exact first. */
export function patternsOf(host: string): readonly string[] {
  const patterns = [host];
  const isAddress = host.includes(":") || /^[0-9.]+$/.test(host);
  if (!isAddress)
    for (let dot = host.indexOf("."); dot >= 0; dot = host.indexOf(".", dot + 1))
      patterns.push(`*${host.slice(dot)}`);
  patterns.push("*");
  return patterns;
}

/** The patterns that stand for every host that `pattern` stands for. */
export function coveringPatterns(pattern: string): readonly string[] {
  return pattern.startsWith("*.") ? patternsOf(pattern.slice(2)).with(0, pattern) : patternsOf(pattern);
}

export const HostPattern = text(
  "a lower-case host name or address, `*.suffix` with at least two labels, or `*`",
  /^[a-z0-9*_.:-]{1,255}$/,
  (pattern) => pattern === "*" || isSuffix(pattern) || canonicalHost(pattern) === pattern,
);

function isSuffix(pattern: string): boolean {
  const suffix = pattern.slice(2);
  return pattern.startsWith("*.") && suffix.includes(".") && canonicalHost(suffix) === suffix;
}
