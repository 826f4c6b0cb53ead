/** The query index's table of words, read. Ids are never given to another word; so what was read once holds. */
import type { DatabaseSync } from "node:sqlite";

export interface Words {
  /** The text of an id; "" of none. */
  text(id: unknown): string;
  /** Null: no entry says it. */
  id(text: string): number | null;
  /** After the index began anew. */
  forget(): void;
}

export function wordsIn(database: DatabaseSync): Words {
  const texts = new Map<number, string>();
  return {
    text: (value) => {
      if (value === null || value === undefined) return "";
      const id = Number(value);
      const known = texts.get(id);
      if (known !== undefined) return known;
      const row = database.prepare("SELECT text FROM word WHERE id = ?").get(id);
      const text = row === undefined ? "" : String(row["text"]);
      if (row !== undefined) texts.set(id, text);
      return text;
    },
    id: (text) => {
      const row = database.prepare("SELECT id FROM word WHERE text = ?").get(text);
      return row === undefined ? null : Number(row["id"]);
    },
    forget: () => texts.clear(),
  };
}
