/**
 * Text within an element, and the units it is cut into.
 *
 * A unit is what an agent repeats as a whole: a content block, an input item, a tool. Agents move cache marks and write
 * the same message now as a string, now as a list of one text block (measured: claude 2.1.329), so whether content is
 * new is asked of units: by the text in them, cache marks left out, a plain string taken for a text block.
 */
import { isUtf8 } from "node:buffer";
import { hash } from "node:crypto";
import { instructionFiles } from "./instruction.ts";
import type { Role } from "./request.ts";
import { escaped, MAX_DEPTH } from "./token.ts";
import type { ToolUse } from "./tool.ts";

/** A text and where it stands, seen from the element. */
export interface Piece {
  readonly pointer: string;
  readonly role: Role;
  readonly text: string;
}

/** A cut of an element, as a protocol's reader makes it. */
export interface Cut {
  /** Pointer from the element. */
  readonly pointer: string;
  readonly value: unknown;
  readonly role: Role;
  /** The agent's model asked for a tool here. */
  readonly call?: CalledTool;
  /** This is the result of a tool call. */
  readonly result?: ToolResult;
}

export interface CalledTool {
  readonly id: string | null;
  readonly name: string;
  readonly use: ToolUse;
}

/** Of which call: by its id, else by the tool's name, unless the result itself says. */
export interface ToolResult {
  readonly id: string | null;
  readonly name: string | null;
  readonly use?: ToolUse;
}

export interface Unit {
  /** Equal for units with equal content. */
  readonly key: string;
  readonly pieces: readonly Piece[];
  readonly call: CalledTool | null;
  readonly result: ToolResult | null;
  /** Files of instructions that its text holds. */
  readonly files: readonly string[];
}

/**
 * Words of the protocols themselves, which are no content anywhere. Everything else that is text becomes a part, also
 * names of members: what a field is called is as good a hiding place as what it holds.
 */
const WORDS: ReadonlySet<string> = new Set(
  `additional_tools any arguments array assistant auto base64 boolean cache_control call_id choices completed contents
  content cwd custom custom_tool_call custom_tool_call_output data description detail developer disabled document
  enabled enum ephemeral error false file_path format function functionCall functionDeclarations functionResponse
  function_call function_call_output high id image image_url in_progress input input_image input_schema input_text
  integer is_error items json json_schema jsonrpc low max_tokens maximum media_type medium message messages metadata
  method minimum model name none null number object oneOf output output_text parallel_tool_calls parameters params
  parts path pattern properties reasoning refusal required response result role schema signature source stop_reason
  strict string summary system temperature text thinking title tool toolCall toolResult toolUse tool_call_id tool_calls
  tool_choice tool_result tool_use tool_use_id tools true ttl type url user`.split(/\s+/),
);

const LONGEST_WORD = Math.max(...Array.from(WORDS, ({ length }) => length));

/** Members whose text says nothing when read: encoded media and what providers sign or encrypt. */
const ENCODED_MEMBERS: ReadonlySet<string> = new Set(
  "signature thoughtSignature thought_signature encrypted_content bytes b64_json file_data".split(" "),
);
const CACHE_MARKS: ReadonlySet<string> = new Set(["cache_control", "cachePoint", "copilot_cache_control"]);
/** `data` is media when a sibling says of what type; anywhere else it is text. */
const MEDIA_TYPES = ["media_type", "mimeType", "mime_type"] as const;
const LONG_NUMBER = 100_000_000;

/** One unit, and one more for what stands in cache marks: that comes and goes, and must not hide behind the rest. */
export function unitsOf(cut: Cut): readonly Unit[] {
  const pieces: Piece[] = [];
  const marks: Piece[] = [];
  // Two commands with the same output are two results.
  const told: string[] = cut.result?.id ? [cut.result.id] : [];
  const isText = typeof cut.value === "string";
  collect(isText ? { text: cut.value } : cut.value, "", cut.role, (pointer, role, text, isMark) => {
    (isMark ? marks : pieces).push({ pointer: isText ? cut.pointer : cut.pointer + pointer, role, text });
    if (!isMark) told.push(pointer, text);
  });
  if (pieces.length + marks.length === 0 && cut.call === undefined && cut.result === undefined) return [];
  const files = pieces.flatMap(({ role, text }) =>
    role === "system" || role === "user" ? instructionFiles(text) : NO_FILES,
  );
  const { call = null, result = null } = cut;
  const unit = { key: keyOf(cut.role, told), pieces, call, result, files };
  if (marks.length === 0) return [unit];
  const markKey = keyOf(
    "mark",
    marks.map(({ text }) => text),
  );
  return [unit, { key: markKey, pieces: marks, call: null, result: null, files: NO_FILES }];
}

const NO_FILES: readonly string[] = [];

/** With its length before each text, no two lists of texts join to the same; what is short is its own key. */
function keyOf(role: string, texts: readonly string[]): string {
  let content = role;
  for (const text of texts) content += ` ${text.length}:${text}`;
  return content.length <= KEY_CHARS ? content : hash("sha256", content, "base64url").slice(0, KEY_CHARS);
}

const KEY_CHARS = 32;

type Tell = (pointer: string, role: Role, text: string, isMark: boolean) => void;

/** Every text in a value: strings, names, and numbers long enough to be an account's. */
function collect(value: unknown, pointer: string, role: Role, tell: Tell, isMark = false, depth = 0): void {
  if (typeof value === "string") {
    // Asking a set costs a pass over the text, so long ones are not asked for.
    if (value !== "" && (value.length > LONGEST_WORD || !WORDS.has(value)))
      tell(pointer, value.startsWith("data:") && ENCODED.test(value) ? "encoded" : role, value, isMark);
    const text = value.length < MIN_BASE64 ? null : textInBase64(value);
    if (text !== null) tell(pointer, role === "encoded" ? "opaque" : role, text, isMark);
    return;
  }
  if (typeof value === "number") {
    if (Math.abs(value) >= LONG_NUMBER) tell(pointer, role, String(value), isMark);
    return;
  }
  if (typeof value !== "object" || value === null || depth > MAX_DEPTH) return;
  if (Array.isArray(value)) {
    const spelt = speltIn(value);
    if (spelt !== null) tell(pointer, role, spelt, isMark);
    for (let i = 0; i < value.length; i++)
      collect(value[i], `${pointer}/${i}`, role, tell, isMark, depth + 1);
    return;
  }
  // A parsed JSON object: its members are unknown.
  const object = value as Readonly<Record<string, unknown>>;
  const isMedia = MEDIA_TYPES.some((name) => typeof object[name] === "string");
  for (const name of Object.keys(object)) {
    const field = object[name];
    const isEncoded = ENCODED_MEMBERS.has(name) || (isMedia && name === "data");
    const inner = isEncoded && typeof field === "string" && ENCODED.test(field) ? "encoded" : role;
    collect(field, `${pointer}/${escaped(name)}`, inner, tell, isMark || CACHE_MARKS.has(name), depth + 1);
  }
  // Behind all of them: a token may be cut over members that follow each other.
  for (const [name, field] of Object.entries(object)) {
    const named = namedIn(name, field);
    if (named !== null) tell(`${pointer}/${escaped(name)}`, role, named, isMark);
  }
  const names = oddNames(Object.keys(object));
  if (names !== "") tell(pointer, "metadata", names, isMark);
}

/** What only its name tells from any other word is told with it once more; null: the name says nothing of the kind. */
export function namedIn(name: string, field: unknown): string | null {
  if (!tells(name)) return null;
  if (typeof field === "number") return `${name} = "${field}"`;
  return typeof field === "string" && field.length >= MIN_NAMED && field.length <= MOST_NAMED
    ? `${name} = "${field}"`
    : null;
}

export const tells = (name: string): boolean => name.length <= LONGEST_NAME && TELLING_NAME.test(name);

const TELLING_NAME =
  /(?:^|[_.-]|[a-z](?=[A-Z]))(?:pass(?:word|wd|phrase)|pwd|(?:client|shared|app|signing|webhook)[_-]?secret|secret(?:[_-]?key)?|(?:api|private|access|account|encryption|wallet)[_-]?key|(?:auth|access|refresh|bearer)[_-]?token|ssn|social[_-]?security(?:[_-]?number)?|routing(?:[_-]?number)?|aba|mnemonic|seed[_-]?phrase)$/i;
const LONGEST_NAME = 64;
const MIN_NAMED = 6;
const MOST_NAMED = 1200;

/** A list of single characters, or of their codes, is read as the text that it spells. */
function speltIn(list: readonly unknown[]): string | null {
  if (list.length < MIN_SPELT) return null;
  if (list.every((item) => typeof item === "string" && item.length === 1)) return list.join("");
  const isCode = (item: unknown): item is number =>
    typeof item === "number" && Number.isInteger(item) && item >= 0x20 && item < 0x7f;
  return list.every(isCode) ? String.fromCharCode(...list.slice(0, MOST_SPELT)) : null;
}

const MIN_SPELT = 16;
const MOST_SPELT = 10_000;

/** The names that are no protocol's, a line for each. */
export const oddNames = (names: readonly string[]): string =>
  names.filter((name) => !WORDS.has(name) && !KNOWN_NAMES.test(name)).join("\n");

/** Short names of lower-case words: too many to list, too short to hold anything. */
const KNOWN_NAMES = /^[a-z]{1,16}([_A-Z$-][a-z]{0,12}){0,3}$/;

/** Base64 all the way: a name or a prefix alone must not make text pass as media. */
const ENCODED = /^(data:[\w.+-]+\/[\w.+;=-]{1,100};base64,)?[A-Za-z0-9+/_=\r\n-]*$/;

const MIN_BASE64 = 20;

/** Text that was sent in base64 (claude's event log does it, attachments are); null when it is anything else. */
function textInBase64(value: string): string | null {
  if (!ENCODED.test(value)) return null;
  const bytes = Buffer.from(value.slice(value.startsWith("data:") ? value.indexOf(",") + 1 : 0), "base64");
  if (bytes.length < MIN_BASE64 / 2 || !isUtf8(bytes)) return null;
  const text = bytes.toString("utf8");
  return CONTROL.test(text) ? null : text;
}

/** Control characters that no text has. */
export const CONTROL = /[\0-\x08\x0e-\x1a\x1c-\x1f]/;

/** Names of all objects within a parsed value, counted as a scan of its text counts them. */
export function countNames(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  let count = 0;
  if (Array.isArray(value)) {
    for (const item of value) count += countNames(item);
    return count;
  }
  for (const item of Object.values(value)) count += 1 + countNames(item);
  return count;
}
