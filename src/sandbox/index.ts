export { type Cgroup, openCgroup } from "./cgroup.ts";
export { earlyWall } from "./early.ts";
export {
  type HostFacts,
  type MachineFacts,
  readHostFacts,
  readMachineFacts,
  type SandboxLimits,
  type SandboxSpec,
} from "./facts.ts";
export { buildHelper, type HelperFact, helperStamp, isPinned } from "./helper.ts";
export { javaTrustStore } from "./java.ts";
export { type Ended, type Launched, type LaunchOptions, launch } from "./launch.ts";
export { makeOverlays } from "./overlay.ts";
export { INSIDE, planSandbox, type SandboxPlan } from "./plan.ts";
export { type MachineControl, type MachineReport, probeMachine } from "./probe.ts";
export { Recorder, type RecorderOptions } from "./recorder.ts";
export { type MacFacts, seatbeltProfile } from "./seatbelt.ts";
export { seccompFilter } from "./seccomp.ts";
