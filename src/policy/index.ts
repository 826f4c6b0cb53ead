export { type ConnectionDecision, type Decision, decide, decideConnection } from "./decide.ts";
export { type PolicyDocument, parseDocument } from "./document.ts";
export { isHidden } from "./hide.ts";
export type { Point } from "./label.ts";
export {
  type FindingWaiver,
  layer,
  type Policy,
  type RestoreLevel,
  type RuleRef,
} from "./layer.ts";
export { READY_PROFILES, readyProfile } from "./ready.ts";
export * as study from "./study.ts";
