export { AGENTS, type AgentKind, agentNamed } from "./agents.ts";
export { type AttestationTrust, attestationCheck } from "./attestation.ts";
export {
  type BuildHash,
  hashBuild,
  listBuild,
  type Manifest,
  manifestOf,
  nearestPackage,
  packagesFrom,
} from "./build.ts";
export {
  DATED_FACTS,
  type DatedFact,
  type Destination,
  type DestinationRegister,
  isStale,
  overlay,
  parseDestinations,
  parseRows,
  parseSources,
  STALE_DAYS,
} from "./destinations.ts";
export { type Extension, findExtensions } from "./extensions.ts";
export { buildFolder, type LocatedAgent, locateAgent, type Surroundings, splitVersion } from "./locate.ts";
export {
  type Check,
  installCommandChecks,
  nameCheck,
  type RegistryFacts,
  registryChecks,
  scriptCheck,
  VENDOR_MANIFESTS,
  vendorManifest,
} from "./provenance.ts";
export { cycloneDx } from "./sbom.ts";
export { parseNpmKeys, type SignedVersion, signatureCheck } from "./signature.ts";
export { type Standing, standingOf } from "./standing.ts";
export {
  type Approver,
  openStatement,
  publicText,
  type SignedStatement,
  type Statement,
  type Subject,
  statementId,
  toSign,
} from "./statement.ts";
export {
  type Approvals,
  approvingKey,
  nameOf,
  putEnvelope,
  putStatement,
  type RegisterPlaces,
  readApprovals,
} from "./store.ts";
