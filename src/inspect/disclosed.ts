/** What of a workspace each destination has been sent in a session, so that only what is new to it is told. */
import { createHash } from "node:crypto";
import type { Disclosure } from "../core/index.ts";
import type { Claim, FileContent } from "./provenance.ts";

/** Of one event. */
const MAX_FILES = 1_000;

interface Sent {
  sha256: string;
  /** By line, from 0. */
  lines: Uint8Array;
  /** Of their contents, by which they are known again in a later state of the file. */
  readonly hashes: Set<number>;
}

/** Owned by one session. It holds a byte for each line of a file that was sent, and a number for each line sent. */
export class DisclosedLines {
  readonly #sent = new Map<string, Sent>();

  /** Those of the claims' lines that are new to the destination; from now on they are not. */
  take(sentTo: string, claims: readonly Claim[]): readonly Disclosure[] {
    return claims
      .flatMap((claim) => this.#takeOne(sentTo, claim) ?? [])
      .sort((a, b) => b.bytes - a.bytes)
      .slice(0, MAX_FILES);
  }

  #takeOne(sentTo: string, { file, lines }: Claim): Disclosure | null {
    const key = `${sentTo}\0${file.path}`;
    const sent = this.#stateOf(key, file);
    const fresh: [number, number][] = [];
    let bytes = 0;
    for (const [first, last] of lines)
      for (let line = first - 1; line < last; line++) {
        if (sent.lines[line] === 1) continue;
        sent.lines[line] = 1;
        const hash = hashOf(file, line);
        if (hash !== null) sent.hashes.add(hash);
        const [from, to] = placeOf(file, line);
        bytes += to - from;
        const open = fresh.at(-1);
        if (open !== undefined && open[1] === line) open[1] = line + 1;
        else fresh.push([line + 1, line + 1]);
      }
    if (fresh.length === 0) return null;
    return { path: file.path, lines: fresh, of: file.letters.lines.length, bytes, sha256: file.sha256 };
  }

  #stateOf(key: string, file: FileContent): Sent {
    const known = this.#sent.get(key);
    if (known?.sha256 === file.sha256) return known;
    const lines = new Uint8Array(file.letters.lines.length);
    const hashes = known?.hashes ?? new Set<number>();
    if (hashes.size > 0)
      for (let line = 0; line < lines.length; line++) {
        const hash = hashOf(file, line);
        // A line without letters goes with the one before it.
        lines[line] = (hash === null ? line > 0 && lines[line - 1] === 1 : hashes.has(hash)) ? 1 : 0;
      }
    const sent = { sha256: file.sha256, lines, hashes };
    this.#sent.set(key, sent);
    return sent;
  }
}

const placeOf = ({ letters }: FileContent, line: number): readonly [number, number] => [
  letters.starts[line] as number,
  letters.ends[line] as number,
];

/** Null: there is no letter in it. */
function hashOf(file: FileContent, line: number): number | null {
  const { kept, lines } = file.letters;
  const content = kept.subarray(lines[line], lines[line + 1] ?? kept.length);
  return content.length === 0 ? null : createHash("sha1").update(content).digest().readUIntBE(0, 6);
}
