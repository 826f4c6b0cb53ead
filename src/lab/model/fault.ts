/** How a scripted model misbehaves. */
export type ModelFault =
  /** Errors in the protocol's own form. */
  | "401"
  | "429"
  | "529"
  /** The connection closes before a byte of reply. */
  | "drop"
  /** No reply, ever; the connection stays open. */
  | "hang"
  /** 200 ms between the events of a stream, before the reply otherwise. */
  | "slow"
  /** Half of the events (or of the body), then nothing; the connection stays open. */
  | "stall"
  /** Half of the events (or of the body), then a TCP reset. */
  | "reset"
  /** A stream of lines that are no events; one of them very long. */
  | "invalid-sse"
  /** Events, or a body, whose JSON is cut off; the framing is whole. */
  | "invalid-json";

export const SLOW_MS = 200;
