export { clockLibrary } from "./chamber/clock.ts";
export type { ModelFault } from "./model/fault.ts";
export type { Plan, Step } from "./model/plan.ts";
export {
  type ReceivedRequest,
  type ScriptedModel,
  type ScriptedModelOptions,
  type ScriptedRequest,
  startScriptedModel,
} from "./model/server.ts";
export { type VetOptions, type Vetted, vetBuild } from "./vet/build.ts";
export { bisect, compareBuilds, comparisonText, findingKey } from "./vet/builds.ts";
export { type Factor, factorOf, hostFactor, ordinaryFactors } from "./vet/factors.ts";
export type { Finding } from "./vet/findings.ts";
export { reportHtml } from "./vet/html.ts";
export { reportText, type VetReport } from "./vet/report.ts";
export { insidePath, type Target } from "./vet/target.ts";
export type { TemplateRequest, WireTemplate } from "./vet/template.ts";
