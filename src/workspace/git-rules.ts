/**
 * Which files of a git directory a session's work is made of, and which would make git on the host run or obey something
 * (gitrepository-layout(5), githooks(5), git-config(1); git 2.39 and 2.47 looked at). Pure. An allow-list: what is not
 * known here is not brought in.
 */

export type GitPart =
  /** Named by its own hash, which is checked. */
  | "object"
  /** Indexed anew, so that no index can lend an object another's name. */
  | "pack"
  /** Made again when needed, or of no use to anybody: left behind without a word. */
  | "derived"
  | "ref"
  | "packed-refs"
  | "log"
  | "index"
  /** Small text that git reads and does not run. */
  | "note"
  /** A rebase, merge or pick under way: brought in whole or not at all. */
  | "progress"
  /** Further worktrees: `worktrees/<name>/…`. */
  | "worktree"
  /** A submodule's own directory: the same rules within. */
  | "module"
  /** Not brought in. */
  | "held";

const NOTES =
  /^(?:HEAD|ORIG_HEAD|FETCH_HEAD|MERGE_HEAD|MERGE_MSG|MERGE_MODE|MERGE_RR|MERGE_AUTOSTASH|AUTO_MERGE|SQUASH_MSG|CHERRY_PICK_HEAD|REVERT_HEAD|REBASE_HEAD|COMMIT_EDITMSG|TAG_EDITMSG|BISECT_(?:LOG|START|TERMS|NAMES|EXPECTED_REV|ANCESTORS_OK|HEAD)|shallow|info\/sparse-checkout|rr-cache\/[0-9a-f]{40,64}\/(?:pre|post|this)image)$/;
const DERIVED =
  /^(?:objects\/(?:pack\/(?:(?:pack|multi-pack-index)-?[0-9a-f]*(?:\.(?:idx|rev|bitmap|mtimes|keep|promisor))?|tmp_.*|\.tmp.*)|info\/(?:packs|commit-graph|commit-graphs\/.*)|[0-9a-f]{2}\/tmp_obj_.*|tmp_.*)|info\/refs|gc\.(?:log|pid)|lost-found\/.*|fsmonitor--daemon(?:\.ipc|\/.*)|.*\.lock)$/;
const PROGRESS = /^(?:rebase-merge|rebase-apply|sequencer)\//;

/** What a file of a git directory is, by its path there. Whether it is a plain file is the caller's to see. */
export function gitPart(path: string): GitPart {
  if (/^objects\/[0-9a-f]{2}\/(?:[0-9a-f]{38}|[0-9a-f]{62})$/.test(path)) return "object";
  if (/^objects\/pack\/pack-[0-9a-f]{40,64}\.pack$/.test(path)) return "pack";
  if (DERIVED.test(path)) return "derived";
  if (path === "packed-refs") return "packed-refs";
  if (path === "index" || /^sharedindex\.[0-9a-f]{40,64}$/.test(path)) return "index";
  if (path.startsWith("refs/")) return isRefName(path) ? "ref" : "held";
  if (path === "logs/HEAD" || (path.startsWith("logs/refs/") && isRefName(path.slice(5)))) return "log";
  if (NOTES.test(path)) return "note";
  if (PROGRESS.test(path)) return "progress";
  if (/^worktrees\/[^/]+\/./.test(path)) return "worktree";
  if (/^modules\/./.test(path)) return "module";
  return "held";
}

/** git-check-ref-format(1); also no leading `-`, and no replacement of one object by another (git-replace(1)). */
export function isRefName(name: string): boolean {
  return (
    /^refs\/[^/]+\/?/.test(name) &&
    !name.startsWith("refs/replace/") &&
    name.length < 1_000 &&
    !/[\0-\x20\x7f~^:?*[\\]|\.\.|@\{|\/\/|\/$|\.$/.test(name) &&
    name.split("/").every((part) => !part.startsWith(".") && !part.startsWith("-") && !part.endsWith(".lock"))
  );
}

const HASH = "(?:[0-9a-f]{64}|[0-9a-f]{40})";
/** What a ref or HEAD may say. */
export function refValue(text: string): string | null {
  const value = text.replace(/\n$/, "");
  if (new RegExp(`^${HASH}$`).test(value)) return value;
  const target = /^ref:\s*(\S+)$/.exec(value)?.[1];
  return target !== undefined && isRefName(target) ? `ref: ${target}` : null;
}

/** Of `HEAD`, which names a branch, a commit or (once) `refs/heads/.invalid`. */
const isHead = (text: string): boolean => refValue(text) !== null;

const LOG_LINE = new RegExp(`^${HASH} ${HASH} [^\\0\\n]* \\d+ [+-]\\d{4}(?:\\t[^\\0\\n]*)?$`);
export const isLog = (text: string): boolean =>
  text === "" ||
  (text.endsWith("\n") &&
    text
      .slice(0, -1)
      .split("\n")
      .every((line) => LOG_LINE.test(line)));

/** Whether a note says only what it may. */
export function isPlainNote(path: string, text: string): boolean {
  if (path === "HEAD") return isHead(text);
  if (path === "shallow")
    return text.split("\n").every((line) => line === "" || new RegExp(`^${HASH}$`).test(line));
  return true;
}

const PROGRESS_FILES =
  /^(?:head-name|onto|orig-head|head|message|message-fixup|message-squash|current-fixups|msgnum|end|next|last|done|author-script|stopped-sha|patch|final-commit|info|original-commit|rewritten|rewritten-list|rewritten-pending|squash-onto|refs-to-delete|update-refs|quiet|verbose|signoff|interactive|autostash|abort-safety|todo|amend|allow_rerere_autoupdate|drop_redundant_commits|keep_redundant_commits|keep|scissors|threeway|utf8|sign|messageid|rebasing|applying|apply-opt|no-reschedule-failed-exec|no-cr|ignore_date|cdate_is_adate|git-rebase-todo|git-rebase-todo\.backup|dirtyindex|\d{4,})$/;
const TODO = /^(?:git-rebase-todo(?:\.backup)?|done|todo)$/;
const TODO_WORDS = new Set(
  "pick p reword r edit e squash s fixup f drop d label l reset t merge m break b noop update-ref u revert".split(
    " ",
  ),
);

/** Whether a file of a rebase, merge or pick under way makes `--continue` run nothing but git's own. */
export function isPlainProgress(path: string, text: string): boolean {
  const name = path.slice(path.indexOf("/") + 1);
  if (!PROGRESS_FILES.test(name)) return false;
  if (!TODO.test(name)) return true;
  return text
    .split("\n")
    .map((line) => line.trim())
    .every((line) => line === "" || line.startsWith("#") || TODO_WORDS.has(line.split(/\s/)[0] ?? ""));
}

const SECTION = /^\s*\[(core|extensions|user|remote "[\w./+-]+"|branch "[\w./+#@-]+")\]\s*$/;
const SETTINGS: Readonly<Record<string, readonly string[]>> = {
  core: [
    "repositoryformatversion",
    "filemode",
    "bare",
    "logallrefupdates",
    "symlinks",
    "ignorecase",
    "precomposeunicode",
  ],
  extensions: ["objectformat"],
  user: ["name", "email"],
  remote: ["url", "fetch", "tagopt"],
  branch: ["remote", "merge", "rebase"],
};
/** `ext::` and other helpers run programs; a leading `-` would be an option. */
const PLAIN_URL = /^(?:https?:\/\/|ssh:\/\/|git:\/\/|[\w.-]+@[\w.-]+:)[^\s-][^\s]*$/;

/** The lines of a repository's configuration that make git run nothing and look nowhere else. */
export function plainConfig(text: string): string {
  const kept: string[] = [];
  let section: string | null = null;
  let header = "";
  for (const line of text.split("\n")) {
    const opened = SECTION.exec(line)?.[1];
    if (/^\s*\[/.test(line)) {
      section = opened?.split(" ")[0] ?? null;
      header = opened === undefined ? "" : `[${opened}]`;
      continue;
    }
    const [, key = "", value = ""] = /^\s*([A-Za-z][A-Za-z0-9-]*)\s*=\s*([^"\\;#\p{Cc}]*)$/u.exec(line) ?? [];
    if (section === null || key === "" || !(SETTINGS[section] ?? []).includes(key.toLowerCase())) continue;
    if (key.toLowerCase() === "url" && !PLAIN_URL.test(value)) continue;
    if (section === "branch" && key === "remote" && value !== "." && !/^[\w./+]/.test(value)) continue;
    if (header !== "") kept.push(header);
    header = "";
    kept.push(`\t${key} = ${value.trimEnd()}`);
  }
  return kept.length === 0 ? "" : `${kept.join("\n")}\n`;
}
