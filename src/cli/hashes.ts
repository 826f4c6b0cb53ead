/**
 * SHA-256 of files, each read once per identity (device, inode, size, change time), across stations. A cache: whoever
 * deletes it loses time only. Owned by the house; written at most once a second, and when closed.
 */
import { readFile, writeFile } from "node:fs/promises";
import { fileIdentity, hashFile } from "./prepare.ts";

const WRITE_AFTER_MS = 1_000;
/** Builds make new programs for ever; the oldest are forgotten. */
const MOST_KEPT = 10_000;

export class FileHashes {
  readonly #file: string;
  readonly #known: Promise<Map<string, string>>;
  #timer: NodeJS.Timeout | null = null;

  constructor(file: string) {
    this.#file = file;
    this.#known = readFile(file, "utf8")
      .then((text) => new Map(Object.entries(JSON.parse(text) as Record<string, string>))) // ours
      .catch(() => new Map<string, string>()); // a cache: unreadable means empty
  }

  async of(path: string): Promise<string> {
    const identity = await fileIdentity(path);
    return (await this.#known).get(identity) ?? this.#keep(identity, await hashFile(path));
  }

  /** Of the file that had this identity, read at `path`; null when something else is there by now. */
  async ofIdentity(identity: string, path: string): Promise<string | null> {
    const known = (await this.#known).get(identity);
    if (known !== undefined) return known;
    try {
      if ((await fileIdentity(path)) !== identity) return null;
      const hash = await hashFile(path);
      return (await fileIdentity(path)) === identity ? this.#keep(identity, hash) : null;
    } catch {
      return null; // gone, or not ours to read
    }
  }

  async #keep(identity: string, hash: string): Promise<string> {
    const known = await this.#known;
    known.set(identity, hash);
    const oldest = known.size > MOST_KEPT ? known.keys().next() : null;
    if (oldest?.value !== undefined) known.delete(oldest.value);
    this.#timer ??= setTimeout(() => void this.close(), WRITE_AFTER_MS).unref();
    return hash;
  }

  /** Writes what is new. Never rejects. */
  async close(): Promise<void> {
    if (this.#timer === null) return;
    clearTimeout(this.#timer);
    this.#timer = null;
    const text = JSON.stringify(Object.fromEntries(await this.#known));
    await writeFile(this.#file, text, { mode: 0o600 }).catch(() => {}); // a cache that cannot be kept is made again
  }
}
