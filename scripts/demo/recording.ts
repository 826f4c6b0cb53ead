/**
 * Recorded traffic of real agents, as the demonstration replays it: `demo/recorded.ndjson.zst`, a line of JSON for each session.
 * What was sent and what came back are the recorded bytes, but for credentials and for the values that the sample projects
 * only pretend to hold: `@@MADE-UP-KEY@@` stands where each demonstration makes up its own.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import zlib from "node:zlib";
import type { Subject } from "../../src/register/index.ts";

export const FILE: string = join(import.meta.dirname, "../../demo/recorded.ndjson.zst");
export const PROJECTS: string = join(import.meta.dirname, "../../demo/projects");
/** Where the sample projects lay when the agents ran: it stands in what they sent. */
export const RECORDED_AT = "/tmp/sallyport-recorded";
export const MADE_UP = "@@MADE-UP-KEY@@";

export interface RecordedReply {
  readonly status: number;
  /** `name: value` */
  readonly headers: readonly string[];
  readonly body: string;
}

export type RecordedItem = {
  /** Milliseconds since the session began. */
  readonly after: number;
} & (
  | {
      readonly what: "exchange";
      readonly method: string;
      readonly host: string;
      /** With its query. */
      readonly path: string;
      readonly headers: readonly string[];
      readonly body: string;
      /** Until the reply was whole. */
      readonly lasted: number;
      readonly reply: RecordedReply;
    }
  /** Something was asked for that gave no reply. */
  | { readonly what: "tried"; readonly host: string; readonly port: number }
  /** What the recorder told: an event without its session, and the sealed arguments. */
  | {
      readonly what: "event";
      readonly event: Readonly<Record<string, unknown>>;
      readonly sealed: readonly string[];
    }
);

export interface Recording {
  readonly agent: string;
  readonly version: string | null;
  readonly sha256: string | null;
  readonly build: string;
  /** The same in full, as a statement about it names it. */
  readonly subject: Extract<Subject, { kind: "build" }>;
  readonly project: string;
  readonly prompt: string;
  readonly lasted: number;
  readonly items: readonly RecordedItem[];
}

export function readRecordings(): readonly Recording[] {
  const text = zlib.zstdDecompressSync(readFileSync(FILE)).toString("utf8");
  // Written by record.ts, and under version control.
  return text.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as Recording]));
}

/** Where programs lay on the machine that recorded: nobody's business, so each stands where a reader would have it. */
const PLACES: readonly (readonly [RegExp, string])[] = [
  [/\/(?:[\w.@-]+\/)+node_modules\/node\/bin\/node\b/g, "/usr/bin/node"],
  [/(?:\/root|\/home\/[\w.-]+)(?=\/\.)/g, "/home/dev"],
];

export function writeRecordings(recordings: readonly Recording[]): number {
  let text = recordings.map((one) => `${JSON.stringify(one)}\n`).join("");
  for (const [place, shown] of PLACES) text = text.replace(place, shown);
  const bytes = zlib.zstdCompressSync(Buffer.from(text), {
    params: {
      [zlib.constants.ZSTD_c_compressionLevel]: 19,
      // A conversation is sent again with each turn: the window must reach back to it.
      [zlib.constants.ZSTD_c_windowLog]: 27,
      [zlib.constants.ZSTD_c_enableLongDistanceMatching]: 1,
    },
  });
  writeFileSync(FILE, bytes);
  return bytes.length;
}
