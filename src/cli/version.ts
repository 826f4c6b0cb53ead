import { readFileSync } from "node:fs";
import { join } from "node:path";

/** The version in package.json, which lies two folders above this file in a checkout and in the package alike. */
export const version: string = (
  JSON.parse(readFileSync(join(import.meta.dirname, "../../package.json"), "utf8")) as { version: string }
).version;
