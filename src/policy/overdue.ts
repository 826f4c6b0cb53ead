/** Which documents and rules people should have looked at again by now. The day is handed in. */
import type { PolicyDocument } from "./document.ts";

export interface Overdue {
  readonly file: string;
  /** Id of the rule; null: the document itself. */
  readonly rule: string | null;
  readonly review: string;
  readonly owner: string;
}

/** Those whose review date is before `today` (YYYY-MM-DD), the oldest first. */
export function overdue(documents: readonly PolicyDocument[], today: string): readonly Overdue[] {
  return documents
    .flatMap(({ file, data }): Overdue[] => {
      const { metadata } = data;
      const rules = [
        ...(data.send?.rules ?? []),
        ...(data.network?.allow ?? []),
        ...(data.network?.deny ?? []),
      ];
      return [
        ...(metadata.review === undefined
          ? []
          : [{ file, rule: null, review: metadata.review, owner: metadata.owner }]),
        ...rules.flatMap(({ id, review, owner }) =>
          review === undefined ? [] : [{ file, rule: id, review, owner: owner ?? metadata.owner }],
        ),
      ];
    })
    .filter(({ review }) => review < today)
    .sort((a, b) => (a.review < b.review ? -1 : 1));
}
