/**
 * A client as thin as the real one, for tests: plans, launches, answers connections, passes signals on.
 * Usage: node sandbox-driver.ts <json>; the json is {@link Orders}. A Fault is printed as one line of JSON on stderr.
 */
import { renameSync, symlinkSync } from "node:fs";
import type { Socket } from "node:net";
import { asFault } from "../../src/core/index.ts";
import {
  type HostFacts,
  launch,
  planSandbox,
  readHostFacts,
  type SandboxSpec,
} from "../../src/sandbox/index.ts";

export interface Orders {
  readonly spec: SandboxSpec;
  readonly facts: Partial<HostFacts>;
  /** Between planning and launching, this path becomes a link to that one: what a racing session would do. */
  readonly swap?: readonly [path: string, target: string];
  /** Hosts that programs which know of no proxy may reach; each connection is told on stderr as `caught host:port`. */
  readonly reach?: readonly string[];
  /** Print `ready` on stderr when the program has started. */
  readonly announce?: boolean;
  /** Print what `exit` tells besides the code. */
  readonly tell?: boolean;
}

const orders = JSON.parse(process.argv[2] ?? "") as Orders;

/** Answers each line with `heard <line>`, and the end of input with `goodbye`, to show that half-close works. */
function converse(socket: Socket): void {
  socket.on("error", () => {}); // the program went away in the middle; tests look at what it printed
  socket.on("data", (chunk) => socket.write(`heard ${chunk.toString()}`));
  socket.on("end", () => socket.end("goodbye\n"));
}

try {
  const plan = planSandbox(orders.spec, { ...readHostFacts(orders.spec), ...orders.facts });
  if (orders.swap !== undefined) {
    const [path, target] = orders.swap;
    renameSync(path, `${path}.away`);
    symlinkSync(target, path);
  }
  const launched = await launch(plan, {
    onConnection: (socket, to) => {
      if (to !== null) process.stderr.write(`caught ${to.host}:${to.port}\n`);
      converse(socket);
    },
    mayReach: async (host) => orders.reach?.includes(host) ?? false,
  });
  for (const name of ["SIGTERM", "SIGHUP", "SIGUSR1"] as const) process.on(name, () => launched.signal(name));
  if (orders.announce === true) process.stderr.write("ready\n");
  const { code, ...rest } = await launched.exit;
  if (orders.tell === true) process.stderr.write(`${JSON.stringify(rest)}\n`);
  process.exitCode = code;
} catch (thrown) {
  const { code, message, at, remedy, kind } = asFault(thrown);
  process.stderr.write(`${JSON.stringify({ code, message, at, remedy })}\n`);
  process.exitCode = kind.exitCode;
}
