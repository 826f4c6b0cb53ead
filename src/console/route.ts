/**
 * A route of the console: what it is asked with, which right it needs, what it answers. A page is a file that makes routes
 * from its {@link Rooms}; `routes.ts` lists the files, `server.ts` is the only one that knows of HTTP.
 *
 * Rules: a handler hears of a request only after its right was checked; what comes from outside (query, parameters, body) is
 * parsed by the route's own strict schema before; what a handler throws becomes a fault with its status.
 */
import type { Readable } from "node:stream";
import type { z } from "zod";
import type { Rows } from "./api/answer.ts";
import type { Right, Role } from "./api/me.ts";

/** Somebody who is signed in. */
export interface User {
  /** Names the signed-in session; never the cookie. */
  readonly id: string;
  readonly principal: string;
  readonly roles: readonly Role[];
  readonly rights: ReadonlySet<Right>;
  readonly language: "en" | "zh-CN";
}

export interface Ask<Q = unknown, B = unknown> {
  readonly user: User;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Q;
  readonly body: B;
  /** Aborts when whoever asked has gone. */
  readonly signal: AbortSignal;
}

export interface PageAsk {
  readonly limit: number;
  /** Null: from the beginning. */
  readonly cursor: string | null;
}

interface Common<Q, B> {
  readonly method: "GET" | "POST";
  /** As find-my-way has it: `/api/sessions/:id`. */
  readonly path: `/api/${string}`;
  /** All of them are needed. */
  readonly rights: readonly Right[];
  /** Of the query; none: there may be none. */
  readonly query?: z.ZodType<Q>;
  /** Of the JSON body; none: it must be `{}`. */
  readonly body?: z.ZodType<B>;
}

/** Answers one value. */
export interface ValueRoute<Q, B> extends Common<Q, B> {
  readonly kind: "value";
  readonly handle: (
    ask: Ask<Q, B>,
  ) =>
    | { readonly data: unknown; readonly filter?: string }
    | Promise<{ readonly data: unknown; readonly filter?: string }>;
}

/** Answers a page of rows, or with `format` all of them as a file. */
export interface ListRoute<Q, B> extends Common<Q, B> {
  readonly kind: "list";
  /** Of the file, without its ending. */
  readonly name: string;
  /** Of the CSV: title, and the cell of a row. */
  readonly columns: readonly Column[];
  /** Of a page; default 500. */
  readonly maxLimit?: number;
  readonly page: (ask: Ask<Q, B>, page: PageAsk) => ListAnswer | Promise<ListAnswer>;
}

export interface ListAnswer extends Rows<object> {
  readonly filter?: string;
}

/** A field of a row by its name, or by a function of the row. */
export type Column = string | readonly [title: string, cell: (row: never) => unknown];

/** Answers bytes. */
export interface FileRoute<Q, B> extends Common<Q, B> {
  readonly kind: "file";
  readonly handle: (ask: Ask<Q, B>) => Promise<FileAnswer>;
}

export interface FileAnswer {
  readonly type: string;
  readonly bytes: Buffer | Readable;
  /** A download under that name; none: shown in place. */
  readonly name?: string;
}

/** Answers with events as they happen, until whoever asked goes. */
export interface LiveRoute<Q, B> extends Common<Q, B> {
  readonly kind: "live";
  readonly handle: (ask: Ask<Q, B>, tell: (event: { readonly what: string }) => void) => () => void;
}

// The table holds routes of every query and body; each is parsed by its own schema before its handler sees it.
export type Route = {
  readonly [K in "value" | "list" | "file" | "live"]: AnyRoute<K>;
}["value" | "list" | "file" | "live"];
type AnyRoute<K> = K extends "value"
  ? ValueRoute<never, never>
  : K extends "list"
    ? ListRoute<never, never>
    : K extends "file"
      ? FileRoute<never, never>
      : LiveRoute<never, never>;

/** A route whose handler knows the types that its own schemas give. */
export const valueRoute = <Q = Record<string, never>, B = Record<string, never>>(
  route: Omit<ValueRoute<Q, B>, "kind">,
): Route => ({ kind: "value", ...route }) as unknown as Route; // see Route
export const listRoute = <Q = Record<string, never>, B = Record<string, never>>(
  route: Omit<ListRoute<Q, B>, "kind">,
): Route => ({ kind: "list", ...route }) as unknown as Route; // see Route
export const fileRoute = <Q = Record<string, never>, B = Record<string, never>>(
  route: Omit<FileRoute<Q, B>, "kind">,
): Route => ({ kind: "file", ...route }) as unknown as Route; // see Route
export const liveRoute = <Q = Record<string, never>, B = Record<string, never>>(
  route: Omit<LiveRoute<Q, B>, "kind">,
): Route => ({ kind: "live", ...route }) as unknown as Route; // see Route
