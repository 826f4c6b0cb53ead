/**
 * What each tool call of the model did inside: programs, files, exit code, as a fold over the recorder's events. A command
 * without a call of its own has that of the command that started it (core/event.ts).
 */
import type { AskingCall, LedgerEvent } from "../core/index.ts";

export interface DeclaredCall extends AskingCall {
  /** Names of the programs, each once, in the order in which they started. */
  readonly programs: readonly string[];
  /** How many programs started. */
  readonly started: number;
  /** Files and folders that it changed, relative to the workspace: at most the first {@link MOST_PATHS}. */
  readonly changed: readonly string[];
  /** How many they are. */
  readonly changes: number;
  /** Of its first program; null: not known, or ended by a signal. */
  readonly exitCode: number | null;
}

const MOST_PATHS = 100;
const MOST_NAMES = 20;
const MOST_UNEXPLAINED = 10_000;

interface Doing {
  readonly call: AskingCall;
  first: number | null;
  started: number;
  readonly programs: Set<string>;
  readonly changed: Set<string>;
}

/** Owned by whoever made it; grows with the number of commands and changed files. */
export class CallFold {
  readonly #doings = new Map<string, Doing>();
  readonly #byCommand = new Map<number, Doing>();
  /** What commands without a call did, as a reply that is read later may explain it. */
  readonly #parents = new Map<number, number>();
  readonly #names = new Map<number, string>();
  readonly #exits = new Map<number, number | null>();
  readonly #changes: { readonly command: number; readonly path: string }[] = [];

  add(event: LedgerEvent): void {
    switch (event.kind) {
      case "command.started":
        for (const { command, parent, program, call } of event.commands) {
          if (parent !== null) this.#parents.set(command, parent);
          this.#names.set(command, program.slice(program.lastIndexOf("/") + 1));
          if (call !== undefined) this.#byCommand.set(command, this.#of(call));
        }
        break;
      case "command.ended":
        for (const { command, exitCode } of event.commands) this.#exits.set(command, exitCode);
        break;
      case "file.changed":
        for (const { command, path, to, call } of event.changes) {
          const doing = call === undefined ? this.#doingOf(command) : this.#of(call);
          if (doing !== null) doing.changed.add(to ?? path);
          else if (this.#changes.length < MOST_UNEXPLAINED) this.#changes.push({ command, path: to ?? path });
        }
        break;
      case "call.matched": {
        const doing = this.#of(event.call);
        for (const command of event.commands) this.#byCommand.set(command, doing);
        for (const path of event.paths) doing.changed.add(path);
        break;
      }
      default:
        break;
    }
  }

  calls(): readonly DeclaredCall[] {
    for (const doing of this.#doings.values()) {
      doing.programs.clear();
      doing.started = 0;
      doing.first = null;
    }
    for (const [command, name] of this.#names) {
      const doing = this.#doingOf(command);
      if (doing === null) continue;
      doing.started += 1;
      doing.first ??= command;
      if (doing.programs.size < MOST_NAMES) doing.programs.add(name);
    }
    for (const { command, path } of this.#changes) this.#doingOf(command)?.changed.add(path);
    return [...this.#doings.values()].map(({ call, first, started, programs, changed }) => ({
      ...call,
      ...{ programs: [...programs], started, changed: [...changed].slice(0, MOST_PATHS) },
      ...{ changes: changed.size, exitCode: first === null ? null : (this.#exits.get(first) ?? null) },
    }));
  }

  /** Of the command, or of the nearest above it that has one. Parents have smaller numbers, so this ends. */
  #doingOf(command: number): Doing | null {
    for (let at: number | undefined = command; at !== undefined; at = this.#parents.get(at)) {
      const doing = this.#byCommand.get(at);
      if (doing !== undefined) return doing;
    }
    return null;
  }

  #of(call: AskingCall): Doing {
    const key = `${call.exchange} ${call.number}`;
    const known = this.#doings.get(key);
    if (known !== undefined) return known;
    const made: Doing = {
      ...{ call, first: null, started: 0 },
      ...{ programs: new Set<string>(), changed: new Set<string>() },
    };
    this.#doings.set(key, made);
    return made;
  }
}

/** Lines for a terminal, one a call, without colours. */
export function callLines(calls: readonly DeclaredCall[], most: number): readonly string[] {
  const lines = calls
    .slice(0, most)
    .map(({ exchange, tool, programs, started, changed, changes, exitCode }) => {
      const ran = started === 0 ? [] : [`${list(programs, started)}${exitCode ? ` (exit ${exitCode})` : ""}`];
      const wrote = changes === 0 ? [] : [`changed ${list(changed, changes)}`];
      return `${tool} ${exchange}: ${[...ran, ...wrote].join("; ") || "nothing seen"}`;
    });
  return calls.length > most ? [...lines, `and ${calls.length - most} more calls`] : lines;
}

function list(names: readonly string[], total: number): string {
  const shown = names.slice(0, 4);
  return shown.join(", ") + (total > shown.length ? ` (${total} in all)` : "");
}
