/** What stands at a path. */
import { lstatSync, type PathLike, type Stats, statSync } from "node:fs";

/** Itself, not what it points to. Undefined where nothing does: also where something on the way is no folder. */
export const entryAt = (path: PathLike): Stats | undefined =>
  orNothing(() => lstatSync(path, { throwIfNoEntry: false }));

/** The same of what it points to. */
export const targetAt = (path: PathLike): Stats | undefined =>
  orNothing(() => statSync(path, { throwIfNoEntry: false }));

function orNothing(look: () => Stats | undefined): Stats | undefined {
  try {
    return look();
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : null;
    if (code === "ENOTDIR") return undefined;
    throw error;
  }
}
