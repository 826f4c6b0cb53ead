/**
 * Every size and time that the gateway enforces, in one place. Sizes are bytes, times are milliseconds. Over a limit the
 * answer is a refusal that names the limit, and a record; never a silent cut.
 */
export interface Limits {
  /** The one port on which SSH is passed on unread, where a rule names it. */
  readonly sshPort: number;
  /** One HTTP head, or one block of trailers. */
  readonly headerBytes: number;
  /** One request body or one WebSocket message, as on the wire. */
  readonly bodyBytes: number;
  /** One body after its content-encoding is undone for reading. */
  readonly decodedBytes: number;
  /** Decoded size over wire size; small bodies may always reach `decodedFloorBytes`. */
  readonly decodedRatio: number;
  readonly decodedFloorBytes: number;
  /** Request bodies held at once, all sessions together. */
  readonly heldBytes: number;
  /** Memory of request bodies that a session keeps for its next ones. */
  readonly sparedBytes: number;
  /** What of one reply is kept as evidence; the event tells both lengths when a reply was longer. */
  readonly capturedReplyBytes: number;
  /** What of all replies together is held as evidence until it is written. */
  readonly capturedBytes: number;
  /** Client bytes read ahead while an exchange runs. */
  readonly readAheadBytes: number;
  readonly connectionsPerSession: number;
  readonly exchangesPerSession: number;
  /** Refused before a verdict, with a record of each: so many at once, and so many a second; the others are counted. */
  readonly refusalsAtOnce: number;
  readonly refusalsPerSecond: number;
  /** Frames of one WebSocket message. */
  readonly fragments: number;
  readonly streamsPerConnection: number;
  /** HTTP/2 flow control: what one stream, and one connection, may send ahead. */
  readonly streamWindowBytes: number;
  readonly windowBytes: number;
  /** Accepting a connection until its first complete head; also between the first byte of a head and its last. */
  readonly headMs: number;
  /** Between two pieces of a request body. */
  readonly bodyIdleMs: number;
  /** A client connection without a request. */
  readonly clientIdleMs: number;
  /** TLS handshake with the agent. */
  readonly handshakeMs: number;
  /** Name look-up, connection and TLS to the peer, together. */
  readonly connectMs: number;
  /** One address of a peer that has several. */
  readonly connectOneMs: number;
  /** Until the peer's reply head; a long completion that does not stream takes minutes. */
  readonly replyHeadMs: number;
  /** Between two pieces of a reply. */
  readonly replyIdleMs: number;
  /** An idle connection to a peer that is kept for reuse. */
  readonly peerIdleMs: number;
  /** The durable record of a verdict. */
  readonly recordMs: number;
  /** After refusals that were counted: when their number is recorded. */
  readonly countedMs: number;
  /** Reading one document that a request carries. */
  readonly documentMs: number;
  /** Close: how long exchanges under way may take to end by themselves. */
  readonly drainMs: number;
  /** Secure contexts (one per intercepted host) kept per session. */
  readonly leaves: number;
}

const KB = 1024;
const MB = 1024 * KB;
const SECOND = 1000;
const MINUTE = 60 * SECOND;

export const LIMITS: Limits = {
  headerBytes: 64 * KB,
  bodyBytes: 64 * MB,
  decodedBytes: 128 * MB,
  decodedRatio: 200,
  decodedFloorBytes: 4 * MB,
  heldBytes: 512 * MB,
  sparedBytes: 4 * MB,
  capturedReplyBytes: 32 * MB,
  capturedBytes: 256 * MB,
  readAheadBytes: 256 * KB,
  connectionsPerSession: 16_384,
  exchangesPerSession: 1_024,
  refusalsAtOnce: 256,
  refusalsPerSecond: 16,
  fragments: 4_096,
  streamsPerConnection: 256,
  streamWindowBytes: MB,
  windowBytes: 16 * MB,
  headMs: 15 * SECOND,
  bodyIdleMs: 30 * SECOND,
  clientIdleMs: 10 * MINUTE,
  sshPort: 22,
  handshakeMs: 15 * SECOND,
  connectMs: 10 * SECOND,
  connectOneMs: 4 * SECOND,
  replyHeadMs: 15 * MINUTE,
  replyIdleMs: 10 * MINUTE,
  peerIdleMs: 50 * SECOND,
  recordMs: 5 * SECOND,
  countedMs: SECOND,
  documentMs: 5 * SECOND,
  drainMs: 10 * SECOND,
  leaves: 256,
};
