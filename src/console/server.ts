/**
 * The console's HTTP: the only file that knows of it. Loopback alone.
 *
 * What stops what: the Host header must be this very address (DNS rebinding); nothing that changes anything is taken without
 * this origin, a JSON body and the session's csrf token; a request that another site started is refused by Sec-Fetch-Site even
 * where it only reads; no CORS header is ever sent, so no other origin reads an answer; the pages may load nothing from
 * anywhere else and run no inline script; every answer of the API is `no-store`. The cookie is HttpOnly and SameSite=Strict.
 *
 * Failure contract: a throw is a fault with its status; of an unknown throw only `internal.bug` leaves, and the rest goes to
 * the log.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import cookies from "@fastify/cookie";
import helmet from "@fastify/helmet";
import rateLimit from "@fastify/rate-limit";
import files from "@fastify/static";
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { z } from "zod";
import { asFault, FAULTS, Fault } from "../core/index.ts";
import type { Failure } from "./api/answer.ts";
import { downloadOf } from "./download.ts";
import { liveStream } from "./live-stream.ts";
import { meOf } from "./me.ts";
import type { Rooms } from "./rooms.ts";
import type { Ask, PageAsk, Route } from "./route.ts";
import { type SignedIn, WHOLE_MS } from "./sign-in.ts";

/** Requests a minute, of everybody on this machine together. */
const MAX_REQUESTS = 3000;
/** Sign-ins a minute. */
const MAX_SIGN_INS = 10;
const MAX_BODY_BYTES = 1 << 20;
const REQUEST_MS = 60_000;
const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 500;
const MAX_CURSOR = 400;

const CSP = {
  defaultSrc: ["'none'"],
  scriptSrc: ["'self'"],
  styleSrc: ["'self'"],
  imgSrc: ["'self'", "data:"],
  connectSrc: ["'self'"],
  fontSrc: ["'self'"],
  baseUri: ["'none'"],
  formAction: ["'none'"],
  frameAncestors: ["'none'"],
};

export interface Serving {
  readonly port: number;
  close(): Promise<void>;
}

export interface ServeOptions {
  readonly rooms: Rooms;
  readonly routes: readonly Route[];
  /** 0: any that is free. */
  readonly port: number;
  /** Told of what no one foresaw. */
  readonly report: (fault: Fault) => void;
  /** Fewer for tests. */
  readonly maxRequests?: number;
}

/** Resolves when it listens. Throws `console.port`. */
export async function serve(options: ServeOptions): Promise<Serving> {
  const { rooms, routes, report } = options;
  const app = fastify({
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: REQUEST_MS,
    routerOptions: { maxParamLength: 200 },
    // Answers before anything else runs, also for what no route knows.
    frameworkErrors: (error, _request, reply) => refuse(reply, asConsoleFault(error), report),
  });
  const own: { hosts: ReadonlySet<string> } = { hosts: new Set() };
  app.addHook("onRequest", async (request) => ownAddressOnly(request, own.hosts));
  await app.register(helmet, {
    contentSecurityPolicy: { useDefaults: false, directives: CSP },
    referrerPolicy: { policy: "no-referrer" },
    // Loopback is not HTTPS, and a header that says so would break the next console on this port.
    strictTransportSecurity: false,
    xFrameOptions: { action: "deny" },
  });
  await app.register(cookies);
  await app.register(rateLimit, {
    max: options.maxRequests ?? MAX_REQUESTS,
    timeWindow: 60_000,
    keyGenerator: () => "everybody",
    addHeadersOnExceeding: NO_HEADERS,
    addHeaders: { ...NO_HEADERS, "retry-after": true },
    errorResponseBuilder: () => new Fault("console.too-many", { detail: "requests a minute" }),
  });
  app.setErrorHandler((error, _request, reply) => refuse(reply, asConsoleFault(error), report));
  app.setNotFoundHandler((_request, reply) => refuse(reply, new Fault("console.unknown"), report));
  serveApi(app, rooms, routes);
  await servePages(app, rooms.places.web);
  try {
    await app.listen({ host: "127.0.0.1", port: options.port });
  } catch (cause) {
    await app.close();
    throw new Fault("console.port", { detail: String(options.port), cause });
  }
  const address = app.server.address();
  const port = typeof address === "object" && address !== null ? address.port : options.port;
  own.hosts = new Set([`127.0.0.1:${port}`, `localhost:${port}`]);
  return {
    port,
    close: async () => {
      app.server.closeAllConnections(); // live streams never end by themselves
      await app.close();
    },
  };
}

const NO_HEADERS = {
  "x-ratelimit-limit": false,
  "x-ratelimit-remaining": false,
  "x-ratelimit-reset": false,
} as const;

/** DNS rebinding, and requests that another page started. */
function ownAddressOnly(request: FastifyRequest, hosts: ReadonlySet<string>): void {
  const { host, origin, "sec-fetch-site": site } = request.headers;
  if (host === undefined || !hosts.has(host))
    throw new Fault("console.origin", { detail: "the host name is not this console's" });
  const isApi = request.url.startsWith("/api/");
  if (isApi && site !== undefined && site !== "same-origin" && site !== "none")
    throw new Fault("console.origin", { detail: "another site started it" });
  if (request.method !== "GET" && request.method !== "HEAD" && origin !== `http://${host}`)
    throw new Fault("console.origin", { detail: "it does not come from the console's own pages" });
}

function serveApi(app: FastifyInstance, rooms: Rooms, routes: readonly Route[]): void {
  app.route({
    method: "POST",
    url: "/api/sign-in",
    config: { rateLimit: { max: MAX_SIGN_INS, timeWindow: 60_000, keyGenerator: () => "sign-in" } },
    handler: async (request, reply) => {
      const { token } = parsed(z.strictObject({ token: z.string().min(1).max(100) }), request.body);
      const { cookie, session } = await rooms.signIns.redeem(token, (user) =>
        rooms.station.record({
          kind: "console.signed-in",
          principal: user.principal,
          roles: user.roles,
          link: user.id,
        }),
      );
      // Another session of this browser is over: an id is never kept across a sign-in.
      const former = rooms.signIns.find(request.cookies[cookieName(request)]);
      if (former !== null) rooms.signIns.end(former.user.id);
      reply.setCookie(cookieName(request), cookie, {
        ...{ path: "/", httpOnly: true, sameSite: "strict", maxAge: WHOLE_MS / 1000 },
      });
      return give(reply, { data: meOf(session, rooms) });
    },
  });
  app.get("/api/me", async (request, reply) => give(reply, { data: meOf(signedIn(request, rooms), rooms) }));
  app.post("/api/sign-out", async (request, reply) => {
    const session = signedIn(request, rooms);
    checkCsrf(request, session);
    rooms.signIns.end(session.user.id);
    reply.clearCookie(cookieName(request), { path: "/" });
    return give(reply, { data: {} });
  });
  for (const route of routes)
    app.route({
      method: route.method,
      url: route.path,
      handler: async (request, reply) => {
        const session = signedIn(request, rooms);
        if (route.method !== "GET") checkCsrf(request, session);
        for (const right of route.rights)
          if (!session.user.rights.has(right))
            throw new Fault("console.forbidden", { detail: `it needs the right \`${right}\`` });
        return answer(route, request, reply, session, rooms);
      },
    });
}

async function answer(
  route: Route,
  request: FastifyRequest,
  reply: FastifyReply,
  session: SignedIn,
  rooms: Rooms,
): Promise<FastifyReply> {
  const gone = new AbortController();
  reply.raw.once("close", () => gone.abort());
  const { limit, cursor, format, ...rest } = parsed(
    z.record(z.string(), z.string().max(2500)),
    request.query,
  );
  const isList = route.kind === "list";
  if (!isList && (limit ?? cursor ?? format) !== undefined)
    throw new Fault("console.invalid", { detail: "this is no list" });
  // Each handler's own schema is applied here, so that `never` is what it says it takes: see Route.
  const ask = {
    user: session.user,
    params: parsed(z.record(z.string(), z.string()), request.params),
    query: parsed(route.query ?? z.strictObject({}), rest),
    body: route.method === "GET" ? {} : parsed(route.body ?? z.strictObject({}), request.body),
    signal: gone.signal,
  } as Ask<never, never>;
  switch (route.kind) {
    case "value":
      return give(reply, await route.handle(ask));
    case "list": {
      if (format !== undefined) {
        const download = await downloadOf(route, ask, format);
        return sendFile(reply, download.type, download.name, download.bytes);
      }
      const page: PageAsk = { limit: limitOf(limit, route.maxLimit ?? MAX_LIMIT), cursor: cursorOf(cursor) };
      const { filter, ...data } = await route.page(ask, page);
      return give(reply, { data, ...(filter === undefined ? {} : { filter }) });
    }
    case "file": {
      const { type, name, bytes } = await route.handle(ask);
      return sendFile(reply, type, name, bytes);
    }
    case "live":
      return reply
        .header("cache-control", "no-store")
        .type("text/event-stream")
        .send(liveStream(route, ask, rooms.signIns, session));
    default:
      return route satisfies never;
  }
}

const give = (
  reply: FastifyReply,
  answer: { readonly data: unknown; readonly filter?: string },
): FastifyReply =>
  reply
    .header("cache-control", "no-store")
    .type("application/json; charset=utf-8")
    .send(JSON.stringify(answer));

function sendFile(reply: FastifyReply, type: string, name: string | undefined, bytes: unknown): FastifyReply {
  reply.header("cache-control", "no-store").type(type);
  // What is downloaded is never shown as a page of ours, whatever is in it.
  if (name !== undefined)
    reply.header("content-disposition", `attachment; filename="${name.replace(/[^\w.-]/g, "_")}"`);
  return reply.send(bytes);
}

/** Throws `console.signed-out`. */
function signedIn(request: FastifyRequest, rooms: Rooms): SignedIn {
  const session = rooms.signIns.find(request.cookies[cookieName(request)]);
  if (session === null) throw new Fault("console.signed-out");
  return session;
}

/** Cookies know no ports: two consoles of one machine would else sign each other out. */
const cookieName = (request: FastifyRequest): string =>
  `sallyport-${(request.headers.host ?? "").split(":")[1] ?? ""}`;

function checkCsrf(request: FastifyRequest, session: SignedIn): void {
  const given = request.headers["x-sallyport-csrf"];
  if (typeof given !== "string" || !isSame(given, session.csrf))
    throw new Fault("console.origin", { detail: "the csrf token is missing or not this session's" });
}

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
const isSame = (a: string, b: string): boolean => timingSafeEqual(digest(a), digest(b));

/** Throws `console.invalid`, naming the field. */
function parsed<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new Fault("console.invalid", {
    detail: issue === undefined ? "" : `${issue.path.join(".")}: ${issue.message}`.replace(/^: /, ""),
  });
}

function limitOf(text: string | undefined, max: number): number {
  if (text === undefined) return Math.min(DEFAULT_LIMIT, max);
  const limit = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > max) throw new Fault("console.invalid", { detail: `limit: 1 to ${max}` });
  return limit;
}

function cursorOf(text: string | undefined): string | null {
  if (text === undefined) return null;
  if (text.length > MAX_CURSOR) throw new Fault("console.invalid", { detail: "cursor: too long" });
  return text;
}

/** What the framework refuses by itself, as faults of ours. */
function asConsoleFault(error: unknown): Fault {
  if (error instanceof Fault) return error;
  const status = error instanceof Error && "statusCode" in error ? Number(error.statusCode) : 500;
  if (status === 413) return new Fault("console.invalid", { detail: "the body is too long" });
  if (status === 404) return new Fault("console.unknown");
  if (status >= 400 && status < 500)
    return new Fault("console.invalid", { detail: error instanceof Error ? error.message : "" });
  return asFault(error);
}

function refuse(reply: FastifyReply, fault: Fault, report: (fault: Fault) => void): FastifyReply {
  if (fault.code === "internal.bug") report(fault);
  const failure: Failure = {
    fault: {
      code: fault.code,
      // What nobody foresaw may hold anything.
      message: fault.code === "internal.bug" ? FAULTS["internal.bug"].summary : fault.message,
      remedy: fault.remedy,
      ...(fault.at === undefined ? {} : { at: fault.at }),
    },
  };
  return reply
    .code(fault.kind.httpStatus)
    .header("cache-control", "no-store")
    .type("application/json; charset=utf-8")
    .send(JSON.stringify(failure));
}

/** The built pages: named files below one folder, and `index.html` for `/`. */
async function servePages(app: FastifyInstance, web: string): Promise<void> {
  if (!existsSync(join(web, "index.html"))) {
    app.get("/", async (_request, reply) =>
      reply
        .code(503)
        .type("text/plain; charset=utf-8")
        .send("the pages are not built: run `npm run build:console`\n"),
    );
    return;
  }
  await app.register(files, {
    root: web,
    wildcard: false,
    index: ["index.html"],
    dotfiles: "deny",
    cacheControl: false,
    setHeaders: (response, path) => {
      // Vite names what it builds by content; the page that names them is asked for anew each time.
      const isNamedByContent = path.startsWith(join(web, "assets"));
      response.header("cache-control", isNamedByContent ? "max-age=31536000, immutable" : "no-cache");
    },
  });
}
