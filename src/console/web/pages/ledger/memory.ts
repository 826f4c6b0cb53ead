/** The last checkpoint that this browser verified, by origin. Kept in this browser alone: a server cannot rewrite it. */
import { recall, remember } from "../../frame/preferences.ts";
import type { Remembered } from "./verify.ts";

const nameOf = (origin: string): string => `ledger.${origin}`;

/** Null where there is none, or what is kept is no such thing. */
export function remembered(origin: string): Remembered | null {
  const kept = recall(nameOf(origin));
  if (kept === null) return null;
  try {
    const value: unknown = JSON.parse(kept);
    return isRemembered(value) && value.origin === origin ? value : null;
  } catch {
    return null; // not JSON: somebody else wrote it
  }
}

export const keepInMind = (seen: Remembered): void => remember(nameOf(seen.origin), JSON.stringify(seen));

function isRemembered(value: unknown): value is Remembered {
  if (typeof value !== "object" || value === null) return false;
  const { origin, size, root, keys, at } = value as Record<string, unknown>;
  return (
    typeof origin === "string" &&
    Number.isSafeInteger(size) &&
    typeof root === "string" &&
    /^[0-9a-f]{64}$/.test(root) &&
    Array.isArray(keys) &&
    keys.every((key) => typeof key === "string") &&
    typeof at === "number"
  );
}
