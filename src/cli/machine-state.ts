/** What `doctor` finds, kept for a while: the console's health page asks again and again, and a probe starts programs. */
import type { MachineState } from "../console/index.ts";
import type { Clock } from "../core/index.ts";
import { probeMachine } from "../sandbox/index.ts";
import { agentRows } from "./doctor.ts";
import type { Places } from "./places.ts";

const KEPT_MS = 5 * 60_000;

export function machineState(places: Places, clock: Clock): () => Promise<MachineState> {
  let last: { readonly at: number; readonly state: Promise<MachineState> } | null = null;
  return () => {
    const now = clock.monotonic();
    if (last === null || now - last.at > KEPT_MS) {
      const state = read(places);
      last = { at: now, state };
      // A probe that failed is tried again by whoever asks next.
      state.catch(() => {
        last = null;
      });
    }
    return last.state;
  };
}

async function read(places: Places): Promise<MachineState> {
  const [report, agents] = await Promise.all([probeMachine(), agentRows(places)]);
  return {
    controls: report.controls.map(({ id, title, detail, state, required, remedy }) => ({
      ...{ id, title, detail, state, isRequired: required, remedy },
    })),
    agents: agents.map(({ name, version, remedy }) => ({ name, version, remedy })),
  };
}
