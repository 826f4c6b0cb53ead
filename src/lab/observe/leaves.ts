/**
 * A request as an ordered list of items: each a place (what kind of thing, where) and one line of text. Document order is
 * kept, so that the order of headers, of JSON keys and of lines can be compared apart from what they say.
 *
 * JSON is read by a tokenizer of its own: key order, duplicate keys, spacing, number spelling and escapes are what a
 * parser throws away. Text inside text (JSON in a string, base64 of text) is opened, up to three deep.
 */
import zlib from "node:zlib";
import { helloLines } from "../chamber/hello.ts";
import type { SeenRequest } from "./http.ts";

export type Section = "request" | "headers" | "body" | "handshake" | "framing" | "files" | "content";

export interface Item {
  readonly section: Section;
  /** `user-agent`, or a JSON pointer; array positions are `*`. */
  readonly path: string;
  /** One line, its line end included. */
  readonly text: string;
}

const MAX_DEPTH = 3;
/** Above this a body is compared as text lines: nothing an agent sends in one session comes near. */
const MAX_JSON_BYTES = 32 * 1024 * 1024;
const MIN_BASE64 = 24;

export function itemsOf(request: SeenRequest): readonly Item[] {
  const items: Item[] = [];
  const add = (section: Section, path: string, text: string): void => {
    for (const line of linesOf(text)) items.push({ section, path, text: line });
  };
  const open = (section: Section, path: string, value: string): void => {
    openedItems(value, path, (at, text) => add(section, at, text));
  };
  if (request.requestLine !== "") {
    add("request", "line", requestText(request.requestLine));
    for (const [, name = "", value = ""] of request.requestLine.matchAll(/[?&]([^=&\s]*)=([^&\s]*)/g))
      open("request", `query ${name}`, value);
  }
  for (const line of request.headerLines) {
    const name = line.slice(0, Math.max(line.indexOf(":"), 0)).toLowerCase();
    add("headers", name, headerText(name, line, request.body.length));
    for (const [, word = ""] of line.slice(name.length + 1).matchAll(/([^\s;,=]+={0,2})/g))
      open("headers", name, word);
  }
  for (const line of request.framing) add("framing", line.replace(/ .*$/s, ""), line);
  if (request.hello !== null)
    for (const line of helloLines(request.hello)) add("handshake", line.split(" ")[0] ?? "", line);
  if (request.tlsError !== null) add("handshake", "error", request.tlsError.replaceAll(/^[0-9A-F]+:/gm, ""));
  bodyItems(request.body, (path, text) => add("body", path, text));
  return items;
}

/** The query's parts on lines of their own, so that their order can be compared; odd marks between them on another. */
function requestText(line: string): string {
  const marks = (line.match(/[?&;]/g) ?? []).join("");
  const parts = line.replace(/ (?=HTTP\/1\.[01]$)/, "\n").replaceAll(/[?&]/g, "\n");
  return /^(?:\?&*)?$/.test(marks) ? parts : `${parts}\nmarks ${marks}`;
}

/** A length that is right says nothing of its own. */
function headerText(name: string, line: string, bodyBytes: number): string {
  if (name !== "content-length") return line;
  return line.replace(/\d+$/, (digits) => (Number(digits) === bodyBytes ? "‹length of the body›" : digits));
}

/** Lines with their ends: a changed line end is a change. */
const linesOf = (text: string): readonly string[] =>
  text === "" ? [""] : (text.match(/[^\n]*\n|[^\n]+$/g) ?? [text]);

type Add = (path: string, text: string) => void;

function bodyItems(body: Buffer, add: Add): void {
  if (body.length === 0) return;
  const opened = unzipped(body);
  const isPacked = opened !== body && readable(opened) !== null;
  if (isPacked) add("packed", body.toString("hex", 0, 2));
  textBodyItems(isPacked ? opened : body, add);
}

function textBodyItems(body: Buffer, add: Add): void {
  const text = body.toString("utf8");
  const isText = !text.includes("\uFFFD") || body.includes("\uFFFD");
  if (!isText) binaryItems(body, add);
  if (!isText || textItems(text, "", add, 0)) return;
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const isMany = lines.length > 1 && lines.every((line) => /^\s*[{[]/.test(line));
  if (isMany && lines.every((line) => textItems(line, "line", add, 0))) return;
  if (/^[\w.%+\-[\]]+=[^\s]*$/.test(text))
    for (const part of text.split("&")) {
      add("form", part);
      openedItems(part.replace(/^[^=]*=/s, ""), `form ${part.replace(/=.*$/s, "")}`, add);
    }
  else add("text", text);
}

/** Runs of text on their own; the rest as hex, sixteen bytes a line. */
function binaryItems(body: Buffer, add: Add): void {
  for (const run of body.toString("latin1").match(/[\x20-\x7e]{6,}/g) ?? []) add("bytes (text)", run);
  for (let at = 0; at < body.length; at += 16) add("bytes", `${body.toString("hex", at, at + 16)}\n`);
}

/** True when the text is JSON, and was added. */
function textItems(text: string, path: string, add: Add, depth: number): boolean {
  if (!/^\s*[{[]/.test(text) || text.length > MAX_JSON_BYTES) return false;
  const found: [string, string][] = [];
  const spacing = new Set<string>();
  const reader = new JsonReader(text, spacing, (at, raw) => found.push([at, raw]));
  if (!reader.read(path)) return false;
  for (const [at, raw] of found) scalarItems(at, raw, add, depth);
  for (const gap of [...spacing].toSorted()) add(`${path} (spacing)`, gap);
  return true;
}

function scalarItems(path: string, raw: string, add: Add, depth: number): void {
  if (!raw.startsWith('"')) {
    add(path, raw);
    return;
  }
  // The reader has checked that it is a JSON string.
  const value = JSON.parse(raw) as string;
  const unusual = unusualEscapes(raw, value);
  if (unusual !== "") add(`${path} (escapes)`, unusual);
  if (depth < MAX_DEPTH && textItems(value, `${path}→`, add, depth + 1)) return;
  if (depth >= MAX_DEPTH || !openedItems(value, path, add, depth + 1)) add(path, value);
}

/** What a text carries inside: base64, hexadecimal or percent-encoded text. False when it carries nothing. */
function openedItems(value: string, path: string, add: Add, depth = 1): boolean {
  for (const [name, read] of OPENERS) {
    const text = read(value);
    if (text === null) continue;
    if (!textItems(text, `${path}→${name}`, add, depth)) add(`${path}→${name}`, text);
    return true;
  }
  return false;
}

const OPENERS: readonly (readonly [name: string, read: (value: string) => string | null])[] = [
  ["base64", fromBase64],
  ["hex", fromHex],
  ["percent", fromPercent],
];

/** Escapes that JSON.stringify would not have written, each once, in order. */
function unusualEscapes(raw: string, value: string): string {
  if (raw === JSON.stringify(value)) return "";
  const needed = new Set(JSON.stringify(value).match(/\\(?:u[0-9a-f]{4}|.)/g) ?? []);
  const all = new Set(raw.match(/\\(?:u[0-9a-fA-F]{4}|.)/g) ?? []);
  return [...all].filter((one) => !needed.has(one)).join(" ") || "others than usual";
}

function fromBase64(value: string): string | null {
  if (value.length < MIN_BASE64 || !/^[A-Za-z0-9+/_-]+={0,2}$/.test(value)) return null;
  return readable(unzipped(Buffer.from(value, "base64")));
}

function fromHex(value: string): string | null {
  if (value.length < MIN_BASE64 || value.length % 2 !== 0 || !/^[0-9a-f]+$/i.test(value)) return null;
  return readable(unzipped(Buffer.from(value, "hex")));
}

/** JSON in a query or a form. */
function fromPercent(value: string): string | null {
  if (!/%(?:7B|5B)/i.test(value)) return null;
  try {
    return decodeURIComponent(value);
  } catch {
    return null; // percent signs that encode nothing
  }
}

/** Above this, what unpacks is compared packed. */
const MAX_UNZIPPED = 8 * 1024 * 1024;

/** What is inside, where it is compressed as a whole; else the bytes as they are. */
export function unzipped(bytes: Buffer): Buffer {
  const limit = { maxOutputLength: MAX_UNZIPPED };
  try {
    if (bytes[0] === 0x1f && bytes[1] === 0x8b) return zlib.gunzipSync(bytes, limit);
    if (bytes[0] === 0x78) return zlib.inflateSync(bytes, limit);
  } catch {
    // It only looked compressed.
  }
  return bytes;
}

function readable(bytes: Buffer): string | null {
  const text = bytes.toString("utf8");
  const isText = Buffer.from(text, "utf8").equals(bytes) && !/[\x00-\x08\x0e-\x1f\x7f\uFFFD]/.test(text);
  return isText ? text : null;
}

/** A JSON reader that reports scalars with their raw spelling, in document order. */
class JsonReader {
  readonly #text: string;
  readonly #spacing: Set<string>;
  readonly #found: (path: string, raw: string) => void;
  #at = 0;

  constructor(text: string, spacing: Set<string>, found: (path: string, raw: string) => void) {
    this.#text = text;
    this.#spacing = spacing;
    this.#found = found;
  }

  /** False when the text is not one JSON value. */
  read(path: string): boolean {
    this.#skip("start");
    const isRead = this.#value(path, 0);
    this.#skip("end");
    return isRead && this.#at === this.#text.length;
  }

  #value(path: string, depth: number): boolean {
    if (depth > 200) return false;
    const first = this.#text[this.#at];
    if (first === "{") return this.#list(path, "}", depth);
    if (first === "[") return this.#list(path, "]", depth);
    const raw = first === '"' ? this.#string() : this.#word();
    if (raw === null) return false;
    this.#found(path === "" ? "/" : path, raw);
    return true;
  }

  #list(path: string, close: "}" | "]", depth: number): boolean {
    this.#at += 1;
    this.#skip("open");
    if (this.#text[this.#at] === close) {
      this.#at += 1;
      this.#found(path === "" ? "/" : path, close === "}" ? "{}" : "[]");
      return true;
    }
    for (;;) {
      let inner = `${path}/*`;
      if (close === "}") {
        const key = this.#text[this.#at] === '"' ? this.#string() : null;
        if (key === null) return false;
        this.#skip("before :");
        if (this.#text[this.#at] !== ":") return false;
        this.#at += 1;
        this.#skip("after :");
        inner = `${path}/${(JSON.parse(key) as string).replaceAll("~", "~0").replaceAll("/", "~1")}`;
      }
      if (!this.#value(inner, depth + 1)) return false;
      this.#skip("before ,");
      const next = this.#text[this.#at];
      this.#at += 1;
      if (next === close) return true;
      if (next !== ",") return false;
      this.#skip("after ,");
    }
  }

  #string(): string | null {
    const match = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
    match.lastIndex = this.#at;
    const found = match.exec(this.#text)?.[0];
    if (found === undefined) return null;
    this.#at += found.length;
    return found;
  }

  #word(): string | null {
    const match = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
    match.lastIndex = this.#at;
    const found = match.exec(this.#text)?.[0];
    if (found === undefined) return null;
    this.#at += found.length;
    return found;
  }

  #skip(where: string): void {
    const match = /[ \t\r\n]*/y;
    match.lastIndex = this.#at;
    const gap = match.exec(this.#text)?.[0] ?? "";
    this.#at += gap.length;
    if (gap !== "") this.#spacing.add(`${where} ${JSON.stringify(gap)}`);
  }
}
