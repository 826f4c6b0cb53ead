/** The outer door: what leaves passes here, is read, judged and recorded first. */
export type { GivenAnswer, OpenQuestion, Told } from "./approvals.ts";
export { newLeafKey, SessionAuthority } from "./certificate.ts";
export { type Credential, sentinelFor } from "./custody.ts";
export type { Lookup } from "./dial.ts";
export { type Frame, FrameReader, OPCODE } from "./frame.ts";
export { type Gateway, type GatewayDependencies, openGateway } from "./gateway.ts";
export { type ProxyChoice, proxyFromEnvironment } from "./hop.ts";
export { LIMITS, type Limits } from "./limits.ts";
export { type Observable, serveMetrics } from "./metrics.ts";
export type { OwnDestination } from "./reroute.ts";
export type { DestinationLabels, GatewaySession } from "./session.ts";
