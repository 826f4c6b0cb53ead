/**
 * Which of the host's paths appear inside, and how: what is granted, what is pinned and read-only, what is covered.
 * Pure; adds a line to `explain` for each thing that a person should know.
 *
 * Two rules that are easy to break: nothing is bound by way of a link, as its end is the repository's choice and not the
 * profile's; and every directory between a pinned or covered path and the mount that holds it is a mount as well.
 */
import { Fault } from "../core/index.ts";
import { type GitFacts, type HostFacts, type PathFact, type SandboxSpec, within } from "./facts.ts";

/** Visible in every sandbox. */
export const SYSTEM_VIEW: readonly string[] = [
  "/usr",
  "/bin",
  "/sbin",
  "/lib",
  "/lib32",
  "/lib64",
  "/libx32",
];

/** Never granted as a whole: sockets, devices, hashes of passwords. */
const MACHINE_STATE = ["/proc", "/sys", "/dev", "/etc", "/run", "/var", "/var/run", "/tmp", "/boot"];

export interface Mount {
  /** The place inside. */
  readonly at: string;
  readonly isWritable: boolean;
  readonly args: readonly string[];
}

/** The agent's home inside. */
export const INSIDE_HOME = "/home/agent";

export const depth = (path: string): number => path.split("/").length;

export interface Grants {
  readonly mounts: readonly Mount[];
  readonly bound: readonly PathFact[];
  /** Real paths that can be seen inside. */
  readonly visible: readonly string[];
}

export function grantMounts(
  spec: SandboxSpec,
  facts: HostFacts,
  workspace: string,
  explain: string[],
): Grants {
  const mounts: Mount[] = [
    {
      at: INSIDE_HOME,
      isWritable: true,
      args: ["--bind", facts.homeDirectory.real ?? spec.homeDirectory, INSIDE_HOME],
    },
    { at: workspace, isWritable: true, args: ["--bind", workspace, workspace] },
  ];
  const bound: PathFact[] = [{ ...facts.workspace, path: workspace }];
  const all = [
    workspace,
    ...facts.read.flatMap((f) => f.real ?? []),
    ...facts.write.flatMap((f) => f.real ?? []),
  ];
  const grant = (fact: PathFact, option: "--bind" | "--ro-bind"): void => {
    const word = option === "--bind" ? "write" : "read";
    if (fact.real === null) {
      explain.push(`${word} ${fact.path}: does not exist, left out`);
      return;
    }
    // What the repository holds is not the profile's author's: a link of its own must not choose what is granted.
    if (within(fact.path, workspace) && !within(fact.real, workspace)) {
      explain.push(`${word} ${fact.path}: leads out of the workspace, left out`);
      return;
    }
    if (option === "--ro-bind" && SYSTEM_VIEW.some((d) => within(fact.path, d)) && within(fact.real, "/usr"))
      return;
    checkGrant(fact.real, facts);
    explain.push(`${word} ${fact.path}`);
    // At its real place, and at the name that was asked for: a program's path may lead through a link. Where that link is
    // itself visible it leads there already, and nothing can be mounted on a link.
    const isLinkVisible = all.some((other) => other !== fact.real && within(fact.path, other));
    for (const at of new Set(isLinkVisible ? [fact.real] : [fact.real, fact.path]))
      mounts.push({ at, isWritable: option === "--bind", args: [option, fact.real, at] });
    bound.push({ ...fact, path: fact.real });
  };
  for (const fact of facts.read) grant(fact, "--ro-bind");
  for (const fact of facts.write) grant(fact, "--bind");
  return { mounts, bound, visible: bound.map((fact) => fact.real ?? fact.path) };
}

/** A grant must not open what the wall exists to keep shut. */
function checkGrant(real: string, facts: HostFacts): void {
  const refuse = (detail: string): never => {
    throw new Fault("sandbox.grant", { at: real, detail });
  };
  if (within(facts.home, real)) refuse("it is, or holds, your whole home directory");
  if (MACHINE_STATE.includes(real)) refuse("it is the machine's own state");
  const held = facts.protect.find((path) => within(path, real) || within(real, path));
  if (held !== undefined) refuse(`it opens Sallyport's own files (\`${held}\`)`);
}

/** Whether a write grant, other than the workspace as a whole, covers this path. */
export function isGranted(path: string, facts: HostFacts, workspace: string): boolean {
  return facts.write.some(
    ({ path: asked, real }) => (real ?? asked) !== workspace && within(path, real ?? asked),
  );
}

export const repositoriesIn = ({ git, inner }: HostFacts): readonly GitFacts[] =>
  git === null ? inner : [git, ...inner];

/**
 * Pins `.git` and makes read-only what tools on the host execute or obey, unless a write grant names it. What is copy-on-
 * write needs no guard: it is not the host's own that is written.
 */
export function guardMounts(
  facts: HostFacts,
  workspace: string,
  explain: string[],
  isOverlaid: (path: string) => boolean = () => false,
): { readonly mounts: readonly Mount[]; readonly bound: readonly PathFact[] } {
  const mounts: Mount[] = [];
  const bound: PathFact[] = [];
  const readOnly = (fact: PathFact): void => {
    if (isOverlaid(fact.path)) return;
    // A link cannot be pinned by a mount, and binding its end could show what nobody granted.
    if (fact.real !== fact.path) {
      explain.push(`guard ${fact.path}: is a link, not guarded`);
      return;
    }
    if (isGranted(fact.path, facts, workspace)) return;
    mounts.push({ at: fact.path, isWritable: false, args: ["--ro-bind", fact.path, fact.path] });
    bound.push(fact);
    explain.push(`guard ${fact.path}: read only`);
  };
  for (const { entry, directories, executable } of repositoriesIn(facts)) {
    for (const directory of directories) {
      if (directory.real === null || directory.real !== directory.path) continue;
      // Without a mount on the directory itself, `mv .git x; cp -r x .git` would shake off the read-only parts.
      mounts.push({ at: directory.path, isWritable: true, args: ["--bind", directory.path, directory.path] });
      if (!isOverlaid(directory.path)) bound.push(directory);
    }
    if (entry.kind === "file") readOnly(entry);
    for (const fact of executable) readOnly(fact);
  }
  for (const fact of facts.guarded) readOnly(fact);
  return { mounts, bound };
}

/** Covers hidden files and directories that would be visible. */
export function maskMounts(facts: HostFacts, visible: readonly string[], explain: string[]): Mount[] {
  return facts.hidden.flatMap((fact): Mount[] => {
    const { real } = fact;
    if (real === null) explain.push(`hide ${fact.path}: nothing there now`);
    if (real !== null && facts.workspace.real !== null && within(facts.workspace.real, real))
      throw new Fault("sandbox.hide", { at: fact.path, detail: "it covers the whole workspace" });
    if (real === null || !visible.some((path) => within(real, path) && real !== path)) return [];
    explain.push(`hide ${fact.path}`);
    const cover = fact.kind === "directory" ? emptyDirectory(real) : ["--ro-bind", "/dev/null", real];
    return [{ at: real, isWritable: false, args: cover }];
  });
}

/**
 * Puts what the plan says in the place of files that can be seen. `data` gives bubblewrap's arguments for a read-only
 * file of that text at that path.
 */
export function coverMounts(
  facts: HostFacts,
  visible: readonly string[],
  data: (path: string, text: string) => readonly string[],
  explain: string[],
): Mount[] {
  return facts.covered.flatMap(({ path, real, text }): Mount[] => {
    if (real === null || !visible.some((held) => within(real, held) && real !== held)) return [];
    explain.push(`cover ${path}: the policy ignores a repository's settings`);
    return [{ at: real, isWritable: false, args: text === null ? emptyDirectory(real) : data(real, text) }];
  });
}

const emptyDirectory = (path: string): readonly string[] => [
  ...["--perms", "0555", "--size", "4096", "--tmpfs", path, "--remount-ro", path],
];

/**
 * A mount of its own for each directory between a mount and the writable one that holds it, or `mv conf conf2` would
 * carry what is pinned or covered away, and a new `conf` could be made in its place.
 */
export function pinMounts(
  mounts: readonly Mount[],
  facts: HostFacts,
): { readonly mounts: Mount[]; readonly bound: PathFact[] } {
  const pinned = new Map<string, PathFact>();
  for (const { at } of mounts) {
    const holders = mounts.filter((other) => other.at !== at && within(at, other.at));
    const nearest = holders.toSorted((a, b) => depth(b.at) - depth(a.at))[0];
    if (nearest === undefined || !nearest.isWritable) continue;
    for (const fact of facts.parents)
      if (
        within(at, fact.path) &&
        fact.path !== at &&
        fact.path !== nearest.at &&
        within(fact.path, nearest.at)
      )
        pinned.set(fact.path, fact);
  }
  const bound = [...pinned.values()].filter((fact) => !mounts.some((mount) => mount.at === fact.path));
  return {
    bound,
    mounts: bound.map(({ path }) => ({ at: path, isWritable: true, args: ["--bind", path, path] })),
  };
}
