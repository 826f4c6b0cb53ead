/**
 * The way out through an organisation's proxy: HTTP or HTTPS with CONNECT (RFC 9110 9.3.6), SOCKS5 (RFC 1928, RFC 1929).
 * The proxy resolves the destination's name, so only its rules can keep a name from leading into the private network;
 * addresses written as numbers are checked here as ever. TLS to the destination runs end to end inside.
 */
import { BlockList, isIP, type Socket } from "node:net";
import { Fault } from "../core/index.ts";
import { type Authority, authorityText } from "./authority.ts";
import { headEnd, headText, parseReplyHead } from "./head.ts";

/** The proxy for a destination; null for a direct connection. */
export type ProxyChoice = (scheme: "http" | "https", host: string, port: number) => URL | null;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The choice that the usual variables make: `https_proxy`, `http_proxy`, `all_proxy`, `no_proxy`, in either case, the
 * lower one first. `no_proxy` holds hosts, suffixes (with or without a leading dot), `host:port`, networks (`10.0.0.0/8`) that
 * hold addresses written as numbers, or `*`.
 * Throws `usage.invalid` for a proxy that is no http, https or socks5 URL.
 */
export function proxyFromEnvironment(environment: Environment): ProxyChoice {
  const read = (name: string): string => environment[name] ?? environment[name.toUpperCase()] ?? "";
  const proxies = {
    http: proxyUrl(read("http_proxy") || read("all_proxy")),
    https: proxyUrl(read("https_proxy") || read("all_proxy")),
  };
  const exempt = read("no_proxy")
    .split(",")
    .map((text) => text.trim().toLowerCase())
    .filter((text) => text !== "");
  return (scheme, host, port) => (exempt.some((rule) => isExempt(rule, host, port)) ? null : proxies[scheme]);
}

function proxyUrl(text: string): URL | null {
  if (text === "") return null;
  const url = URL.parse(text.includes("://") ? text : `http://${text}`);
  if (url === null || !["http:", "https:", "socks5:", "socks5h:"].includes(url.protocol))
    throw new Fault("usage.invalid", { detail: "a proxy variable holds no http, https or socks5 URL" });
  return url;
}

function isExempt(rule: string, host: string, port: number): boolean {
  if (rule === "*") return true;
  if (rule.includes("/")) return isInNetwork(rule, host);
  if (isIP(rule) === 6) return host === rule;
  const [, name = rule, number] = /^(.+):(\d+)$/.exec(rule) ?? [];
  if (number !== undefined && Number(number) !== port) return false;
  const suffix = name.replace(/^\*?\.|^\[|\]$/g, "");
  return host === suffix || host.endsWith(`.${suffix}`);
}

function isInNetwork(rule: string, host: string): boolean {
  const [network = "", bits] = rule.split("/");
  const family = isIP(network);
  if (family === 0 || family !== isIP(host) || !/^\d{1,3}$/.test(bits ?? "")) return false;
  const type = family === 4 ? "ipv4" : "ipv6";
  if (Number(bits) > (family === 4 ? 32 : 128)) return false;
  const list = new BlockList();
  list.addSubnet(network, Number(bits), type);
  return list.check(host, type);
}

export const proxyPort = (proxy: URL): number =>
  proxy.port !== ""
    ? Number(proxy.port)
    : proxy.protocol === "https:"
      ? 443
      : proxy.protocol === "http:"
        ? 80
        : 1080;

const MOST_ANSWER = 16 * 1024;

/** Asks an open connection to the proxy for a way to `to`; resolves when the connection is the destination's. */
export function passHop(socket: Socket, proxy: URL, to: Authority): Promise<void> {
  return proxy.protocol.startsWith("socks") ? passSocks(socket, proxy, to) : passConnect(socket, proxy, to);
}

const refused = (detail: string, proxy: URL, remedy: string | null = null): Fault =>
  new Fault("gateway.unreachable", {
    detail: `the proxy ${detail}`,
    at: proxy.host,
    ...(remedy === null ? {} : { remedy }),
  });

/** Never what the login is: `proxy.host` is without it. */
const loginRefused = (proxy: URL, answered: string): Fault => {
  const which =
    proxy.username === "" ? "wants a login, and the proxy variable holds none" : "refuses the login";
  return refused(`${which} (it answered ${answered})`, proxy, PROXY_LOGIN);
};
const PROXY_LOGIN =
  "correct the login in the proxy variables (https_proxy, http_proxy, all_proxy), then `sallyport down`: the station reads them as it starts";

async function passConnect(socket: Socket, proxy: URL, to: Authority): Promise<void> {
  const authority = authorityText(to, 0);
  const fields: (readonly [string, string])[] = [["Host", authority]];
  if (proxy.username !== "") {
    const pair = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
    fields.push(["Proxy-Authorization", `Basic ${Buffer.from(pair).toString("base64")}`]);
  }
  socket.write(headText(`CONNECT ${authority} HTTP/1.1`, fields), "latin1");
  const bytes = await answerOf(socket, proxy, (sofar) => headEnd(sofar, MOST_ANSWER, "gateway.bad-reply"));
  const { status } = parseReplyHead(bytes, "CONNECT");
  if (status === 407) throw loginRefused(proxy, "407");
  if (status < 200 || status > 299) throw refused(`answered ${status}`, proxy);
}

async function passSocks(socket: Socket, proxy: URL, { host, port }: Authority): Promise<void> {
  const hasLogin = proxy.username !== "";
  socket.write(Buffer.from(hasLogin ? [5, 2, 0, 2] : [5, 1, 0]));
  const chosen = await answerOf(socket, proxy, (sofar) => (sofar.length < 2 ? -1 : 2));
  if (chosen[0] !== 5 || (chosen[1] !== 0 && !(hasLogin && chosen[1] === 2)))
    throw loginRefused(proxy, `method ${chosen[1] ?? "none"}`);
  if (chosen[1] === 2) {
    const user = Buffer.from(decodeURIComponent(proxy.username)).subarray(0, 255);
    const password = Buffer.from(decodeURIComponent(proxy.password)).subarray(0, 255);
    socket.write(
      Buffer.concat([Buffer.from([1, user.length]), user, Buffer.from([password.length]), password]),
    );
    const answer = await answerOf(socket, proxy, (sofar) => (sofar.length < 2 ? -1 : 2));
    if (answer[1] !== 0) throw loginRefused(proxy, `status ${answer[1] ?? "none"}`);
  }
  // As a name, also for addresses: proxies read both, and one form is one thing to get right.
  const name = Buffer.from(host);
  socket.write(
    Buffer.concat([Buffer.from([5, 1, 0, 3, name.length]), name, Buffer.from([port >> 8, port & 255])]),
  );
  const answer = await answerOf(socket, proxy, (sofar) => {
    const addressBytes = sofar[3] === 1 ? 4 : sofar[3] === 4 ? 16 : 1 + (sofar[4] ?? 0);
    return sofar.length < 5 || sofar.length < 6 + addressBytes ? -1 : 6 + addressBytes;
  });
  if (answer[1] !== 0) throw refused(`answered ${answer[1] ?? "nothing"}`, proxy);
}

/** Bytes up to where `end` says; what follows is put back for whoever reads next. */
function answerOf(socket: Socket, proxy: URL, end: (sofar: Buffer) => number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let sofar: Buffer = Buffer.alloc(0);
    const stop = (): void => {
      socket.removeListener("data", read);
      socket.removeListener("error", fail);
      socket.removeListener("close", close);
      socket.pause();
    };
    const fail = (error: Error): void => {
      stop();
      reject(error);
    };
    const close = (): void => fail(refused("closed the connection", proxy));
    const read = (chunk: Buffer): void => {
      sofar = Buffer.concat([sofar, chunk]);
      try {
        const at = end(sofar);
        if (at < 0) return;
        stop();
        if (at < sofar.length) socket.unshift(sofar.subarray(at));
        resolve(sofar.subarray(0, at));
      } catch (error) {
        fail(error instanceof Error ? error : new Error(String(error)));
      }
    };
    socket.on("data", read);
    socket.on("error", fail);
    socket.on("close", close);
    socket.resume();
  });
}
