export {
  type HostFacts,
  readHostFacts,
  readWorkspaceFacts,
  type SandboxLimits,
  type SandboxSpec,
  type WorkspaceFacts,
} from "./facts.ts";
export { type Launched, type LaunchOptions, launch } from "./launch.ts";
export { INSIDE, planSandbox, type SandboxPlan } from "./plan.ts";
export { type MachineControl, type MachineReport, probeMachine } from "./probe.ts";
