/** Reading other people's JSON without trusting its shape: every step into a value that is not there is empty. */
export interface Loose {
  readonly value: unknown;
  at(key: string | number): Loose;
  keys(): readonly string[];
}

export function loose(value: unknown): Loose {
  return {
    value,
    at: (key) =>
      // `typeof object` and not null: indexing it is safe, and what is found is again unknown.
      loose(
        typeof value === "object" && value !== null
          ? (value as Record<string | number, unknown>)[key]
          : undefined,
      ),
    keys: () => (typeof value === "object" && value !== null ? Object.keys(value) : []),
  };
}

export const listOf = (from: Loose): readonly Loose[] =>
  Array.isArray(from.value) ? from.value.map(loose) : [];

export const textOf = (from: Loose): string | null => (typeof from.value === "string" ? from.value : null);

export const isThere = (from: Loose): boolean => from.value !== undefined && from.value !== null;
