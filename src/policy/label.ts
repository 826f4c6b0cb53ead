/**
 * What a decision looks at: a point of labels, each with a value from a finite or a named set. A label is never
 * absent: what is not known has the value `unknown`, which a rule can name like any other. So there is no missing
 * attribute, and no error path that could fail open.
 *
 * Two points that no rule tells apart are judged alike; that is what makes exhaustive proofs possible (prove.ts).
 */
import { z } from "zod";
import { HostPattern } from "./host.ts";
import { text } from "./text.ts";

/** One thing that is about to leave, seen as labels. A payload with several data classes is several points. */
export interface Point {
  /** Name of the agent as the register knows it, or the program's base name. */
  readonly agent: string;
  readonly build: "approved" | "unapproved" | "unknown";
  /** Host name in lower case, or an address in its canonical form. */
  readonly host: string;
  readonly port: number;
  readonly channel: "llm" | "telemetry" | "update" | "auth" | "mcp" | "package" | "scm" | "other" | "unknown";
  /** Where the model computes: an upper-case region code (`EU`, `US`, `CN`, …), `ONPREM`, `OTHER` or `unknown`. */
  readonly serverIn: string;
  /** The law that can compel the operator: an upper-case code, `SELF`, `OTHER` or `unknown`. Several: several points. */
  readonly operatorLaw: string;
  /** Whether the operator trains on content: `no`, `yes`, `opt_in`, `opt_out`, `by_plan`, `unknown`. */
  readonly trains: string;
  /** Data processing agreement: `signed`, `none`, `unknown`. */
  readonly dpa: string;
  /** The repository's class, from its `.sallyport.yaml`, so said by whoever writes the repository; `unknown` without one. */
  readonly repo: string;
  /** One data class; `public` when nothing was found. */
  readonly data: string;
  /** The model the request names; `unknown` when it names none. */
  readonly model: string;
}

export type LabelName = keyof Point;

/** The point of which nothing is known: what an example leaves unsaid, it takes from here. */
export const UNKNOWN_POINT: Point = {
  agent: "unknown",
  build: "unknown",
  host: "unknown",
  port: 443,
  channel: "unknown",
  serverIn: "unknown",
  operatorLaw: "unknown",
  trains: "unknown",
  dpa: "unknown",
  repo: "unknown",
  data: "public",
  model: "unknown",
};

const Code = text(
  "an upper-case code (EU, US, CN, ONPREM, SELF, OTHER), or `unknown`",
  /^([A-Z][A-Z0-9-]{0,15}|unknown)$/,
);
/** A name as other programs choose them: agents, models, MCP servers. */
export const Word = text("a name of letters, digits and . _ : / -", /^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$/);
const Class = text("a lower-case name", /^[a-z][a-z0-9_-]{0,63}$/);

/** One value of each label, as a document may write it. */
export const LABEL_VALUES = {
  agent: Word,
  build: z.enum(["approved", "unapproved", "unknown"]),
  host: HostPattern,
  port: z.int().min(1).max(65535),
  channel: z.enum(["llm", "telemetry", "update", "auth", "mcp", "package", "scm", "other", "unknown"]),
  serverIn: Code,
  operatorLaw: Code,
  trains: z.enum(["no", "yes", "opt_in", "opt_out", "by_plan", "unknown"]),
  dpa: z.enum(["signed", "none", "unknown"]),
  repo: Class,
  data: Class,
  model: Word,
} as const satisfies Record<LabelName, z.ZodType>;

/** Every label's name, in the order in which points are printed. */
export const LABEL_NAMES: readonly LabelName[] = [
  "agent",
  "build",
  "host",
  "port",
  "channel",
  "serverIn",
  "operatorLaw",
  "trains",
  "dpa",
  "repo",
  "data",
  "model",
];
