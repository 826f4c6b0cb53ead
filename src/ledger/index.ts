/**
 * The ledger: what left, provable by anyone, lost by nothing. The one floor-1 room that touches the disk.
 * docs/ledger-format.md is the published format.
 */
export type { Anchored } from "./anchor.ts";
export { type Against, type Audited, verifyLedger } from "./audit.ts";
export { anchorCheckpoint, type TimestampAuthority } from "./authority.ts";
export { type Compacted, compactLedger } from "./compact.ts";
export { copyLedger } from "./copy.ts";
export type { DisclosedVersion, Disclosures, Measured, Period, TracedTotal } from "./disclosures.ts";
export type { EvidenceInput } from "./evidence.ts";
export { type ExportBatch, type ExportFormat, exportEntries } from "./export.ts";
export { FIELDS, type Field, type Operator, parseFilter, termText } from "./filter.ts";
export type { Amount, Exposed, Flow, FlowChoice, FlowPeriod, FlowSeries, Flows } from "./flows.ts";
export { followEntries, watchLedger } from "./follow.ts";
export { catchUpApart } from "./index-apart.ts";
export type { Dimension } from "./index-fold.ts";
export { type Appended, type Erasing, type Ledger, type LedgerOptions, openLedger } from "./ledger.ts";
export type { AnsweredBy, Peers, Reported } from "./peers.ts";
export { type PublishedState, publishedFile, publishedState } from "./published.ts";
export { type FoundEntry, openQueryIndex, type QueryIndex, type Total } from "./query-index.ts";
export { openEvidence, type ReadEntry, readEntries, readEvidence } from "./read.ts";
export { makeReceipt } from "./receipt.ts";
export type { Due, RetentionRule } from "./retention.ts";
export type { IndexedSession, SessionChoice, Sessions } from "./sessions.ts";
export type { Verification } from "./verify.ts";
export type { Witness } from "./witness.ts";
export { parseWitnessPolicy } from "./witness-policy.ts";
export { rewrap } from "./wrapping.ts";
