/**
 * Asks a time-stamp authority (RFC 3161, over HTTP: section 3.4) to stamp the present checkpoint, and keeps what it says
 * as an anchor (anchor.ts).
 *
 * Crash story: the note is durable before the response; a note without a response is no anchor, and written again.
 * Failure contract: nothing here touches the log; an authority that is away costs an anchor and nothing else.
 * Limits: 10 s, 64 KiB of answer.
 */
import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "../core/index.ts";
import { type Anchored, anchorSizes } from "./anchor.ts";
import { diskFault, putFile, readIfThere } from "./files.ts";
import { parseCheckpoint } from "./note.ts";
import { certificatesOf, checkTimestamp, timestampRequest } from "./timestamp.ts";

export interface TimestampAuthority {
  /** http or https. */
  readonly url: string;
  /** PEM of the roots that its certificates must lead to. */
  readonly roots: string;
}

const DEADLINE_MS = 10_000;
const MAX_ANSWER_BYTES = 64 * 1024;

/**
 * Has the present checkpoint stamped; null where that was done already. Throws `anchor.failed` where the authority gives no
 * answer, `anchor.invalid` where what it gives does not hold: then nothing is stored.
 */
export async function anchorCheckpoint(
  directory: string,
  authority: TimestampAuthority,
): Promise<Anchored | null> {
  const note = readIfThere(join(directory, "checkpoint"));
  if (note === null) return null;
  const { size } = parseCheckpoint(note.toString("utf8"));
  if (anchorSizes(directory).includes(size)) return null;
  const nonce = randomBytes(8);
  nonce[0] = ((nonce[0] ?? 0) & 0x3f) | 0x40; // positive, and of one length in DER
  const response = await ask(authority.url, timestampRequest(note, nonce));
  const stamped = checkTimestamp(response, note, nonce, certificatesOf(authority.roots));
  try {
    mkdirSync(join(directory, "anchors"), { recursive: true });
    await putFile(join(directory, "anchors", `${size}.note`), note);
    await putFile(join(directory, "anchors", `${size}.tsr`), response);
  } catch (error) {
    throw diskFault(error, join(directory, "anchors"));
  }
  return { size, ...stamped };
}

async function ask(url: string, request: Buffer): Promise<Buffer> {
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/timestamp-query" },
      body: new Uint8Array(request),
      redirect: "error",
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
    if (response.status !== 200) throw new Error(`it answered ${response.status}`);
    const parts: Uint8Array[] = [];
    let length = 0;
    for await (const part of response.body ?? []) {
      length += part.length;
      if (length > MAX_ANSWER_BYTES) throw new Error("its answer is too long");
      parts.push(part);
    }
    return Buffer.concat(parts);
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw new Fault("anchor.failed", { at: url, detail, cause });
  }
}
