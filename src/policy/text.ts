import { z } from "zod";

/** Text of one form. `what` says the form in words: in the published schema, and in the complaint about a wrong one. */
export function text(what: string, form: RegExp, test: (value: string) => boolean = () => true): z.ZodString {
  return z.string({ error: what }).regex(form, { error: what }).refine(test, { error: what }).describe(what);
}
