export { buildCodeIndex, type CodeIndex, type CodeMatch, openCodeIndex } from "./fingerprint.ts";
export {
  createInspector,
  type Finding,
  type InspectedPart,
  type Inspection,
  type Inspector,
  type InspectorOptions,
} from "./inspect.ts";
export type { EventRestorer, Restorer, RestorerOptions } from "./restore.ts";
export { explain, type Scan, type ScanFinding, type ScanInput, scan } from "./scan.ts";
export type { Term } from "./term.ts";
export { createVault, type Met, type Redacted, type Vault } from "./vault.ts";
export { type Waived, type Waiver, withoutWaived } from "./waiver.ts";
