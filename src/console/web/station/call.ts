/**
 * The one way from the pages to the server they came from. Everything is same-origin; what changes something bears the
 * anti-forgery word that `GET api/me` gave. What goes wrong is a {@link Refused}, which names the fault as the CLI does.
 */
import type { Answer } from "../../api/answer.ts";

export interface Told {
  readonly code: string;
  /** What happened, in words. */
  readonly what: string;
  readonly detail: string | null;
  /** Where: a file's place, a field. */
  readonly at: string | null;
  readonly remedy: string | null;
}

/** A request that did not bring what it asked for. `status` 0: the server was not reached. */
export class Refused extends Error {
  readonly status: number;
  readonly told: Told;

  constructor(status: number, told: Told) {
    super(told.what);
    this.status = status;
    this.told = told;
  }
}

export type Query = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** `path` with those of `query` that have a value, in the order of their names. */
export function address(path: string, query: Query = {}): string {
  const pairs = Object.entries(query)
    .filter((pair): pair is [string, string | number | boolean] => pair[1] !== null && pair[1] !== undefined)
    .filter(([, value]) => value !== "")
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`);
  const at = `api/${path}`;
  return pairs.length === 0 ? at : `${at}${at.includes("?") ? "&" : "?"}${pairs.join("&")}`;
}

const textAt = (from: Readonly<Record<string, unknown>>, name: string): string | null => {
  const value = from[name];
  return typeof value === "string" && value !== "" ? value : null;
};

/** Reads the server's fault; what is none is told by its status. */
export function toldOf(status: number, body: unknown): Told {
  const outer = typeof body === "object" && body !== null ? (body as Record<string, unknown>) : {};
  const inner = outer["fault"] ?? outer["error"] ?? outer;
  const from = typeof inner === "object" && inner !== null ? (inner as Record<string, unknown>) : {};
  return {
    code: textAt(from, "code") ?? `http.${status}`,
    what:
      textAt(from, "what") ??
      textAt(from, "summary") ??
      textAt(from, "message") ??
      `the server answered ${status}`,
    detail: textAt(from, "detail") ?? textAt(from, "why"),
    at: textAt(from, "at") ?? textAt(from, "where"),
    remedy: textAt(from, "remedy"),
  };
}

async function ask(url: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, {
      credentials: "same-origin",
      redirect: "error",
      cache: "no-store",
      ...init,
    });
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === "AbortError") throw cause;
    throw new Refused(0, {
      code: "console.unreachable",
      what: "the console's server does not answer",
      detail: null,
      at: null,
      remedy: "start it again: `sallyport console`",
    });
  }
  if (response.ok) return response;
  const body: unknown = await response.json().catch(() => null);
  throw new Refused(response.status, toldOf(response.status, body));
}

/** `GET`, as JSON with its envelope. The types are the server's, of src/console/api. */
export async function get<T>(path: string, query?: Query, signal?: AbortSignal): Promise<Answer<T>> {
  const response = await ask(address(path, query), {
    headers: { accept: "application/json" },
    ...(signal === undefined ? {} : { signal }),
  });
  return (await response.json()) as Answer<T>; // the server and these pages are of one build
}

/** `GET`, as bytes: tiles, checkpoints, evidence. */
export async function getBytes(path: string, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
  const response = await ask(address(path), signal === undefined ? {} : { signal });
  return new Uint8Array(await response.arrayBuffer());
}

/** What changes something, or is recorded as having been looked at. */
export async function send<T>(
  method: "POST" | "PUT" | "DELETE",
  path: string,
  body: unknown,
  csrf: string,
): Promise<Answer<T>> {
  const response = await ask(address(path), {
    method,
    headers: { accept: "application/json", "content-type": "application/json", "x-sallyport-csrf": csrf },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  return text === "" ? ({ data: null } as Answer<T>) : (JSON.parse(text) as Answer<T>); // as above
}

/** What answers with a file: it is saved under the name that the server gives it. */
export async function sendForFile(path: string, body: unknown, csrf: string): Promise<void> {
  const response = await ask(address(path), {
    method: "POST",
    headers: { "content-type": "application/json", "x-sallyport-csrf": csrf },
    body: JSON.stringify(body),
  });
  const name =
    /filename="?([\w.-]+)"?/.exec(response.headers.get("content-disposition") ?? "")?.[1] ??
    "sallyport.ndjson";
  const url = URL.createObjectURL(await response.blob());
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}
