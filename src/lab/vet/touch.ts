/** What a run touched beside the model: from its requests, its home afterwards, and a system-call trace where there is one. */
import { WORKSPACE_NAME } from "../chamber/plan.ts";
import { PORTS } from "../chamber/stage.ts";
import { isPersistent } from "../observe/files.ts";
import type { Observed } from "./bench.ts";
import type { Touched } from "./report.ts";

export function touchedBy(watched: Observed, traced: Observed | null): Touched {
  const written = watched.written.filter(
    (path) => !path.startsWith(`projects/${WORKSPACE_NAME}/`) || /\.git\//.test(path),
  );
  const left = watched.runs.flatMap((run) => run.left?.processes ?? []);
  const listening = new Set(watched.runs.flatMap((run) => run.left?.ports ?? []));
  for (const port of PORTS) listening.delete(port);
  return {
    ...hostsOf(watched),
    written,
    persistence: watched.written.filter(isPersistent),
    processesLeft: [...new Set(left)],
    portsLeft: [...listening],
    traced: traced?.trace == null ? null : readTrace(traced.trace, traced.setting.user),
  };
}

function hostsOf({ requests, names: asked }: Observed): Pick<Touched, "hosts" | "names"> {
  const hosts = new Map<string, { host: string; requests: number; refused: boolean }>();
  for (const { host, tlsError, method } of requests) {
    const row = hosts.get(host) ?? { host, requests: 0, refused: false };
    hosts.set(host, {
      host,
      requests: row.requests + (method === "SILENT" ? 0 : 1),
      refused: row.refused || tlsError !== null,
    });
  }
  const names = new Set(asked);
  for (const host of hosts.keys()) names.delete(host.replace(/:\d+$/, ""));
  return { hosts: [...hosts.values()], names: [...names] };
}

const SYSTEM =
  /^\/(?:usr|lib|lib64|bin|sbin|proc|dev|sys|etc\/(?:ld\.so|ssl|localtime|nsswitch|hosts|resolv|passwd|group|os-release)|opt\/(?:agent|node)|tmp|run)/;

/** Lines of strace 5 or newer, `-f -y`: `PID call(…) = result`. Only calls that succeeded count. */
function readTrace(trace: string, user: string): NonNullable<Touched["traced"]> {
  const programs = new Set<string>();
  const read = new Set<string>();
  const listened = new Set<string>();
  const workspace = `/home/${user}/projects/${WORKSPACE_NAME}`;
  for (const line of trace.split("\n")) {
    if (/= -1 /.test(line)) continue;
    const started = /\bexecve\("([^"]+)", \[(.*?)\](?:,|\.\.\.)/.exec(line);
    if (started !== null)
      programs.add(
        `${started[1]} ${started[2]
          ?.replaceAll(/"(?:, )?/g, " ")
          .trim()
          .slice(0, 120)}`,
      );
    const opened = /\bopen(?:at)?\([^"]*"([^"]+)", (O_RDONLY|O_RDWR)/.exec(line)?.[1];
    if (opened?.startsWith("/") && !SYSTEM.test(opened) && !opened.startsWith(workspace)) read.add(opened);
    const bound = /\bbind\(.*sin6?_port=htons\((\d+)\)/.exec(line)?.[1];
    if (bound !== undefined && bound !== "0") listened.add(`port ${bound}`);
  }
  return { programs: [...programs].slice(1), read: [...read], listened: [...listened] };
}
