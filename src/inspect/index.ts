export { buildCodeIndex, type CodeIndex, type CodeMatch, openCodeIndex } from "./fingerprint.ts";
export { type Amount, amountOf, createFlow } from "./flow.ts";
export type { Restorer } from "./framing.ts";
export {
  createInspector,
  type Finding,
  type InspectedPart,
  type Inspection,
  type Inspector,
  type InspectorOptions,
  PATH_DETECTOR,
  type PathLabel,
} from "./inspect.ts";
export { changesIn, type Normalised, normalise } from "./normalise.ts";
export type { EventRestorer, RestorerOptions, Said } from "./restore.ts";
export { explain, type ScanFinding, type ScanInput, sarif, scan } from "./scan.ts";
export {
  ALTERED_CLASS,
  ambiguous,
  makeTemplate,
  openTemplate,
  type Template,
  type TemplateFile,
  type TemplateInspector,
  type TemplateTally,
  withTemplate,
} from "./template.ts";
export type { Term } from "./term.ts";
export { createVault, type Met, type Redacted, type Vault } from "./vault.ts";
export { type Waived, type Waiver, withoutWaived } from "./waiver.ts";
