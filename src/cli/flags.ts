/** Flags of a command line, parsed strictly. */
import { parseArgs } from "node:util";
import { Fault } from "../core/index.ts";

type FlagSpec = Record<
  string,
  { readonly type: "boolean" | "string"; readonly short?: string; readonly multiple?: boolean }
>;
type FlagValue<F extends FlagSpec[string]> = F["type"] extends "boolean"
  ? boolean
  : F["multiple"] extends true
    ? string[]
    : string;

/** Strict parsing: an unknown flag or a surplus word is a usage fault naming it. */
export function flags<const S extends FlagSpec>(
  argv: readonly string[],
  options: S,
  allowPositionals = false,
): { values: { [K in keyof S]?: FlagValue<S[K]> }; positionals: string[] } {
  try {
    const parsed = parseArgs({ args: [...argv], options, allowPositionals, strict: true });
    // parseArgs derives the same mapping from `options`; its type does not survive the generic.
    return { values: parsed.values as never, positionals: parsed.positionals };
  } catch (cause) {
    throw new Fault("usage.invalid", {
      detail: cause instanceof Error ? cause.message.replace(/\.? To specify.*$/, "") : "",
      cause,
    });
  }
}
