/**
 * Who a request is for. An *authority* is a host and a port; a *host* is a lower-case DNS name, an IPv4 address or an
 * IPv6 address without brackets. Only spellings that every resolver reads alike are accepted: what looks like a number
 * must be a dotted quad (RFC 6943 3.1.1), as `0x7f.1`, `2130706433` and `127.1` reach loopback on some systems.
 * Throwing `gateway.malformed` refuses.
 */
import { isIPv4, isIPv6 } from "node:net";
import { Fault } from "../core/index.ts";

export interface Authority {
  readonly host: string;
  readonly port: number;
}

const NAME =
  /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/;
const LAST_LABEL_NUMERIC = /(?:^|\.)(?:\d+|0x[0-9a-f]*)$/;

/** The host in its one spelling. */
export function parseHost(text: string): string {
  const host = text.toLowerCase();
  if (host.startsWith("[")) {
    const inner = host.slice(1, -1);
    // A zone id would name an interface of this machine.
    // The URL parser's form is the one that policy compares.
    if (host.endsWith("]") && isIPv6(inner) && !inner.includes("%"))
      return new URL(`http://${host}/`).hostname.slice(1, -1);
  } else if (isIPv4(host)) return host;
  else if (NAME.test(host) && !LAST_LABEL_NUMERIC.test(host)) return host;
  throw new Fault("gateway.malformed", { detail: "the host has no single reading" });
}

/** Parses `host[:port]`; without a port `defaultPort`, and where that is null the port is required. */
export function parseAuthority(text: string, defaultPort: number | null): Authority {
  const colon = text.startsWith("[") ? text.indexOf(":", text.indexOf("]")) : text.indexOf(":");
  const host = parseHost(colon < 0 ? text : text.slice(0, colon));
  if (colon < 0) {
    if (defaultPort === null) throw new Fault("gateway.malformed", { detail: "the port is missing" });
    return { host, port: defaultPort };
  }
  const digits = text.slice(colon + 1);
  const port = /^[1-9]\d{0,4}$/.test(digits) ? Number(digits) : 0;
  if (port < 1 || port > 65535)
    throw new Fault("gateway.malformed", { detail: "the port is not a number from 1 to 65535" });
  return { host, port };
}

export const isSameAuthority = (a: Authority, b: Authority): boolean =>
  a.host === b.host && a.port === b.port;

/** As it stands in a Host header: brackets round IPv6, no default port. */
export function authorityText(authority: Authority, defaultPort: number): string {
  const host = authority.host.includes(":") ? `[${authority.host}]` : authority.host;
  return authority.port === defaultPort ? host : `${host}:${authority.port}`;
}
