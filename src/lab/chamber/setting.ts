/**
 * The whole environment of one observed run, as data, and the atomic changes (patches) that lead from one to another.
 * Everything a factor varies is a patch, so that a difference can be shrunk to the fewest patches that show it.
 */

export type Patch =
  | { readonly kind: "variable"; readonly name: string; readonly value: string }
  /** `/etc/localtime` and `/etc/timezone`. */
  | { readonly kind: "localtime"; readonly value: string }
  /** The base URL handed to the agent: `https://host`, `http://host:port`; null is the vendor's own host. */
  | { readonly kind: "base"; readonly value: string | null }
  | { readonly kind: "user"; readonly value: string }
  | { readonly kind: "machine"; readonly value: string }
  | { readonly kind: "git-remote"; readonly value: string }
  | { readonly kind: "git-email"; readonly value: string }
  /** The `search` line of resolv.conf. */
  | { readonly kind: "dns-suffix"; readonly value: string }
  /** Seconds added to the wall clock. */
  | { readonly kind: "clock"; readonly value: number }
  | {
      readonly kind: "file";
      readonly place: "workspace" | "home" | "root";
      readonly path: string;
      readonly text: string;
      readonly executable?: boolean;
    };

export interface Setting {
  readonly variables: Readonly<Record<string, string>>;
  readonly localtime: string;
  readonly base: string | null;
  readonly user: string;
  readonly machine: string;
  readonly gitRemote: string;
  readonly gitEmail: string;
  readonly dnsSuffix: string | null;
  readonly clockSeconds: number;
  readonly files: readonly Extract<Patch, { kind: "file" }>[];
}

/** A developer's ordinary machine: a time zone that is not UTC, so that local time and UTC can be told apart. */
export const BASELINE: Setting = {
  variables: { LANG: "en_US.UTF-8", TERM: "xterm-256color", SHELL: "/bin/bash", EDITOR: "vi" },
  localtime: "America/New_York",
  base: "https://llm.meadowbrook.com",
  user: "quillon",
  machine: "larkfield",
  gitRemote: "https://git.meadowbrook.com/tools/ledgerline.git",
  gitEmail: "quillon@meadowbrook.com",
  dnsSuffix: null,
  clockSeconds: 0,
  files: [],
};

/** The setting with these patches applied, later ones over earlier ones. */
export function patched(setting: Setting, patches: readonly Patch[]): Setting {
  return patches.reduce(apply, setting);
}

function apply(setting: Setting, patch: Patch): Setting {
  switch (patch.kind) {
    case "variable":
      return { ...setting, variables: { ...setting.variables, [patch.name]: patch.value } };
    case "localtime":
      return { ...setting, localtime: patch.value };
    case "base":
      return { ...setting, base: patch.value };
    case "user":
      return { ...setting, user: patch.value };
    case "machine":
      return { ...setting, machine: patch.value };
    case "git-remote":
      return { ...setting, gitRemote: patch.value };
    case "git-email":
      return { ...setting, gitEmail: patch.value };
    case "dns-suffix":
      return { ...setting, dnsSuffix: patch.value };
    case "clock":
      return { ...setting, clockSeconds: patch.value };
    case "file":
      return { ...setting, files: [...setting.files, patch] };
    default:
      return patch satisfies never;
  }
}

/** One patch in a few words, for people. */
export function patchText(patch: Patch): string {
  switch (patch.kind) {
    case "variable":
      return `${patch.name}=${patch.value}`;
    case "localtime":
      return `/etc/localtime → ${patch.value}`;
    case "base":
      return patch.value === null ? "no base URL" : `base URL ${patch.value}`;
    case "user":
      return `user ${patch.value}`;
    case "machine":
      return `host name ${patch.value}`;
    case "git-remote":
      return `git remote ${patch.value}`;
    case "git-email":
      return `git e-mail ${patch.value}`;
    case "dns-suffix":
      return `DNS search ${patch.value}`;
    case "clock":
      return `clock ${patch.value >= 0 ? "+" : ""}${Math.round(patch.value / 86_400)} days`;
    case "file":
      return `${{ workspace: "", home: "~/", root: "/" }[patch.place]}${patch.path}`;
    default:
      return patch satisfies never;
  }
}
