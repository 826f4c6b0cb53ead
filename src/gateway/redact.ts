/**
 * Redaction, between the decision that asks for it and the verdict: the values that policy names get their placeholders,
 * what is then to leave is read and judged again, and only where nothing of them is left does it leave.
 *
 * Failure contract: whatever cannot be replaced exactly denies, with what came as its evidence.
 */
import { asFault, Fault } from "../core/index.ts";
import { workspacePath } from "../dialect/index.ts";
import type { Met, RestorerOptions } from "../inspect/index.ts";
import { type Condition, denied, endOf, type Judgement, judgeRedacted, originText } from "./judge.ts";
import { loginsOf } from "./login.ts";
import type { About, Matter } from "./matter.ts";
import { formOf, type Reading, type Sitting } from "./session.ts";
import type { Standing } from "./standing.ts";

export interface Decided {
  readonly judgement: Judgement;
  /** null: it could not be read. */
  readonly reading: Reading | null;
}

export async function redact(
  matter: Matter,
  content: Buffer,
  reading: Reading,
  asked: Condition,
  sitting: Sitting,
  standing: Standing,
): Promise<Decided> {
  const { vault, reader, session } = sitting;
  const belongs = loginsOf(matter.about.target, sitting);
  let read = reading;
  try {
    const form = formOf(reading.decoded, content);
    if (form === null) throw unredacted("the body is neither JSON nor text");
    const mask = (): { readonly body: Buffer; readonly met: readonly Met[] } => {
      const { chunks, left, met } = vault.redact(content, form, asked.classes);
      if (left > 0) throw unredacted("it stands in a name, a signed block or the first system block");
      const body = Buffer.concat(chunks);
      read = reader.readLeaving(reading, matter.decode, body, belongs);
      return { body, met };
    };
    vault.learn(reading.asked, reading.inspection, asked.classes);
    let made = mask();
    if (asked.classes.some((dataClass) => read.classes.has(dataClass))) {
      // It may have been found in an earlier turn, on its way to where it was allowed.
      vault.learn(reading.decoded.parts, reader.inspectAll(reading, belongs), asked.classes);
      made = mask();
    }
    const { body } = made;
    const replaced = reader.replaced(read, made.met);
    read = replaced.reading;
    const judgement = judgeRedacted(matter.about, asked, read.classes, replaced.tally, session, standing);
    if (judgement.passes) {
      noteSent(matter.about, made.met, sitting);
      await matter.replace(body);
    }
    return { judgement, reading: read };
  } catch (error) {
    return { judgement: denied(asked, asFault(error)), reading: read };
  }
}

export const unredacted = (detail: string): Fault => new Fault("gateway.unredacted", { detail });

/** Where a matter ends up. */
type End = Pick<About, "target" | "way">;

/**
 * How the values come back in a reply of where it went: from models alone, those whose placeholders may have been sent to it
 * in this session, as far as policy lets them. Null: none does.
 */
export function restoringOf(judgement: Judgement, about: End, sitting: Sitting): RestorerOptions | null {
  const { session, masked } = sitting;
  const { restore } = session.policy.inspect;
  const sent = masked.get(originText(endOf(about)));
  if (!judgement.isModel || sent === undefined || restore === "none") return null;
  return {
    wasSent: (placeholder) => sent.has(placeholder),
    intoFiles: restore === "all",
    pathOf: (path) => workspacePath(path, session.workspace, session.cwd),
  };
}

/** From now on a reply of the target may hold these. */
function noteSent(about: End, met: readonly Met[], { masked }: Sitting): void {
  const origin = originText(endOf(about));
  const sent = masked.get(origin) ?? new Set();
  for (const { placeholder } of met) sent.add(placeholder);
  masked.set(origin, sent);
}
