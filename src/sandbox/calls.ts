/**
 * Which tool call asked for a program or for a change of a file: what replies ask the agent for, beside what the recorder
 * tells. By texts alone: a shell that holds the command of a call among its arguments, a program that is one of the
 * command's own words, a file that a call writes. What matches nothing is told without a call; nothing is guessed from
 * the time at which things happen. A call is the doing of one program at most: the same command, run again by the agent
 * itself, is not the call's.
 *
 * Pure but for what it remembers, which is bounded and may be forgotten: then things are told without a call.
 */
import { basename, posix } from "node:path";
import type { AskingCall, ExchangeId } from "../core/index.ts";

/** A call, as the dialect reads it from a reply. */
export interface AskedFor {
  readonly tool: string;
  readonly number: number;
  readonly commands: readonly string[];
  readonly paths: readonly string[];
}

/** What a reply that was read late explains of what had been told. */
export interface Late {
  readonly call: AskingCall;
  readonly commands: readonly number[];
  readonly paths: readonly string[];
}

interface Wanted {
  readonly call: AskingCall;
  readonly command: string;
  /** As they may stand in an argument: as it is, and as quoting for a shell leaves it. */
  readonly forms: readonly string[];
  /** The words of its simple commands. */
  readonly simple: readonly (readonly string[])[];
  /** A shell that holds all of it was seen. */
  isRun: boolean;
}

interface Unexplained {
  readonly command: number;
  readonly words: readonly string[];
}

const MOST_WANTED = 256;
const MOST_PATHS = 1_000;
const MOST_COMMANDS = 100_000;
const MOST_UNEXPLAINED = 256;
const SHELL = /^-?(?:ba|z|da|k|a|fi)?sh$/;

export class Calls {
  readonly #workspace: string;
  readonly #cwd: string;
  /** Oldest first. */
  #wanted: Wanted[] = [];
  readonly #paths = new Map<string, AskingCall>();
  /** Commands that are a call's doing, and those that these started. */
  readonly #explained = new Set<number>();
  #commands: Unexplained[] = [];
  /** By path: told without a call. */
  readonly #changes = new Set<string>();

  /** Absolute paths: the workspace, and where the agent was started. */
  constructor(workspace: string, cwd: string = workspace) {
    this.#workspace = workspace;
    this.#cwd = cwd;
  }

  /** What a reply asks for. Returns what of it had been told before. */
  ask(exchange: ExchangeId, calls: readonly AskedFor[]): readonly Late[] {
    const late: Late[] = [];
    for (const { tool, number, commands, paths } of calls) {
      const call: AskingCall = { exchange, tool, number };
      const wanted = commands.filter((one) => one.trim() !== "").map((one) => wantedOf(call, one));
      this.#wanted = [...this.#wanted, ...wanted].slice(-MOST_WANTED);
      const files = paths.map((path) => this.place(path));
      for (const path of files) remember(this.#paths, path, call, MOST_PATHS);
      const began = this.#commands.filter(({ words }) => wanted.some((one) => isDoing(one, words)));
      this.#commands = this.#commands.filter((one) => !began.includes(one));
      for (const { command } of began) this.#explain(command);
      const changed = [...this.#changes].filter(
        (path) => files.includes(path) || wanted.some((one) => isNamed(one, path)),
      );
      for (const path of changed) this.#changes.delete(path);
      if (began.length + changed.length > 0)
        late.push({ call, commands: began.map(({ command }) => command), paths: changed });
    }
    return late;
  }

  /** The call that a program which starts now is the doing of. Null also where the command that started it has one. */
  ofCommand(command: number, parent: number, words: readonly string[]): AskingCall | null {
    if (this.#explained.has(parent)) {
      this.#explain(command);
      return null;
    }
    const wanted = this.#wanted.find((one) => isDoing(one, words));
    if (wanted === undefined) {
      this.#commands.push({ command, words });
      if (this.#commands.length > MOST_UNEXPLAINED) this.#commands.shift();
      return null;
    }
    this.#explain(command);
    return wanted.call;
  }

  /** The call that names the file, where the command that changes it is no call's doing. `path` as {@link place} says it. */
  ofChange(command: number, path: string, to: string | null): AskingCall | null {
    if (this.#explained.has(command)) return null;
    for (const one of to === null ? [path] : [to, path]) {
      const call = this.#paths.get(one) ?? this.#wanted.find((wanted) => isNamed(wanted, one))?.call;
      if (call !== undefined) return call;
    }
    this.#changes.add(to ?? path);
    for (const oldest of this.#changes)
      if (this.#changes.size > MOST_UNEXPLAINED) this.#changes.delete(oldest);
      else break;
    return null;
  }

  /** Relative to the workspace where it is in it, else absolute. */
  place(path: string): string {
    const whole = posix.resolve(this.#cwd, path.replace(/^file:\/\//, ""));
    if (whole === this.#workspace) return ".";
    return whole.startsWith(`${this.#workspace}/`) ? whole.slice(this.#workspace.length + 1) : whole;
  }

  #explain(command: number): void {
    if (this.#explained.size >= MOST_COMMANDS) this.#explained.clear();
    this.#explained.add(command);
  }
}

function wantedOf(call: AskingCall, command: string): Wanted {
  const text = command.trim();
  // `'` as shell quoting writes it within single quotes, and `"` within double ones.
  const forms = [
    text,
    text.replaceAll("'", `'\\''`),
    text.replaceAll("'", `'"'"'`),
    text.replace(/["\\$`]/g, "\\$&"),
  ];
  return { call, command: text, forms: [...new Set(forms)], simple: simpleCommands(text), isRun: false };
}

/** Marks what it matches: a shell that holds the whole command is the doing of one call. */
function isDoing(wanted: Wanted, words: readonly string[]): boolean {
  if (wanted.isRun) return false;
  const name = basename(words[0] ?? "");
  const held = words.slice(1).some((word) => wanted.forms.some((form) => holds(word, form)));
  // A program between the agent and the shell (a sandbox, a terminal) holds the command among its arguments, too.
  const isShell = SHELL.test(name) || words.slice(1).some((word) => SHELL.test(basename(word)));
  if (held && isShell) {
    wanted.isRun = true;
    return true;
  }
  return wanted.simple.some(
    (simple) =>
      simple.length === words.length &&
      basename(simple[0] ?? "") === name &&
      simple.every((word, at) => at === 0 || word === words[at]),
  );
}

/** The text, with nothing that would make it part of a longer word. */
function holds(word: string, text: string): boolean {
  for (let at = word.indexOf(text); at >= 0; at = word.indexOf(text, at + 1))
    if (!isWordEnd(word[at - 1], text[0]) && !isWordEnd(word[at + text.length], text.at(-1))) return true;
  return false;
}

const PART = /[\w./-]/;
const isWordEnd = (beyond: string | undefined, within: string | undefined): boolean =>
  beyond !== undefined && PART.test(beyond) && PART.test(within ?? "");

/** A shell that reads commands as it goes on changes files itself: the command's text names them. */
const isNamed = ({ isRun, command }: Wanted, path: string): boolean =>
  !isRun && path.length > 2 && holds(command, path);

const MOST_TEXT = 20_000;
const MOST_SIMPLE = 50;

/** Words of the simple commands of a line, quotes undone; those with anything that a shell would replace are left out. */
function simpleCommands(line: string): readonly (readonly string[])[] {
  const found: string[][] = [[]];
  const tokens = line
    .slice(0, MOST_TEXT)
    .matchAll(
      /\s*(?:(&&|\|\||[;|&\n()])|(\d*[<>]{1,2}&?\s*)|((?:'[^']*'|"(?:[^"\\]|\\.)*"|\\.|[^\s;|&()<>'"\\])+))/g,
    );
  let isTarget = false;
  for (const [, end, redirects, word] of tokens) {
    if (end !== undefined) found.push([]);
    else if (redirects !== undefined) isTarget = true;
    else if (isTarget) isTarget = false;
    else if (word !== undefined && !(found.at(-1)?.length === 0 && /^\w+=/.test(word)))
      found.at(-1)?.push(unquoted(word));
  }
  return found.filter((words) => words.length > 0).slice(0, MOST_SIMPLE);
}

const unquoted = (word: string): string =>
  word.replace(/'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)/g, (_, single, double, plain) =>
    String(single ?? (double as string | undefined)?.replace(/\\(["\\$`])/g, "$1") ?? plain),
  );

/** Latest last; the oldest goes where there are too many. */
function remember(map: Map<string, AskingCall>, path: string, call: AskingCall, most: number): void {
  map.delete(path);
  map.set(path, call);
  for (const oldest of map.keys()) {
    if (map.size <= most) return;
    map.delete(oldest);
  }
}
