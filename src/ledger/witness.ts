/**
 * Witnesses (c2sp.org/tlog-witness, c2sp.org/tlog-cosignature): somebody else who signs each checkpoint with the time, after
 * checking that it contains all they have signed before. Without one, whoever holds the signing key and the key
 * directory can rewrite the whole log; with one, not without the witness's noticing.
 *
 * `POST <url>/add-checkpoint`: `old <size>`, a consistency proof from there, an empty line, the note. 200: cosignature
 * lines; 409: another size is the witness's last, told in the body; anything else: no cosignature this time.
 *
 * What it cosigned last is kept in the ledger's `witnessed/<key id>`, so that a later checkpoint which it was not there for
 * does not hide what it has seen.
 *
 * Failure contract: a witness that is slow, gone or wrong delays a publication by at most 2 seconds, is then left alone for a
 * minute, and never prevents anything. What it answers is taken only when it verifies under its key.
 *
 * Limits: 16 KiB of answer, 63 proof lines.
 */
import { linesOf, openNote, parseVerifierKey, type Verifier } from "./note.ts";

export interface Witness {
  /** The prefix before `/add-checkpoint`; http or https. */
  readonly url: string;
  /** Its verifier key, of type 0x04 or 0x06. */
  readonly verifierKey: string;
}

const DEADLINE_MS = 2000;
const REST_MS = 60_000;
const MAX_ANSWER_BYTES = 16 * 1024;

/** The proof that the tree of `from` entries is contained in the present one. */
export type ProofFrom = (from: number) => readonly Buffer[];

/** Asks one witness. Remembers what it saw last. Owned by the publisher. */
export class WitnessClient {
  readonly #url: string;
  readonly key: Verifier;
  /** Size of the newest tree it is known to have cosigned. */
  #lastSize = 0;
  /** Size of the newest tree it cosigned for us; -1: none yet. */
  #cosigned = -1;
  /** Monotonic ms before which it is left alone. */
  #restUntil = Number.NEGATIVE_INFINITY;

  constructor(witness: Witness) {
    this.#url = witness.url;
    this.key = parseVerifierKey(witness.verifierKey);
  }

  /** Whether it should be asked about a tree of `size` now. */
  isWanting(size: number, nowMs: number): boolean {
    return this.#cosigned !== size && nowMs >= this.#restUntil;
  }

  /** Its cosignature line for the note of a tree of `size`; empty when it gave none. Never throws. */
  async cosign(note: string, size: number, proof: ProofFrom, nowMs: number): Promise<string> {
    if (!this.isWanting(size, nowMs)) return "";
    try {
      let answer = await this.#ask(note, this.#lastSize, proof);
      const known =
        answer.status === 409 ? Number(/^(\d{1,15})\n$/.exec(answer.text)?.[1] ?? Number.NaN) : Number.NaN;
      if (known <= size) answer = await this.#ask(note, known, proof);
      if (answer.status !== 200) throw new Error(`the witness answered ${answer.status}`);
      // The line of its own key and no other: what else it says is not put under our name.
      const line = `${linesOf(answer.text, this.key)[0] ?? ""}\n`;
      openNote(note + line, [this.key]);
      this.#lastSize = size;
      this.#cosigned = size;
      return line;
    } catch {
      // Whatever it was, the log does not depend on it; the missing cosignature is what shows.
      this.#restUntil = nowMs + REST_MS;
      return "";
    }
  }

  async #ask(note: string, from: number, proof: ProofFrom): Promise<{ status: number; text: string }> {
    const lines = proof(from).map((hash) => `${hash.toString("base64")}\n`);
    const response = await fetch(`${this.#url}/add-checkpoint`, {
      method: "POST",
      body: `old ${from}\n${lines.join("")}\n${note}`,
      redirect: "error",
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
    const parts: Uint8Array[] = [];
    let length = 0;
    for await (const part of response.body ?? []) {
      length += part.length;
      if (length > MAX_ANSWER_BYTES) throw new Error("the witness's answer is too long");
      parts.push(part);
    }
    return { status: response.status, text: Buffer.concat(parts).toString("utf8") };
  }
}
