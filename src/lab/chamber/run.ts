/**
 * One observed run: builds the chamber, plays the world behind it, starts the agent with one prompt, waits for its end,
 * and says what was seen. Nothing survives it but what it returns.
 *
 * Failure contract: throws `sandbox.failed` when the chamber cannot be built; an agent that fails, hangs or is killed is
 * a result like any other (`code`, `timedOut`).
 */
import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { Socket as NameSocket } from "node:dgram";
import { closeSync, constants, openSync, rmSync, writeSync } from "node:fs";
import { Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { Fault } from "../../core/index.ts";
import type { SessionAuthority } from "../../gateway/index.ts";
import type { MachineFacts } from "../../sandbox/index.ts";
import type { Plan } from "../model/plan.ts";
import { startScriptedModel } from "../model/server.ts";
import { type ChamberPlan, type ChamberSpec, DESCRIPTOR, planChamber, workspaceInside } from "./plan.ts";
import { type Witnessed, World } from "./world.ts";

export interface Ran extends Witnessed {
  /** Exit code, or 128 + the signal's number. */
  readonly code: number;
  readonly timedOut: boolean;
  readonly stdout: string;
  readonly stderr: string;
  readonly tookMs: number;
  /** Unix ms at the start and the end, as the agent's clock showed them. */
  readonly from: number;
  readonly to: number;
  /** Of a watched run: command lines of processes that outlived the agent, and TCP ports they listened on. */
  readonly left: { readonly processes: readonly string[]; readonly ports: readonly number[] } | null;
}

export interface RunOptions {
  readonly chamber: ChamberSpec;
  readonly facts: MachineFacts;
  readonly authority: SessionAuthority;
  readonly plan: Plan;
  readonly limitMs: number;
  readonly signal: AbortSignal;
}

/** Of the agent's own output, kept to say why a run failed. */
const MAX_OUTPUT_BYTES = 64 * 1024;

export async function runOnce(options: RunOptions): Promise<Ran> {
  options.signal.throwIfAborted();
  const { chamber } = options;
  const began = performance.now();
  const now = (): number => performance.now() - began;
  const model = await startScriptedModel({
    plan: options.plan,
    cwd: workspaceInside(chamber.setting),
    port: null,
    hasSteadyIds: true,
  });
  const world = new World(model, options.authority, now);
  const shift = chamber.setting.clockSeconds * 1000;
  const from = Date.now() + shift;
  const child = spawnChamber(planChamber(chamber, options.facts));
  try {
    const ended = await attend(child, world, options);
    return { ...world.witnessed(), ...ended, tookMs: now(), from, to: Date.now() + shift };
  } finally {
    child.kill("SIGKILL");
    if (child.connected) child.disconnect();
    world.close();
    await model.close();
  }
}

async function attend(
  child: ChildProcess,
  world: World,
  { limitMs, signal }: RunOptions,
): Promise<Pick<Ran, "code" | "timedOut" | "stdout" | "stderr" | "left">> {
  const stdout = collected(child.stdout);
  const stderr = collected(child.stderr);
  const heard: { started: boolean; left: Ran["left"]; execError: number | null } = {
    ...{ started: false, left: null, execError: null },
  };
  child.on("message", (message: unknown, handle: unknown) => {
    if (handle instanceof Server && typeof message === "number") world.serve(handle, message);
    else if (handle instanceof NameSocket && message !== 53) world.hear(handle, Number(message));
    else if (handle instanceof NameSocket) {
      world.answerNames(handle);
      child.send("go", () => {}); // a stage that has gone ends the channel, which is heard on its own
    } else if (message === "starting") heard.started = true;
    else if (isLeft(message)) heard.left = { processes: message.left, ports: message.listening };
    else if (isExecError(message)) heard.execError = message.execError;
  });
  let timedOut = false;
  const stop = (): void => void child.kill("SIGKILL");
  const timer = setTimeout(() => {
    timedOut = true;
    stop();
  }, limitMs);
  signal.addEventListener("abort", stop);
  try {
    const code = await new Promise<number>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (status, name) => resolve(status ?? (name === null ? 1 : 137)));
    });
    signal.throwIfAborted();
    if (!heard.started && !timedOut)
      throw new Fault("sandbox.failed", { detail: oneLine(stderr()) || `it ended with code ${code}` });
    if (heard.execError !== null)
      throw new Fault("program.unusable", {
        detail: `error ${heard.execError} when it was started in the lab`,
      });
    return { code, timedOut, stdout: stdout(), stderr: stderr(), left: heard.left };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  }
}

const isLeft = (value: unknown): value is { left: string[]; listening: number[] } =>
  typeof value === "object" && value !== null && "left" in value && "listening" in value;
const isExecError = (value: unknown): value is { execError: number } =>
  typeof value === "object" && value !== null && "execError" in value;
const oneLine = (text: string): string => text.trim().split("\n").at(-1)?.slice(0, 300) ?? "";

function collected(stream: Readable | null): () => string {
  const chunks: Buffer[] = [];
  let size = 0;
  stream?.on("data", (chunk: Buffer) => {
    if (size < MAX_OUTPUT_BYTES) chunks.push(chunk);
    size += chunk.length;
  });
  return () => Buffer.concat(chunks).toString("utf8");
}

function spawnChamber(plan: ChamberPlan): ChildProcess {
  const opened: number[] = [];
  const hold = (bytes: Uint8Array): number => {
    const fd = unnamed(bytes);
    opened.push(fd);
    return fd;
  };
  try {
    const stdio: Exclude<StdioOptions, string> = ["ignore", "pipe", "pipe"];
    stdio[DESCRIPTOR.channel] = "ipc";
    stdio[DESCRIPTOR.args] = hold(Buffer.from(plan.bwrapArgs.map((arg) => `${arg}\0`).join("")));
    stdio[DESCRIPTOR.seccomp] = hold(plan.seccomp);
    for (const { fd, text } of plan.descriptors) stdio[fd] = hold(Buffer.from(text));
    const env = { ...plan.environment };
    return spawn(plan.file, plan.args, { stdio, env, cwd: "/", shell: false, serialization: "json" });
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}

/** A readable descriptor of these bytes at offset 0; nothing of it stays when the lab is killed. */
function unnamed(bytes: Uint8Array): number {
  const name = join(tmpdir(), `sallyport-lab-${process.pid}-${performance.now()}`);
  const fd = openSync(name, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
  rmSync(name);
  writeSync(fd, bytes, 0, bytes.length, 0);
  return fd;
}
