export { canonicalBytes, canonicalText, type Json } from "./canonical.ts";
export { type Clock, systemClock } from "./clock.ts";
export type {
  AskingCall,
  BuildStanding,
  Disclosure,
  Door,
  EventBody,
  EventKind,
  EvidenceRef,
  FindingTally,
  LedgerEvent,
  NormalisedTally,
  SnapshotTally,
  SourceTally,
  StartedCommand,
  Usage,
  Verdict,
  WireProtocol,
} from "./event.ts";
export { asFault, FAULTS, Fault, type FaultCode, type FaultKind } from "./fault.ts";
export { keepInPlace, samePrefix, sameSuffix } from "./growing.ts";
export { asSessionId, type ExchangeId, exchangeId, newSessionId, type SessionId } from "./id.ts";
export { OBEYED_AT_TOP, obeyedPart } from "./obeyed.ts";
export { Secret } from "./secret.ts";
export { Turns } from "./turns.ts";
