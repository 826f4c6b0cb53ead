export type { ModelFault } from "./model/fault.ts";
export type { Plan, Step } from "./model/plan.ts";
export {
  type ReceivedRequest,
  type ScriptedModel,
  type ScriptedModelOptions,
  type ScriptedRequest,
  startScriptedModel,
} from "./model/server.ts";
