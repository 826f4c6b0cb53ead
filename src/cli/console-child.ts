/**
 * The console's process, as the station holds it: started when somebody asks for a link, ended with the station. It is a
 * process of its own, so that a question to a million entries holds up no agent's stream. They speak over Node's own channel;
 * when that closes, whichever end is left ends the console.
 */
import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";
import { FAULTS, Fault, type FaultCode } from "../core/index.ts";
import { localPrincipal } from "./places.ts";
import type { ConsoleAction, ConsoleAnswer } from "./talk.ts";

export const DEFAULT_PORT = 7400;
/** Until it listens; a machine at its limit takes long. */
const START_MS = 60_000;
/** An answer is a look into memory. */
const ANSWER_MS = 10_000;

/** To the console. */
export type ConsoleCall = { readonly id: number } & (
  | {
      readonly do: "link";
      readonly principal: string;
      readonly roles: readonly string[];
      readonly language: "en" | "zh-CN";
    }
  | { readonly do: "links" }
  | { readonly do: "revoke"; readonly which: string }
);

/** From the console: once when it listens or could not, and an answer for each call. */
export type ConsoleWord =
  | { readonly listens: string }
  | {
      readonly id: number | null;
      readonly fault: { readonly code: string; readonly detail?: string; readonly at?: string };
    }
  | { readonly id: number; readonly answer: Omit<ConsoleAnswer, "origin"> };

interface Running {
  readonly child: ChildProcess;
  readonly origin: string;
}

/** Owned by the station. */
export class ConsoleChild {
  #running: Promise<Running> | null = null;
  #calls = 0;
  readonly #waiting = new Map<
    number,
    { resolve: (word: Omit<ConsoleAnswer, "origin">) => void; reject: (why: Fault) => void }
  >();
  readonly #onEnd: () => void;
  /** Where it listens, while it does. */
  origin: string | null = null;

  /** `onEnd` is called each time a console that ran has ended. */
  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
  }

  get isRunning(): boolean {
    return this.#running !== null;
  }

  /** Throws `console.port`, `console.failed`, and what the console itself throws. */
  async answer(action: ConsoleAction): Promise<ConsoleAnswer> {
    if (action.do === "stop") {
      await this.close();
      return { origin: null };
    }
    if (this.#running === null && action.do !== "link")
      return action.do === "links" ? { origin: null, links: [] } : { origin: null, revoked: 0 };
    this.#running ??= this.#start(action.do === "link" ? action.port : null);
    const running = await this.#running;
    if (action.do === "link" && action.port !== null && !running.origin.endsWith(`:${action.port}`))
      throw new Fault("console.port", {
        detail: `it runs on ${running.origin}`,
        remedy: "run `sallyport console stop` first, or leave out --port",
      });
    return { origin: running.origin, ...(await this.#call(running.child, action)) };
  }

  async close(): Promise<void> {
    const running = await this.#running?.catch(() => null);
    if (running === null || running === undefined) return;
    const { child } = running;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    if (child.connected) child.disconnect(); // it ends by that
    const timer = setTimeout(() => child.kill("SIGKILL"), ANSWER_MS);
    await gone;
    clearTimeout(timer);
  }

  #call(
    child: ChildProcess,
    action: Exclude<ConsoleAction, { do: "stop" }>,
  ): Promise<Omit<ConsoleAnswer, "origin">> {
    const id = ++this.#calls;
    const call: ConsoleCall =
      action.do === "link"
        ? {
            id,
            do: "link",
            principal: principalOf(action.name),
            roles: action.roles,
            language: action.language,
          }
        : action.do === "links"
          ? { id, do: "links" }
          : { id, do: "revoke", which: action.id };
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => this.#fail(id, new Fault("console.failed", { detail: "no answer" })),
        ANSWER_MS,
      );
      this.#waiting.set(id, {
        resolve: (word) => {
          clearTimeout(timer);
          resolve(word);
        },
        reject: (why) => {
          clearTimeout(timer);
          reject(why);
        },
      });
      child.send(call, (error) => {
        if (error !== null) this.#fail(id, new Fault("console.failed", { cause: error }));
      });
    });
  }

  #fail(id: number, why: Fault): void {
    this.#waiting.get(id)?.reject(why);
    this.#waiting.delete(id);
  }

  #start(port: number | null): Promise<Running> {
    const file = import.meta.filename.endsWith(".ts") ? "console-process.ts" : "console-process.js";
    const child = fork(
      join(import.meta.dirname, file),
      port === null ? [String(DEFAULT_PORT)] : [String(port), "exact"],
      { stdio: ["ignore", "ignore", "inherit", "ipc"], execArgv: process.execArgv },
    );
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => child.kill("SIGKILL"), START_MS);
      child.on("message", (word: ConsoleWord) => {
        if ("listens" in word) {
          clearTimeout(timer);
          this.origin = word.listens;
          resolve({ child, origin: word.listens });
        } else if ("answer" in word) {
          this.#waiting.get(word.id)?.resolve(word.answer);
          this.#waiting.delete(word.id);
        } else if (word.id === null) reject(faultOf(word.fault));
        else this.#fail(word.id, faultOf(word.fault));
      });
      child.once("error", (cause) => reject(new Fault("console.failed", { cause })));
      child.once("exit", () => {
        clearTimeout(timer);
        this.#running = null;
        this.origin = null;
        reject(new Fault("console.failed", { detail: "it ended at once" }));
        for (const id of [...this.#waiting.keys()])
          this.#fail(id, new Fault("console.failed", { detail: "it ended" }));
        this.#onEnd();
      });
    });
  }
}

/** One account of the machine runs the station; a link's name tells apart whom it was made for, and is no proof of who they are. */
const principalOf = (name: string | null): string =>
  name === null ? localPrincipal() : `${localPrincipal()}/${name}`;

const faultOf = ({ code, detail, at }: { code: string; detail?: string; at?: string }): Fault =>
  new Fault(code in FAULTS ? (code as FaultCode) : "internal.bug", {
    // checked on the line above
    ...(detail === undefined ? {} : { detail }),
    ...(at === undefined ? {} : { at }),
  });
