/**
 * Lists of grants (paths, variable names) as sets of everything they stand for, and their intersection: what a layer
 * of documents grants is what each of them grants.
 */

/** Whether the grant `outer` stands for all that `inner` stands for. */
export type Covers = (outer: string, inner: string) => boolean;

/** A folder stands for itself and everything below it. */
export const folderCovers: Covers = (outer, inner) =>
  outer === "/" ? inner.startsWith("/") : inner === outer || inner.startsWith(`${outer}/`);

/** `LC_*` stands for every name with that prefix. */
export const nameCovers: Covers = (outer, inner) =>
  outer.endsWith("*") ? inner.startsWith(outer.slice(0, -1)) : inner === outer;

/** What both lists grant, in its shortest form. */
export function intersection(a: readonly string[], b: readonly string[], covers: Covers): readonly string[] {
  return shortest(
    [
      ...a.filter((one) => b.some((other) => covers(other, one))),
      ...b.filter((one) => a.some((other) => covers(other, one))),
    ],
    covers,
  );
}

/** The same grants without those that another one covers, sorted. */
export function shortest(grants: readonly string[], covers: Covers): readonly string[] {
  const distinct = [...new Set(grants)].sort();
  return distinct.filter((one) => !distinct.some((other) => other !== one && covers(other, one)));
}
