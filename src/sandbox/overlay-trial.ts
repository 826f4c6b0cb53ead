/** Whether this machine and place can make a copy-on-write directory: tried, not guessed. */
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";

const TRIAL_MS = 5_000;

/** Null when the helper can make one that keeps what is written at this place, else why not. */
export function tryOverlay(helper: string, place: string): string | null {
  let folder: string | null = null;
  try {
    folder = mkdtempSync(join(nearest(place), ".sallyport-trial-"));
    for (const name of ["low", "up", "work"]) mkdirSync(join(folder, name));
    const at = (name: string): string => join(folder ?? "", name);
    const { dev, ino } = statSync(at("low"));
    const args = ["overlay", "sallyport-trial", at("low"), String(dev), String(ino), at("up"), at("work")];
    const trial = spawnSync(
      helper,
      [...args, "volatile", "--", "/bin/sh", "-c", 'echo > "$0/a"', at("low")],
      {
        encoding: "utf8",
        timeout: TRIAL_MS,
        shell: false,
      },
    );
    if (trial.status !== 0)
      return (trial.stderr || String(trial.error ?? "it failed")).trim().replaceAll("\n", "; ");
    return statSync(at("up/a"), { throwIfNoEntry: false }) === undefined ? "it was written through" : null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    if (folder !== null) {
      removeTrial(folder);
    }
  }
}

const nearest = (place: string): string => (existsSync(place) ? place : nearest(dirname(place)));

/** The kernel leaves its own directories without any rights; `incompat` is there where it was `volatile`. */
function removeTrial(folder: string): void {
  try {
    for (const name of ["work/work", "work/work/incompat", "work/work/incompat/volatile"])
      if (existsSync(join(folder, name))) chmodSync(join(folder, name), 0o700);
    rmSync(folder, { recursive: true, force: true });
  } catch {
    // An empty directory of ours stays; what was tried is answered all the same.
  }
}
