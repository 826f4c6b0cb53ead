/**
 * `sallyport models`: the model servers of one's own that policy may send to instead, in `<config>/models.yaml`; an
 * administrator's in /etc/sallyport/models.yaml go before.
 */
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { Fault, Secret } from "../core/index.ts";
import type { DestinationLabels, OwnDestination } from "../gateway/index.ts";
import { study } from "../policy/index.ts";
import type { Places } from "./places.ts";
import { table } from "./print.ts";

const SYSTEM_FILE = "/etc/sallyport/models.yaml";
const ownFile = (places: Pick<Places, "config">): string => join(places.config, "models.yaml");

/** Those in force, the administrator's before the person's of the same name. Throws `policy.invalid`. */
export async function ownModels(places: Pick<Places, "config">): Promise<readonly study.OwnModel[]> {
  const system = await modelsIn(SYSTEM_FILE);
  const names = new Set(system.map(({ name }) => name));
  return [...system, ...(await modelsIn(ownFile(places))).filter(({ name }) => !names.has(name))];
}

const modelsIn = async (file: string): Promise<readonly study.OwnModel[]> =>
  existsSync(file) ? study.parseModels(await readFile(file, "utf8"), file) : [];

/** As the gateway needs them, with their keys. Throws `models.invalid` when a key is not where it should be. */
export async function destinationsOf(
  models: readonly study.OwnModel[],
  environment: Readonly<Record<string, string | undefined>>,
): Promise<ReadonlyMap<string, OwnDestination>> {
  const found = new Map<string, OwnDestination>();
  for (const own of models)
    found.set(own.name, {
      name: own.name,
      url: new URL(own.url),
      speaks: own.speaks,
      model: (asked) => study.modelFor(own, asked),
      labels: labelsOf(own),
      secret: await keyOf(own, environment),
    });
  return found;
}

const labelsOf = ({ name, serverIn, operatorLaw, trains, dpa }: study.OwnModel): DestinationLabels => ({
  destination: name,
  channel: "llm",
  serverIn,
  operatorLaw,
  otherLaws: [],
  trains,
  dpa,
});

async function keyOf(
  { name, key }: study.OwnModel,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Secret | null> {
  if (key === undefined) return null;
  const missing = (what: string): Fault =>
    new Fault("models.invalid", { detail: `the key of \`${name}\` is not there`, at: what });
  if ("variable" in key) {
    const value = environment[key.variable];
    if (value === undefined || value === "") throw missing(`variable ${key.variable}`);
    return new Secret(value);
  }
  const file = key.file.startsWith("~/") ? join(homedir(), key.file.slice(2)) : key.file;
  const text = await readFile(file, "utf8").catch(() => {
    throw missing(file);
  });
  return new Secret(text.trim());
}

/** What is asked of a server of our own by its own name, or of another. */
export function labelling(
  destinations: ReadonlyMap<string, OwnDestination>,
  label: (host: string, port: number, path: string) => DestinationLabels,
): typeof label {
  if (destinations.size === 0) return label;
  return (host, port, path) => {
    const own = [...destinations.values()].find(({ url }) => {
      const isHttps = url.protocol === "https:";
      const itsPort = url.port === "" ? (isHttps ? 443 : 80) : Number(url.port);
      return url.hostname.replace(/^\[|\]$/g, "") === host && itsPort === port;
    });
    return own?.labels ?? label(host, port, path);
  };
}

export interface ModelsFlags {
  readonly url?: string;
  readonly model?: string;
  readonly speaks?: string;
  readonly "key-variable"?: string;
  readonly "key-file"?: string;
  readonly json?: boolean;
}

export async function modelsCommand(
  words: readonly string[],
  flags: ModelsFlags,
  places: Places,
): Promise<number> {
  const [action, name] = words;
  if (action === "set") return setModel(name, flags, places);
  if (action !== undefined)
    throw new Fault("usage.invalid", {
      detail: `unknown action \`models ${action}\``,
      remedy: "use `models` or `models set NAME`",
    });
  const models = await ownModels(places);
  if (flags.json === true) process.stdout.write(`${JSON.stringify(models)}\n`);
  else if (models.length === 0)
    process.stdout.write(`none are set up; see \`sallyport models --help\` (${ownFile(places)})\n`);
  else
    process.stdout.write(
      `${table(models.map((own) => [own.name, own.url, own.speaks.join(","), own.model ?? "(as asked)", `${own.serverIn}, law ${own.operatorLaw}`]))}\n`,
    );
  return 0;
}

/** Writes one entry of the person's file; what it says is parsed before it is kept. */
async function setModel(name: string | undefined, flags: ModelsFlags, places: Places): Promise<number> {
  if (name === undefined || flags.url === undefined)
    throw new Fault("usage.invalid", {
      detail: "`models set` wants a name and --url",
      remedy: "for example: sallyport models set own-model --url http://127.0.0.1:8000 --model qwen3-coder",
    });
  const file = ownFile(places);
  const others = (await modelsIn(file)).filter((own) => own.name !== name);
  const key =
    flags["key-variable"] !== undefined
      ? { key: { variable: flags["key-variable"] } }
      : flags["key-file"] !== undefined
        ? { key: { file: flags["key-file"] } }
        : {};
  const added = {
    name,
    url: flags.url,
    speaks: flags.speaks?.split(",") ?? [...study.SPEECHES],
    ...(flags.model === undefined ? {} : { model: flags.model }),
    ...key,
  };
  // JSON is YAML.
  const lines = [...others, added].map((own) => `  - ${JSON.stringify(own)}\n`).join("");
  const text = `apiVersion: sallyport/v1\nkind: Models\nmodels:\n${lines}`;
  study.parseModels(text, file);
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await writeFile(file, text, { mode: 0o600 });
  process.stdout.write(`${name}: ${flags.url}; sessions that start from now on know it\n`);
  return 0;
}
