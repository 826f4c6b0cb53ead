/**
 * The same engine on files and diffs, for people and for CI: where each finding stands, and the result as SARIF 2.1.0
 * (OASIS, 2020-03-27). Values never appear: a result names its detector and the keyed hash to waive it by.
 */
import { createHash } from "node:crypto";
import type { Json } from "../core/index.ts";
import type { Detector, Family, Reader } from "./detector.ts";
import { FAMILIES } from "./detectors/index.ts";
import type { Inspector } from "./inspect.ts";
import { SHAPES, type Shape } from "./shapes.ts";

/**
 * A file; or a unified diff as `git diff` prints it: only added lines count, under their own files and line numbers.
 * `commit`: whose diff it is.
 */
export type ScanInput =
  | { readonly path: string; readonly text: string }
  | { readonly diff: string; readonly commit?: string };

export interface ScanFinding {
  readonly path: string;
  /** Where the diff was a commit's. */
  readonly commit?: string;
  /** From 1, as editors count; columns in UTF-16 units. */
  readonly line: number;
  readonly column: number;
  readonly endLine: number;
  readonly endColumn: number;
  readonly class: string;
  readonly detector: string;
  readonly hash: string;
  readonly verified: boolean;
}

/** Throws Fault("inspect.failed") when a detector throws. */
export function scan(inspector: Inspector, input: ScanInput): readonly ScanFinding[] {
  if (!("diff" in input)) return inPiece(inspector, { ...input, firstLine: 1 });
  const { diff, commit } = input;
  return addedLines(diff).flatMap((piece) =>
    inPiece(inspector, piece).map((finding) => (commit === undefined ? finding : { ...finding, commit })),
  );
}

interface Piece {
  readonly path: string;
  readonly text: string;
  readonly firstLine: number;
}

function inPiece(inspector: Inspector, { path, text, firstLine }: Piece): ScanFinding[] {
  const { findings } = inspector.inspect([{ text, isNew: true, role: "file", files: [path] }]);
  if (findings.length === 0) return [];
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  const place = (offset: number): { line: number; column: number } => {
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + firstLine, column: offset - (starts[low] ?? 0) + 1 };
  };
  const inOrder = findings.toSorted((a, b) => a.start - b.start);
  return inOrder.map(({ class: dataClass, detector, hash, verified, start, end }) => {
    const from = place(start);
    const to = place(end);
    return {
      path,
      line: from.line,
      column: from.column,
      endLine: to.line,
      endColumn: to.column,
      class: dataClass,
      detector,
      hash,
      verified,
    };
  });
}

/** The added lines of a unified diff, each unbroken run as one piece; a hunk's own counts say what is a line of it. */
function addedLines(diff: string): Piece[] {
  const pieces: Piece[] = [];
  let path = "";
  let line = 0;
  let oldLeft = 0;
  let newLeft = 0;
  let run: { firstLine: number; lines: string[] } | null = null;
  const close = (): void => {
    if (run !== null) pieces.push({ path, text: run.lines.join("\n"), firstLine: run.firstLine });
    run = null;
  };
  for (const row of diff.split("\n")) {
    if (oldLeft > 0 || newLeft > 0) {
      const sign = row.charAt(0);
      if (sign === "+") {
        run ??= { firstLine: line, lines: [] };
        run.lines.push(row.slice(1));
      } else close();
      if (sign === "\\") continue;
      if (sign !== "+") oldLeft--;
      if (sign !== "-") {
        newLeft--;
        line++;
      }
      continue;
    }
    close();
    const hunk = /^@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/.exec(row);
    if (hunk !== null) {
      oldLeft = Number(hunk[1] ?? 1);
      line = Number(hunk[2]);
      newLeft = Number(hunk[3] ?? 1);
    } else if (row.startsWith("+++ ")) path = newPath(row.slice(4));
  }
  close();
  return pieces;
}

/** `b/path`, possibly quoted with C escapes, possibly followed by a tab and a time. */
function newPath(field: string): string {
  const quoted = /^"((?:[^"\\]|\\.)*)"/.exec(field)?.[1];
  const name =
    quoted === undefined
      ? (field.split("\t")[0] ?? field)
      : Buffer.from(
          quoted
            .replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
            .replace(/\\(.)/g, "$1"),
          "latin1",
        ).toString("utf8");
  return name.trimEnd().replace(/^[a-z]\//, "");
}

/** What a detector is: for `why` and for SARIF's rules. Null for an unknown id. */
export function explain(detector: string): {
  readonly family: Pick<Family, "written" | "licence">;
  readonly detector: Detector | Reader | Shape;
} | null {
  for (const family of FAMILIES) {
    const found = family.detectors.find(({ id }) => id === detector);
    if (found !== undefined) return { family, detector: found };
  }
  const shape = SHAPES.rows.find(({ id }) => id === detector);
  return shape === undefined ? null : { family: SHAPES, detector: shape };
}

const LEVELS: Readonly<Record<string, string>> = {
  secret: "error",
  classified: "error",
  personal: "warning",
  infrastructure: "note",
  concealed: "note",
  injection: "note",
};

/** A SARIF log of the findings, by this version of the program. */
export function sarif(findings: readonly ScanFinding[], version: string): Json {
  const ids = [...new Set(findings.map(({ detector }) => detector))].sort();
  return {
    $schema: "https://json.schemastore.org/sarif-2.1.0.json",
    version: "2.1.0",
    runs: [
      {
        tool: {
          driver: {
            name: "sallyport",
            version,
            rules: ids.map((id) => {
              const known = explain(id)?.detector;
              return {
                id,
                shortDescription: { text: known?.title ?? id },
                ...(known !== undefined && /^https?:/.test(known.source)
                  ? { helpUri: known.source.split(" ")[0] ?? "" }
                  : {}),
              };
            }),
          },
        },
        columnKind: "utf16CodeUnits",
        results: findings.map((finding) => ({
          ruleId: finding.detector,
          ruleIndex: ids.indexOf(finding.detector),
          level: LEVELS[finding.class] ?? "warning",
          message: {
            text: `${explain(finding.detector)?.detector.title ?? finding.detector} (${finding.class}); hash ${finding.hash}`,
          },
          locations: [
            {
              physicalLocation: {
                artifactLocation: { uri: finding.path.split("/").map(encodeURIComponent).join("/") },
                region: {
                  startLine: finding.line,
                  startColumn: finding.column,
                  endLine: finding.endLine,
                  endColumn: finding.endColumn,
                },
              },
            },
          ],
          ...(finding.commit === undefined ? {} : { properties: { commit: finding.commit } }),
          partialFingerprints: {
            "sallyport/v1": createHash("sha256")
              .update(`${finding.path}\0${finding.hash}`)
              .digest("hex")
              .slice(0, 32),
          },
        })),
      },
    ],
  };
}
