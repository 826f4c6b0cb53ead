/** The register of destinations in force: the starter that ships with the program, and the organisation's own over it. */
import { existsSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { Fault } from "../core/index.ts";
import {
  type Destination,
  type DestinationRegister,
  overlay,
  parseRows,
  parseSources,
  type RegisterPlaces,
} from "../register/index.ts";
import type { DestinationFacts } from "../report/index.ts";
import { localPrincipal, type Places } from "./places.ts";

/** Where an administrator lays the organisation's register; the person's own is `<config>/register`. */
export const SYSTEM_REGISTER = "/etc/sallyport/register";
const FILE = "destinations.yaml";

export interface LoadedRegister {
  readonly register: DestinationRegister;
  /** The files' own sources by their keys: titles and addresses, for people. */
  readonly sources: Readonly<Record<string, RegisterSource>>;
  readonly facts: (id: string) => DestinationFacts | null;
}

export interface RegisterSource {
  readonly title: string;
  readonly url: string;
}

/** A register that is read again when one of its files has changed. */
export interface WatchedRegister {
  current(): LoadedRegister;
  /** Looks at the files; throws `register.invalid` and keeps what was, when what is there now is not valid. */
  refresh(): Promise<void>;
}

export async function watchRegister(places: Pick<Places, "config">): Promise<WatchedRegister> {
  let identity = await identityOf(places);
  let loaded = await loadRegister(places);
  return {
    current: () => loaded,
    refresh: async () => {
      const now = await identityOf(places);
      if (now === identity) return;
      loaded = await loadRegister(places);
      identity = now;
    },
  };
}

const identityOf = async (places: Pick<Places, "config">): Promise<string> =>
  (
    await Promise.all(
      [personFile(places), join(SYSTEM_REGISTER, FILE)].map((file) =>
        stat(file).then(
          ({ ino, size, ctimeMs }) => `${ino}:${size}:${ctimeMs}`,
          () => "absent",
        ),
      ),
    )
  ).join(" ");

/**
 * Reads register/destinations.yaml, which lies two folders above this file in a checkout and in the package alike, and
 * over it `<config>/register/destinations.yaml`, and over both the administrator's.
 * Throws `register.invalid` naming file, row and fact.
 */
export async function loadRegister(places: Pick<Places, "config">): Promise<LoadedRegister> {
  const starter = await rowsIn(join(import.meta.dirname, "../../register", FILE), false);
  const person = await rowsIn(personFile(places), true);
  const system = await rowsIn(join(SYSTEM_REGISTER, FILE), true);
  const register = overlay(overlay(starter.rows, person.rows).rows, system.rows);
  const sources = { ...starter.sources, ...person.sources, ...system.sources };
  const byId = new Map(register.rows.map((row) => [row.id, row]));
  const facts = (id: string): DestinationFacts | null => {
    const row = byId.get(id);
    return row === undefined ? null : { operator: row.operator, law: row.law, asOf: row.as_of };
  };
  return { register, sources, facts };
}

/** Where the statements about builds lie, and the key that the person signs theirs with. */
export const registerPlaces = (places: Pick<Places, "config" | "keys">): RegisterPlaces => ({
  system: SYSTEM_REGISTER,
  own: join(places.config, "register"),
  keyFile: join(places.keys, "approver.pem"),
  principal: localPrincipal(),
});

export const personFile = (places: Pick<Places, "config">): string => join(places.config, "register", FILE);

interface ReadFile {
  readonly rows: readonly Destination[];
  readonly sources: Readonly<Record<string, RegisterSource>>;
}

async function rowsIn(file: string, own: boolean): Promise<ReadFile> {
  if (own && !existsSync(file)) return { rows: [], sources: {} };
  const text = await readFile(file, "utf8");
  const rows = parseRows(text, file);
  const signed = own ? undefined : rows.find(({ agreement }) => agreement !== "unknown");
  if (signed !== undefined)
    throw new Fault("register.invalid", {
      at: `${file} ${signed.id}`,
      detail: "a starter register cannot know an organisation's agreements",
    });
  return { rows, sources: parseSources(text) };
}
