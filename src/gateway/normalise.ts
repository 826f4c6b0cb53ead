/**
 * Lines of the build's own that differ from its vetted template in look-alike characters alone leave as the template has
 * them, where policy says so: between the decision that asks for it and the verdict. What is then to leave is read and
 * judged again; what was changed is in the verdict's record. Nothing is put back in the reply.
 *
 * Failure contract: a line that cannot be put back exactly denies.
 */
import { Fault, type NormalisedTally } from "../core/index.ts";
import { ALTERED_CLASS, changesIn, normalise } from "../inspect/index.ts";
import { loginsOf } from "./login.ts";
import type { Matter } from "./matter.ts";
import { formOf, type Reading, type Sitting } from "./session.ts";

export interface AsVetted {
  readonly content: Buffer;
  readonly reading: Reading;
  readonly changes: readonly NormalisedTally[];
}

/** Throws `gateway.unredacted`. */
export async function leaveAsVetted(
  matter: Matter,
  content: Buffer,
  reading: Reading,
  sitting: Sitting,
): Promise<AsVetted> {
  const lines = sitting.reader.asVetted(reading);
  if (formOf(reading.decoded, content) !== "json") throw unaltered("the body is no JSON");
  const { body, changes, left } = normalise(content, lines);
  if (left > 0 || changes.length === 0)
    throw unaltered("it stands in a signed block or the first system block, or has no one form to put back");
  const read = sitting.reader.readLeaving(
    reading,
    matter.decode,
    body,
    loginsOf(matter.about.target, sitting),
  );
  if (read.classes.has(ALTERED_CLASS)) throw unaltered("not every line of it could be put back");
  await matter.replace(body);
  return { content: body, reading: read, changes: tallied(changes) };
}

function tallied(
  changes: readonly { readonly was: string; readonly is: string; readonly count: number }[],
): readonly NormalisedTally[] {
  const all = new Map<string, { was: string; is: string; count: number }>();
  for (const { was, is, count } of changes) {
    const points = changesIn(was, is);
    const key = `${points.was}>${points.is}`;
    const known = all.get(key) ?? { ...points, count: 0 };
    known.count += count;
    all.set(key, known);
  }
  return [...all.values()];
}

const unaltered = (why: string): Fault =>
  new Fault("gateway.unredacted", { detail: `a line differs from the build's vetted template, and ${why}` });
