/**
 * What a build itself writes, whatever it is asked: the lines of its requests that all controls agree on, values that
 * vary replaced by their kinds (`‹uuid v4›`) and the environment's by their names (`‹home›`). System prompts, tool
 * definitions and header sets are all in it. Pure.
 */
import { createHash } from "node:crypto";
import { FILES, type ReadRun } from "../observe/fold.ts";
import type { Noise } from "../observe/noise.ts";

export interface WireTemplate {
  readonly requests: readonly TemplateRequest[];
  /** SHA-256 over all of it, hex: equal for builds that write the same. */
  readonly sha256: string;
}

export interface TemplateRequest {
  /** `POST ‹base-url›/v1/messages`. */
  readonly name: string;
  /** Header names as on the wire, in the first request's order. */
  readonly headers: readonly string[];
  /** Body lines in order, each once: JSON pointer with `*` for positions, and the line. */
  readonly lines: readonly { readonly path: string; readonly text: string }[];
}

export function templateOf(runs: readonly ReadRun[], noise: Noise): WireTemplate {
  const seen = runs.map((run) => linesOf(run, noise));
  const [first, ...others] = seen;
  const requests = [...(first ?? [])]
    .filter(([name]) => others.every((other) => other.has(name)))
    .map(([name, { headers, lines }]) => ({
      name,
      headers,
      lines: [...lines]
        .filter(([key]) => others.every((other) => other.get(name)?.lines.has(key)))
        .map(([, line]) => line),
    }));
  return { requests, sha256: createHash("sha256").update(JSON.stringify(requests)).digest("hex") };
}

interface Seen {
  readonly headers: string[];
  readonly lines: Map<string, { readonly path: string; readonly text: string }>;
}

function linesOf(run: ReadRun, noise: Noise): Map<string, Seen> {
  const all = new Map<string, Seen>();
  for (const request of run.requests) {
    if (request.name === FILES) continue;
    const entry = all.get(request.name) ?? {
      headers: request.lines.filter((l) => l.section === "headers").map((l) => l.text.replace(/:.*$/s, "")),
      lines: new Map(),
    };
    for (const line of request.lines) {
      if (line.section !== "body") continue;
      const text = noise.mask(line.place, line.text);
      entry.lines.set(`${line.path}\n${text}`, { path: line.path, text });
    }
    all.set(request.name, entry);
  }
  return all;
}
