export {
  createInspector,
  type Finding,
  type InspectedPart,
  type Inspection,
  type Inspector,
  type InspectorOptions,
} from "./inspect.ts";
export {
  createEventRestorer,
  createRestorer,
  type EventRestorer,
  type Restorer,
  type RestorerOptions,
} from "./restore.ts";
export { createVault, type Redacted, type Vault } from "./vault.ts";
