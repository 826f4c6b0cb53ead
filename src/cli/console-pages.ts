/** The console's pages as built: `dist/console-web`, in a package and in a checkout alike. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "../core/index.ts";

const isCheckout = import.meta.filename.endsWith(".ts");

/** Where they lie. */
export const pagesFolder = (): string =>
  isCheckout
    ? join(import.meta.dirname, "../../dist/console-web")
    : join(import.meta.dirname, "../console-web");

/** A package ships them; in a checkout they are built when they are missing. Throws `console.failed`. */
export function buildMissingPages(): void {
  if (!isCheckout || existsSync(join(pagesFolder(), "index.html"))) return;
  process.stderr.write("sallyport: building the console's pages (npm run build:console)\n");
  const { status, error } = spawnSync("npm", ["run", "--silent", "build:console"], {
    cwd: join(import.meta.dirname, "../.."),
    stdio: ["ignore", 2, 2],
    env: { ...process.env, NODE_ENV: "production" },
    shell: false,
  });
  if (status !== 0)
    throw new Fault("console.failed", {
      detail: "its pages could not be built",
      remedy: "run `npm install`, then `npm run build:console`",
      cause: error,
    });
}
