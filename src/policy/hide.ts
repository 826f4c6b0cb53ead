/**
 * Which files of a workspace are hidden from the agent. Patterns as documents write them: without a slash, the name of
 * a file or folder at any depth; with one, a path from the workspace's root. `*` stands for any characters within one
 * name, `**` for any number of folders. What lies in a hidden folder is hidden.
 */

/** Whether a path, relative to the workspace and with `/` between names, is hidden. */
export function isHidden(patterns: readonly string[], path: string): boolean {
  const names = path.split("/");
  return patterns.some((pattern) =>
    pattern.includes("/")
      ? reaches(pattern.split("/"), names)
      : names.some((name) => nameMatches(pattern, name)),
  );
}

/** Whether the steps lead to the path or to a folder above it. Walks all places a `**` may lead to at once. */
function reaches(steps: readonly string[], names: readonly string[]): boolean {
  let places = new Set([0]);
  for (const step of steps) {
    const next = new Set<number>();
    for (const at of places)
      if (step === "**") for (let to = at; to < names.length; to++) next.add(to);
      else if (at < names.length && nameMatches(step, names[at] ?? "")) next.add(at + 1);
    places = next;
  }
  return places.size > 0;
}

/** Greedy with one point to fall back to: linear in the name for each star, never exponential. */
function nameMatches(pattern: string, name: string): boolean {
  const parts = pattern.split("*");
  const [first = "", ...others] = parts;
  const last = others.pop();
  if (last === undefined) return name === pattern;
  if (!name.startsWith(first) || !name.endsWith(last) || name.length < first.length + last.length)
    return false;
  let from = first.length;
  for (const part of others) {
    const found = name.indexOf(part, from);
    if (found < 0) return false;
    from = found + part.length;
  }
  return from <= name.length - last.length;
}
