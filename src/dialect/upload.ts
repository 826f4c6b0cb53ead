/** multipart/form-data (RFC 7578): every part's text, and the names of files. */
import { isUtf8 } from "node:buffer";
import { textRuns } from "./plain.ts";
import type { Cut } from "./unit.ts";

const MAX_PARTS = 1000;
const MAX_HEAD_BYTES = 16 * 1024;

export interface Upload {
  readonly cuts: readonly Cut[];
  readonly files: readonly string[];
}

export const boundaryOf = (contentType: string): string | null => {
  const found = /^multipart\/[\w.+-]+\s*;.*?\bboundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i.exec(contentType);
  return found?.[1] ?? found?.[2] ?? null;
};

/** Null when the body is not what its boundary says; then it is read as plain text. */
export function readUpload(body: Buffer, boundary: string): Upload | null {
  const cuts: Cut[] = [];
  const files: string[] = [];
  const mark = Buffer.from(`--${boundary}`);
  let at = body.indexOf(mark);
  if (at !== 0 && body.subarray(0, Math.max(at, 0)).toString("latin1").trim() !== "") return null;
  for (let count = 0; at >= 0 && count < MAX_PARTS; count++) {
    const start = at + mark.length;
    if (body.toString("latin1", start, start + 2) === "--") {
      const rest = body.toString("latin1", start + 2).trim();
      return rest === "" ? { cuts, files } : null;
    }
    const end = body.indexOf(mark, start);
    const headEnd = body.indexOf("\r\n\r\n", start);
    if (end < 0 || headEnd < 0 || headEnd > end || headEnd - start > MAX_HEAD_BYTES) return null;
    const head = body.toString("utf8", start, headEnd);
    const content = body.subarray(headEnd + 4, Math.max(end - 2, headEnd + 4));
    const file = /\bfilename="((?:[^"\\]|\\.)*)"/i.exec(head)?.[1];
    if (file !== undefined && file !== "") files.push(file);
    cuts.push({ pointer: "", value: head, role: "metadata" });
    if (isUtf8(content) && !content.includes(0))
      cuts.push({ pointer: "", value: content.toString("utf8"), role: "user" });
    else cuts.push(...textRuns(content, ""));
    at = end;
  }
  return null;
}
