/**
 * What the helper tells of a session (helper/record.c): its frames, read strictly. The other end is our own program,
 * outside of the wall, but what it tells comes from programs inside: paths and arguments hold any bytes.
 *
 * Failure contract: a frame that is not as it must be throws; the reader is then of no use any more, and the record is
 * lost.
 */
import { Fault } from "../core/index.ts";

export type FileChange = "created" | "written" | "removed" | "renamed" | "folder" | "linked" | "mode";

export type Observation =
  | { readonly kind: "hello"; readonly pid: number }
  | {
      readonly kind: "started";
      readonly command: number;
      /** 0: none that is known. */
      readonly parent: number;
      /** `device:inode:size:changed` of the file that was run, the last in nanoseconds. */
      readonly identity: string;
      /** The helper's open descriptor of that file; -1: its like was told before. */
      readonly held: number;
      readonly program: string;
      readonly folder: string;
      /** As many as there were; `arguments` may hold fewer. */
      readonly count: number;
      readonly arguments: readonly string[];
      readonly isCut: boolean;
    }
  /** Null: killed, or not seen. */
  | { readonly kind: "ended"; readonly command: number; readonly exitCode: number | null }
  | {
      readonly kind: "file";
      readonly command: number;
      readonly change: FileChange;
      readonly path: string;
      /** Of `renamed` and hard links. */
      readonly to: string | null;
    }
  | { readonly kind: "read"; readonly command: number; readonly path: string }
  | {
      readonly kind: "connection";
      readonly command: number;
      readonly transport: "tcp" | "udp";
      readonly address: string;
      readonly port: number;
      readonly outcome: ConnectionOutcome;
      /** What the program called it, where it asked for a name. */
      readonly host: string;
    }
  /** Something was about to happen that could not be read from the program's memory. */
  | { readonly kind: "unreadable"; readonly what: string }
  /** Nothing follows: the session's last program has gone. */
  | { readonly kind: "end" };

/** `local`: within the sandbox; `caught`: led to the gateway, which decides; the others went nowhere. */
export type ConnectionOutcome = "local" | "caught" | "refused" | "unreachable" | "too-many";

const CHANGES: Readonly<Record<string, FileChange>> = {
  c: "created",
  w: "written",
  r: "removed",
  m: "renamed",
  d: "folder",
  l: "linked",
  a: "mode",
};
const OUTCOMES: ReadonlySet<string> = new Set(["local", "caught", "refused", "unreachable", "too-many"]);
/** The helper's own buffer. */
const MAX_FRAME_BYTES = 65_536;
const VERSION = "1";

/** What the station says to the helper, once: that programs may change the workspace from now on. */
export const MAY_CHANGE = "k";

/** Bytes as they come, in any pieces; observations in order. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);

  /** Throws `internal.bug` on what the helper does not say. */
  read(bytes: Uint8Array): Observation[] {
    let data = this.#rest.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#rest, bytes]);
    const found: Observation[] = [];
    while (data.length >= 4) {
      const length = data.readUInt32LE(0);
      if (length === 0 || length > MAX_FRAME_BYTES) throw strange(`a frame of ${length} bytes`);
      if (data.length < 4 + length) break;
      if (data[3 + length] !== 0) throw strange("a frame without its end");
      found.push(observe(data.toString("utf8", 4, 3 + length).split("\0")));
      data = data.subarray(4 + length);
    }
    this.#rest = data;
    return found;
  }
}

function observe([letter = "", ...fields]: readonly string[]): Observation {
  const text = (at: number): string => {
    const field = fields[at];
    if (field === undefined) throw strange(`a frame ${letter} with ${fields.length} fields`);
    return field;
  };
  const number = (at: number): number => {
    const value = Number(text(at));
    if (!Number.isSafeInteger(value)) throw strange(`a frame ${letter} with \`${text(at)}\``);
    return value;
  };
  switch (letter) {
    case "H":
      if (text(0) !== VERSION) throw strange(`version ${text(0)}`);
      return { kind: "hello", pid: number(1) };
    case "E": {
      const count = Number.parseInt(text(5), 10);
      return {
        kind: "started",
        ...{ command: number(0), parent: number(1), identity: text(3), held: number(4), count },
        ...{ program: text(6), folder: text(7), arguments: fields.slice(8), isCut: text(5).endsWith("+") },
      };
    }
    case "X":
      return { kind: "ended", command: number(0), exitCode: text(1) === "" ? null : number(1) };
    case "F": {
      const change = CHANGES[text(1)];
      if (change === undefined) throw strange(`a change \`${text(1)}\``);
      return { kind: "file", command: number(0), change, path: text(2), to: fields[3] ?? null };
    }
    case "R":
      return { kind: "read", command: number(0), path: text(1) };
    case "C": {
      const [transport, outcome] = [text(1), text(4)];
      if ((transport !== "tcp" && transport !== "udp") || !OUTCOMES.has(outcome))
        throw strange("a connection");
      return {
        kind: "connection",
        ...{ command: number(0), transport, address: text(2), port: number(3) },
        outcome: outcome as ConnectionOutcome, // one of the set above
        host: text(5) === "" ? text(2) : text(5),
      };
    }
    case "L":
      return { kind: "unreadable", what: text(0) };
    case ".":
      return { kind: "end" };
    default:
      throw strange(`a frame \`${letter}\``);
  }
}

const strange = (detail: string): Fault =>
  new Fault("internal.bug", { detail: `the recorder says something else: ${detail}` });
