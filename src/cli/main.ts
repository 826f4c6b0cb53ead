/** The command line: finds the command, parses its flags, prints what went wrong. Each command is loaded when named. */
import { asFault, Fault } from "../core/index.ts";
import { flags } from "./flags.ts";
import { HELP, helpFor } from "./help.ts";
import { placesOf } from "./places.ts";
import { exitCodeOf } from "./print.ts";

/** Runs one command line; resolves to the exit code. Never throws. */
export const main = (argv: readonly string[]): Promise<number> => exitCodeOf(() => command(argv));

async function command(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    process.stdout.write(`${name === "help" && rest[0] !== undefined ? helpFor(rest[0]) : HELP}\n`);
    return name === undefined ? 2 : 0;
  }
  if (name === "--version" || name === "version") {
    process.stdout.write(`${(await import("./version.ts")).version}\n`);
    return 0;
  }
  const ownFlags = rest.indexOf("--") >= 0 ? rest.slice(0, rest.indexOf("--")) : rest;
  if (name !== "run" && (ownFlags.includes("--help") || ownFlags.includes("-h"))) {
    process.stdout.write(`${helpFor(name)}\n`);
    return 0;
  }
  const places = placesOf(process.env);
  switch (name) {
    case "run":
      return (await import("./run-command.ts")).runCommand(rest, places);
    case "station":
      return stationCommand(places);
    case "setup": {
      const { values } = flags(rest, { "for-tests": { type: "boolean" } });
      return (await import("./setup.ts")).setup(values["for-tests"] === true);
    }
    case "demo":
      return (await import("./demo.ts")).demo(
        flags(rest, { agent: { type: "string" }, json: { type: "boolean" } }).values,
        places,
      );
    case "install":
      return (await import("./install.ts")).installCommand(flags(rest, {}, true).positionals, places);
    case "doctor":
      return (await import("./doctor.ts")).doctor(
        flags(rest, { json: { type: "boolean" } }).values.json === true,
        places,
      );
    case "log": {
      const { values } = flags(rest, {
        json: { type: "boolean" },
        events: { type: "boolean" },
        limit: { type: "string", short: "n" },
      });
      return (await import("./ledger-commands.ts")).log(values, places);
    }
    case "show": {
      const { values, positionals } = flags(
        rest,
        {
          json: { type: "boolean" },
          events: { type: "boolean" },
          evidence: { type: "string" },
          reason: { type: "string" },
        },
        true,
      );
      return (await import("./ledger-commands.ts")).show(positionals, values, places);
    }
    case "disclosures": {
      const text = { type: "string" } as const;
      const { values } = flags(rest, { repo: text, session: text, json: { type: "boolean" } });
      return (await import("./disclosures.ts")).disclosures(values, places);
    }
    case "review": {
      const flag = { type: "boolean" } as const;
      const { values, positionals } = flags(
        rest,
        { ...{ diff: flag, take: flag, "take-all": flag, discard: flag, force: flag }, json: flag },
        true,
      );
      return (await import("./review.ts")).review(positionals, values, places);
    }
    case "undo": {
      const { values, positionals } = flags(
        rest,
        {
          list: { type: "boolean" },
          "dry-run": { type: "boolean" },
          all: { type: "boolean" },
          force: { type: "boolean" },
          redo: { type: "boolean" },
          json: { type: "boolean" },
        },
        true,
      );
      return (await import("./undo.ts")).undo(positionals, values, places);
    }
    case "verify": {
      const { values } = flags(rest, {
        json: { type: "boolean" },
        ledger: { type: "string" },
        key: { type: "string" },
        policy: { type: "string" },
        "anchor-roots": { type: "string" },
      });
      return (await import("./ledger-commands.ts")).verify(values, places);
    }
    case "query": {
      const { values, positionals } = flags(
        rest,
        {
          by: { type: "string" },
          since: { type: "string" },
          limit: { type: "string", short: "n" },
          json: { type: "boolean" },
        },
        true,
      );
      return (await import("./keep.ts")).query(positionals, values, places);
    }
    case "export": {
      const { values } = flags(rest, {
        format: { type: "string" },
        from: { type: "string" },
        unsigned: { type: "boolean" },
        follow: { type: "boolean", short: "f" },
        cursor: { type: "string" },
        to: { type: "string" },
        "header-file": { type: "string" },
      });
      return (await import("./export.ts")).exportCommand(values, places);
    }
    case "ledger": {
      const { values, positionals } = flags(
        rest,
        { reason: { type: "string" }, name: { type: "string" }, json: { type: "boolean" } },
        true,
      );
      return (await import("./keep.ts")).ledgerCommand(positionals, values, places);
    }
    case "policy": {
      const text = { type: "string" } as const;
      const { values, positionals } = flags(
        rest,
        {
          ...{
            profile: { ...text, short: "p" },
            to: text,
            agent: text,
            data: text,
            build: text,
            repo: text,
            model: text,
          },
          ...{
            properties: text,
            table: text,
            out: text,
            lang: text,
            cedar: { type: "boolean" },
            gaps: { type: "boolean" },
            json: { type: "boolean" },
          },
        } as const,
        true,
      );
      return (await import("./policy-commands.ts")).policy(positionals, values, places);
    }
    case "approvals": {
      const { values, positionals } = flags(
        rest,
        {
          scope: { type: "string" },
          for: { type: "string" },
          reason: { type: "string" },
          json: { type: "boolean" },
        },
        true,
      );
      return (await import("./approvals-commands.ts")).approvals(positionals, values, places);
    }
    case "break-glass": {
      const text = { type: "string" } as const;
      const { values } = flags(rest, {
        ...{ for: text, reason: text, rule: text, to: text, data: text, agent: text, repo: text },
        profile: { ...text, short: "p" },
        json: { type: "boolean" },
      } as const);
      return (await import("./approvals-commands.ts")).breakGlass(values, places);
    }
    case "models": {
      const text = { type: "string" } as const;
      const { values, positionals } = flags(
        rest,
        {
          ...{ url: text, model: text, speaks: text, "key-variable": text, "key-file": text },
          json: { type: "boolean" },
        } as const,
        true,
      );
      return (await import("./models.ts")).modelsCommand(positionals, values, places);
    }
    case "console": {
      const { values, positionals } = flags(
        rest,
        {
          port: { type: "string" },
          role: { type: "string", multiple: true },
          name: { type: "string" },
          "no-open": { type: "boolean" },
          json: { type: "boolean" },
        },
        true,
      );
      return (await import("./console-command.ts")).consoleCommand(positionals, values, places);
    }
    case "scan": {
      const { values, positionals } = flags(
        rest,
        {
          json: { type: "boolean" },
          sarif: { type: "boolean" },
          diff: { type: "boolean" },
          history: { type: "boolean" },
          exchange: { type: "string" },
          reason: { type: "string" },
          profile: { type: "string", short: "p" },
        },
        true,
      );
      return (await import("./scan.ts")).scanCommand(positionals, values, places);
    }
    case "classify": {
      const text = { type: "string" } as const;
      const { values, positionals } = flags(rest, { class: text, name: text, except: text, out: text }, true);
      return (await import("./classify.ts")).classify(positionals, values, places);
    }
    case "vet":
      return (await import("./vet-command.ts")).vetCommand(rest, places);
    case "why": {
      const { values, positionals } = flags(
        rest,
        {
          json: { type: "boolean" },
          diff: { type: "boolean" },
          history: { type: "boolean" },
          exchange: { type: "string" },
          reason: { type: "string" },
          profile: { type: "string", short: "p" },
        },
        true,
      );
      return (await import("./why.ts")).why(positionals, values, places);
    }
    case "template":
      return (await import("./templates.ts")).templateCommand(flags(rest, {}, true).positionals, places);
    case "provenance": {
      const { values, positionals } = flags(
        rest,
        {
          json: { type: "boolean" },
          sbom: { type: "string" },
          command: { type: "string" },
          strict: { type: "boolean" },
          manifest: { type: "string" },
          key: { type: "string" },
        },
        true,
      );
      return (await import("./provenance.ts")).provenance(positionals, values, places);
    }
    case "register": {
      const text = { type: "string" } as const;
      const { values, positionals } = flags(
        rest,
        { reason: text, expires: text, report: text, extension: text, json: { type: "boolean" } },
        true,
      );
      return (await import("./register-commands.ts")).register(positionals, values, places);
    }
    case "shim": {
      const { values, positionals } = flags(
        rest,
        { profile: { type: "string", short: "p" }, json: { type: "boolean" } },
        true,
      );
      return (await import("./shim.ts")).shim(positionals, values, places);
    }
    case "profiles":
      return (await import("./profiles.ts")).profiles(flags(rest, {}, true).positionals, places);
    case "up":
    case "down":
    case "status": {
      const { values } = flags(rest, { json: { type: "boolean" }, force: { type: "boolean" } });
      return (await import("./station-commands.ts")).stationCommand(name, values, places);
    }
    default:
      throw new Fault("usage.invalid", { detail: `unknown command \`${name}\`` });
  }
}

/** The station's own process. What its starter must hear goes to descriptor 3: `ready`, or one line with the fault. */
async function stationCommand(places: ReturnType<typeof placesOf>): Promise<number> {
  const { closeSync, fstatSync, writeSync } = await import("node:fs");
  const hasStarter = ((): boolean => {
    try {
      return fstatSync(3).isFIFO() || fstatSync(3).isSocket();
    } catch {
      return false; // started by hand: there is no descriptor 3
    }
  })();
  const tell = (text: string): void => {
    if (!hasStarter) return;
    try {
      writeSync(3, `${text}\n`);
      closeSync(3);
    } catch {
      // the starter has gone; the station serves whoever comes next
    }
  };
  try {
    const { IDLE_MS, runStation } = await import("./station.ts");
    const port = process.env["SALLYPORT_METRICS_PORT"];
    if (port !== undefined && !/^\d{1,5}$/.test(port))
      throw new Fault("usage.invalid", { detail: "SALLYPORT_METRICS_PORT is no port" });
    const metricsPort = port === undefined ? null : Number(port);
    await runStation({ places, idleMs: IDLE_MS, metricsPort }, () => tell("ready"));
    return 0;
  } catch (thrown) {
    const fault = asFault(thrown);
    if (fault.code === "ledger.locked") tell("locked");
    else {
      const detail = fault.at === undefined ? fault.message : `${fault.message} (${fault.at})`;
      tell(JSON.stringify({ detail, remedy: fault.remedy }));
    }
    throw fault;
  }
}
