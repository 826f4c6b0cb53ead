/** The register of destinations that ships with the program, and what the declaration says of a row. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type DestinationRegister, parseDestinations } from "../register/index.ts";
import type { DestinationFacts } from "../report/index.ts";

export interface LoadedRegister {
  readonly register: DestinationRegister;
  readonly facts: (id: string) => DestinationFacts | null;
}

/** Reads register/destinations.yaml, which lies two folders above this file in a checkout and in the package alike. */
export async function loadRegister(): Promise<LoadedRegister> {
  const file = join(import.meta.dirname, "../../register/destinations.yaml");
  const register = parseDestinations(await readFile(file, "utf8"), file);
  const facts = (id: string): DestinationFacts | null => {
    const row = register.rows.find((candidate) => candidate.id === id);
    return row === undefined ? null : { operator: row.operator, law: row.law, asOf: row.as_of };
  };
  return { register, facts };
}
