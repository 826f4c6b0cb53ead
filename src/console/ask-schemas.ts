/** What queries have in common, as zod takes it. */
import { z } from "zod";

/** Unix ms. */
export const time = z
  .string()
  .regex(/^\d{1,14}$/, "a time in Unix milliseconds")
  .transform(Number)
  .optional();
export const word = z.string().min(1).max(300).optional();
/** Why somebody looks: kept in the ledger. */
export const reason = z.string().trim().min(3, "say why").max(500);
export const period = { from: time, to: time } as const;
