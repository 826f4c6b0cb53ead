/** Where a destination is, by the register as it is now: the ledger holds names, and what is known of them changes. */
import type { Destination, DestinationRegister } from "../register/index.ts";

export const UNKNOWN = "unknown";

export interface Placed {
  /** Null: the register has no row for it. */
  readonly row: Destination | null;
  /** All laws that can compel whoever runs it, joined by `+`. */
  readonly jurisdiction: string;
}

/** Remembers each answer: for one look at one register. `destination`: a row's id, else a host. */
export function placing(
  register: DestinationRegister,
  own: readonly { readonly name: string; readonly operatorLaw: string }[] = [],
): (destination: string) => Placed {
  const byId = new Map(register.rows.map((row) => [row.id, row]));
  const known = new Map<string, Placed>();
  return (destination) => {
    const seen = known.get(destination);
    if (seen !== undefined) return seen;
    const row = byId.get(destination) ?? register.find(destination, "/");
    // A server of one's own that rules reroute to is no row: its owner says where it is, beside its address.
    const server = row === null ? own.find(({ name }) => name === destination) : undefined;
    const placed =
      server !== undefined
        ? { row, jurisdiction: server.operatorLaw }
        : { row, jurisdiction: row === null ? UNKNOWN : [...row.law].sort().join("+") };
    known.set(destination, placed);
    return placed;
  };
}
