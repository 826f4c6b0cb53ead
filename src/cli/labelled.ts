/**
 * The inspector that knows what a policy labels: the organisation's words and canaries, paths, fingerprints of
 * classified code. Sessions whose policies label the same share one, and its memory.
 */
import { createHash, createHmac } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { asFault, canonicalText, Fault } from "../core/index.ts";
import { type CodeIndex, createInspector, type Inspector, openCodeIndex } from "../inspect/index.ts";
import { isHidden, type Policy } from "../policy/index.ts";

export interface Labelled {
  readonly inspector: Inspector;
  /** SHA-256 of each index of classified code that is in use, hex. */
  readonly indexes: readonly string[];
}

const MAX_INDEX_BYTES = 256 << 20;
/** Each holds the compiled detectors, some megabytes. */
const MOST_KEPT = 8;

/** The key of fingerprints, made from the key of finding hashes: an organisation gives its machines one file. */
export const codeKey = (key: Uint8Array): Uint8Array =>
  createHmac("sha256", key).update("fingerprints of code").digest();

/** What is returned owns its memory. Throws `inspect.index` for an index that is missing, or none, or of another key. */
export function labelledInspectors(key: Uint8Array): (policy: Policy) => Promise<Labelled> {
  const kept = new Map<string, Labelled>();
  return async ({ inspect }) => {
    const files = await Promise.all(inspect.code.map(readIndex));
    const indexes = files.map(({ bytes }) => createHash("sha256").update(bytes).digest("hex"));
    const { terms, paths } = inspect;
    const name = canonicalText({ terms: [...terms], paths: [...paths], indexes });
    const known = kept.get(name);
    if (known !== undefined) return known;
    const made: Labelled = {
      indexes,
      inspector: createInspector({
        key,
        terms,
        paths: paths.map(({ path, class: dataClass }) => ({
          glob: path,
          class: dataClass,
          covers: (file) => isHidden([path], file),
        })),
        code: files.map(({ at, bytes }) => opened(key, at, bytes)),
      }),
    };
    const [oldest] = kept.keys();
    if (kept.size >= MOST_KEPT && oldest !== undefined) kept.delete(oldest);
    kept.set(name, made);
    return made;
  };
}

async function readIndex({
  path,
  document,
}: Policy["inspect"]["code"][number]): Promise<{ readonly at: string; readonly bytes: Buffer }> {
  const at = path.startsWith("~/") ? join(homedir(), path.slice(2)) : resolve(dirname(document), path);
  try {
    const { size } = await stat(at).then((found) => {
      if (!found.isFile()) throw new Error("it is no file");
      return found;
    });
    if (size > MAX_INDEX_BYTES) throw new Error("it is too large");
    // So are the kernel's own files, some of which never end.
    if (size === 0) throw new Error("it is empty");
    return { at, bytes: await readFile(at) };
  } catch (cause) {
    throw new Fault("inspect.index", { at, cause, detail: cause instanceof Error ? cause.message : "" });
  }
}

function opened(key: Uint8Array, at: string, bytes: Uint8Array): CodeIndex {
  try {
    return openCodeIndex(codeKey(key), bytes);
  } catch (cause) {
    throw new Fault("inspect.index", { at, cause, detail: asFault(cause).detail ?? "" });
  }
}
