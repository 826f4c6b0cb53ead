/** `sallyport doctor`: what this machine can enforce, tried and not guessed. */

import { styleText } from "node:util";
import { AGENTS, locateAgent } from "../register/index.ts";
import { probeMachine } from "../sandbox/index.ts";
import type { Places } from "./places.ts";
import { printable, table, wantsColor } from "./print.ts";

export async function doctor(json: boolean, places: Places): Promise<number> {
  const [report, agents] = await Promise.all([probeMachine(places.holds), agentRows(places)]);
  const isMissing = report.controls.some((control) => control.state === "missing" && control.required);
  if (json) {
    process.stdout.write(
      `${JSON.stringify({ ...report, agents, node: process.versions.node, state: places.state })}\n`,
    );
    return isMissing ? 3 : 0;
  }
  const color = wantsColor(process.stdout);
  const mark = {
    enforced: ["green", "enforced"],
    degraded: ["yellow", "degraded"],
    missing: ["red", "MISSING "],
  } as const;
  for (const control of report.controls) {
    const [style, word] = mark[control.state];
    const state = color ? styleText(style, word, { validateStream: false }) : word;
    process.stdout.write(`${state}  ${control.title}: ${printable(control.detail)}\n`);
    if (control.state !== "enforced" && control.remedy !== null)
      process.stdout.write(`          to do: ${control.remedy}\n`);
  }
  process.stdout.write(
    `\nagents\n${table(agents.map((row) => [`  ${row.name}`, row.version ?? "not installed", row.executable ?? row.remedy ?? ""]))}\n`,
  );
  process.stdout.write(`\nnode ${process.versions.node} · state in ${places.state}\n`);
  if (isMissing)
    process.stdout.write(
      "\na control that the default profile promises is missing: `run` will refuse to start\n",
    );
  return isMissing ? 3 : 0;
}

export interface AgentRow {
  readonly name: string;
  readonly version: string | null;
  readonly executable: string | null;
  readonly remedy: string | null;
}

export function agentRows(places: Places): Promise<AgentRow[]> {
  const around = {
    path: process.env["PATH"] ?? "",
    cwd: process.cwd(),
    agentsFolder: places.agents,
    arch: process.arch,
    node: process.execPath,
  };
  return Promise.all(
    AGENTS.map(({ name }) =>
      locateAgent(name, around).then(
        (found) => ({
          name,
          version: found.version ?? "version unknown",
          executable: found.executable,
          remedy: null,
        }),
        () => ({ name, version: null, executable: null, remedy: `sallyport install ${name}` }),
      ),
    ),
  );
}
