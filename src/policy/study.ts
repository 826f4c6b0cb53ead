/**
 * The policy desk's tools: what people ask of a policy before it is in force and after it has decided. None of them is on
 * the way of a request but `refuser`, `withWaivers`, `settle` and `decideBudget`.
 */
export {
  type BudgetDecision,
  type DaySpent,
  decideBudget,
  hasDayBudget,
  overrunText,
  type Spent,
} from "./budget.ts";
export { type CedarExport, exportCedar } from "./cedar.ts";
export { type Change, diff } from "./diff.ts";
export { checkExpectations, type Expectation, parseExpectations, type Tested } from "./expectation.ts";
export { type Explanation, explain, type Refused, type RefusedAbout, refuser } from "./explain.ts";
export { modelFor, type OwnModel, parseModels, SPEECHES } from "./models.ts";
export { COMPILED_AGENTS, compileNative, type Gap, type NativeSettings, placeOf } from "./native.ts";
export { type Overdue, overdue } from "./overdue.ts";
export { type Property, parseProperties } from "./property.ts";
export { type Mutant, mutate, type Proof, prove, proveUnderAnyProfile } from "./prove.ts";
export { READY_PROPERTIES } from "./ready-properties.ts";
export { type Judgement, type Replay, replay } from "./replay.ts";
export { type SaidDocument, type SaidRule, sayDocument } from "./sentences.ts";
export { refuseTools, speaksOfTools, type ToolUse } from "./tools.ts";
export {
  type Answer,
  documentWaivers,
  LONGEST_ANSWER_MS,
  nameOf,
  type Question,
  type Settlement,
  settle,
  type Waiver,
  withWaivers,
} from "./waiver.ts";
export type { Language } from "./words.ts";
