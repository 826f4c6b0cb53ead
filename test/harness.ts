/** Runs the real command in a state folder of its own, as a person would. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const ROOT: string = join(import.meta.dirname, "..");
export const SALLYPORT: string = join(ROOT, "bin/sallyport");

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** stdout as it came. */
  readonly bytes: Buffer;
}

export interface Running {
  readonly child: ChildProcess;
  readonly finished: Promise<Finished>;
  /** Resolves with all of stdout (or stderr) so far once it holds `text`. */
  until(stream: "stdout" | "stderr", text: string): Promise<string>;
}

/** A place on this machine: its own state, a workspace, and whatever stations run there are stopped at the end. */
export class Place {
  readonly folder: string;
  readonly state: string;
  readonly workspace: string;

  constructor(files: Readonly<Record<string, string>> = { "README.md": "# Sample\n\nA tiny project.\n" }) {
    this.folder = mkdtempSync(join(tmpdir(), "sp-"));
    this.state = join(this.folder, "state");
    this.workspace = join(this.folder, "work");
    mkdirSync(this.workspace);
    for (const [name, text] of Object.entries(files)) writeFileSync(join(this.workspace, name), text);
  }

  start(
    args: readonly string[],
    environment: Readonly<Record<string, string>> = {},
    cwd: string = this.workspace,
  ): Running {
    const child = spawn(SALLYPORT, args, {
      cwd,
      env: { ...cleanEnvironment(), SALLYPORT_HOME: this.state, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const text = { stdout: "", stderr: "" };
    const chunks: Buffer[] = [];
    const watchers = new Set<() => void>();
    for (const stream of ["stdout", "stderr"] as const)
      child[stream]?.on("data", (chunk: Buffer) => {
        if (stream === "stdout") chunks.push(chunk);
        text[stream] += chunk.toString("utf8");
        for (const watcher of watchers) watcher();
      });
    const finished = new Promise<Finished>((resolve) => {
      child.on("close", (code) => {
        const bytes = Buffer.concat(chunks);
        resolve({ code, ...text, stdout: bytes.toString("utf8"), bytes });
      });
    });
    const until = (stream: "stdout" | "stderr", wanted: string): Promise<string> =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (!text[stream].includes(wanted)) return;
          watchers.delete(look);
          resolve(text[stream]);
        };
        watchers.add(look);
        look();
        void finished.then(() =>
          reject(new Error(`ended without \`${wanted}\`: ${text.stdout}${text.stderr}`)),
        );
      });
    return { child, finished, until };
  }

  run(args: readonly string[], environment?: Readonly<Record<string, string>>): Promise<Finished> {
    return this.start(args, environment).finished;
  }

  async close(): Promise<void> {
    await this.run(["down", "--force"]);
    // Programs that a session left behind as it was killed may be dying still.
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** The machine's basics without the person's keys and settings: a test must not depend on who runs it. */
function cleanEnvironment(): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of ["PATH", "HOME", "LANG", "XDG_CACHE_HOME"]) {
    const value = process.env[name];
    if (value !== undefined) kept[name] = value;
  }
  return kept;
}
