/**
 * Where an HTTP/1 request says it goes, and by which door it came: by CONNECT's authority, in absolute form, or below a
 * base URL `/<host[:port]>/<path>`. Parts that disagree are refused, as one of them would be what policy judged and another
 * what a server serves.
 */
import { type Door, Fault } from "../core/index.ts";
import { type Authority, authorityText, isSameAuthority, parseAuthority } from "./authority.ts";
import type { Target } from "./exchange.ts";
import { headersOf, type RequestHead } from "./head.ts";

/** Where a connection comes from: the proxy socket itself (`authority` null), or a tunnel to one authority. */
export interface Arrival {
  readonly door: Door;
  readonly authority: Authority | null;
  readonly isSecure: boolean;
}

/** Where a request goes, and by which door it came. Throws `gateway.malformed` when its parts disagree. */
export function targetOf(head: RequestHead, arrival: Arrival): { door: Door; target: Target } {
  const host = hostOf(head);
  const absolute = /^(https?):\/\/([^/?#]+)(\/[^#]*)?$/i.exec(head.target);
  if (absolute) {
    const scheme = absolute[1]?.toLowerCase() === "https" ? "https" : "http";
    const authority = parseAuthority(absolute[2] ?? "", scheme === "https" ? 443 : 80);
    mustAgree(authority, arrival, host, scheme);
    return {
      door: arrival.authority === null ? "plain" : arrival.door,
      target: { ...authority, scheme, path: absolute[3] ?? "/" },
    };
  }
  if (!head.target.startsWith("/") || head.target.includes("#"))
    throw new Fault("gateway.malformed", { detail: "the request target has no form that is served" });
  if (arrival.authority !== null) {
    const scheme = arrival.isSecure ? "https" : "http";
    mustAgree(arrival.authority, arrival, host, scheme);
    return { door: arrival.door, target: { ...arrival.authority, scheme, path: head.target } };
  }
  const base = /^\/([^/?]+)(\/.*)?$/.exec(head.target);
  if (!base)
    throw new Fault("gateway.malformed", { detail: "a base URL names its host first: /<host>/<path>" });
  const authority = parseAuthority(decodeBase(base[1] ?? ""), 443);
  return { door: "base", target: { ...authority, scheme: "https", path: base[2] ?? "/" } };
}

/** Some clients escape the colon of `host:port` in a path. */
const decodeBase = (text: string): string => text.replace(/%3A/i, ":");

function hostOf(head: RequestHead): string | null {
  const hosts = headersOf(head.headers, "host");
  if (hosts.length > 1) throw new Fault("gateway.malformed", { detail: "more than one host field" });
  if (hosts.length === 0 && head.minor === 1)
    throw new Fault("gateway.malformed", { detail: "the host field is missing" });
  return hosts[0] ?? null;
}

/** A request may not name one host to the gateway and another to the server behind the same connection. */
function mustAgree(
  authority: Authority,
  arrival: Arrival,
  host: string | null,
  scheme: "http" | "https",
): void {
  if (
    arrival.authority !== null &&
    (!isSameAuthority(authority, arrival.authority) || (scheme === "https") !== arrival.isSecure)
  )
    throw new Fault("gateway.malformed", { detail: "the request names another authority than its tunnel" });
  if (host !== null && !isSameAuthority(parseAuthority(host, scheme === "https" ? 443 : 80), authority))
    throw new Fault("gateway.malformed", {
      detail: "the host field names another authority than the connection",
    });
}

/** The text that stands for a target in a Host field. */
export const hostText = (target: Target): string =>
  authorityText(target, target.scheme === "https" ? 443 : 80);
