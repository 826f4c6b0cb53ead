/**
 * Cursor, as files to roll out: it is not started by us. Documented formats, not measured: the sandbox of commands
 * (cursor.com/docs/reference/sandbox), the command-line agent's permissions (cursor.com/docs/cli/reference/permissions,
 * a denial beats an allowance), and `.cursorignore`. A repository's own `sandbox.json` outranks the person's: only the
 * organisation's settings in Cursor's dashboard lock anything.
 */
import { decideConnection } from "../decide.ts";
import type { Policy } from "../layer.ts";
import { advice, asked, type Emitter, globs, json, none } from "./form.ts";

const UNLOCKED = "a repository's file outranks it; the lock is in the organisation's dashboard";

export const cursor: Emitter = {
  agent: "cursor",
  since: "2.0.0",
  isRolledOut: true,
  emit(policy) {
    const deny = [
      ...policy.files.hide.flatMap(globs).flatMap((glob) => [`Read(${glob})`, `Write(${glob})`]),
      // It knows a command by its first word, or by `command:arguments`.
      ...policy.programs.deny.map(
        (command) =>
          `Shell(${command.includes(" ") ? `${command.slice(0, command.indexOf(" "))}:${command.slice(command.indexOf(" ") + 1)}*` : command})`,
      ),
      ...(policy.tools.deny.includes("web_fetch") ? ["WebFetch(*)"] : []),
    ];
    const files = [
      {
        path: "~/.cursor/sandbox.json",
        content: json({ type: "workspace_readwrite", networkPolicy: networkOf(policy) }),
      },
      ...(deny.length === 0
        ? []
        : [{ path: "<workspace>/.cursor/cli.json", content: json({ permissions: { allow: [], deny } }) }]),
      ...(policy.files.hide.length === 0
        ? []
        : [{ path: "<workspace>/.cursorignore", content: `${policy.files.hide.join("\n")}\n` }]),
    ];
    return {
      files,
      covers: [],
      arguments: [],
      environment: {},
      holds: {
        "hidden files": advice(`ignored files, and commands in its sandbox; ${UNLOCKED}`),
        "commands refused": advice(`by its command-line agent only, matched by text; ${UNLOCKED}`),
        "commands asked about":
          asked(policy).length === 0
            ? none()
            : none("it has a list of what runs without asking, not of what asks"),
        "agent's own web tools": advice(`its fetch, by its command-line agent only; ${UNLOCKED}`),
        "MCP servers": none("servers are allowed in the organisation's dashboard"),
        "repository settings": none(),
        telemetry: none("privacy mode is set in the organisation's dashboard"),
        "network destinations": advice(`commands in its sandbox, not its own calls; ${UNLOCKED}`),
        "data that leaves": none("what it sends goes to its vendor's servers first"),
      },
    };
  },
};

/** Hosts that every document grants; a denial beats an allowance there as here. Ports are not known to it. */
function networkOf(policy: Policy): {
  readonly default: "allow" | "deny";
  readonly allow: readonly string[];
  readonly deny: readonly string[];
} {
  const named = (side: "allow" | "deny"): readonly string[] =>
    [...new Set(policy.layers.flatMap(({ network }) => [...network[side].keys()]))].sort();
  const isAllowed = (pattern: string): boolean =>
    decideConnection(policy, pattern.replace(/^\*/, "any"), 443).verdict === "allow";
  return {
    default: policy.layers.every(({ network }) => network.allows) ? "allow" : "deny",
    allow: named("allow").filter(isAllowed),
    deny: named("deny"),
  };
}
