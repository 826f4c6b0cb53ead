export { callLines } from "./call.ts";
export { type Declaration, type DestinationFacts, SessionFold } from "./declaration.ts";
export { declarationText, duration, plural, size } from "./declaration-text.ts";
export { DisclosureFold, type WorkspaceDisclosures } from "./disclosures.ts";
