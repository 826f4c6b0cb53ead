/**
 * Makes the shippable package in dist/: plain JavaScript with declarations, by tsc; the stand-alone verifier as one
 * file, by esbuild; the console's pages, by Vite.
 */
import { execFileSync } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { writeClient } from "../src/cli/bundle.ts";
import { bundleVerifier } from "./bundle-verifier.ts";

const root = join(import.meta.dirname, "..");
rmSync(join(root, "dist"), { recursive: true, force: true });
execFileSync(join(root, "node_modules/.bin/tsc"), ["-p", "tsconfig.build.json"], {
  cwd: root,
  stdio: "inherit",
});
await bundleVerifier(join(root, "dist/verify.mjs"));
execFileSync(
  join(root, "node_modules/.bin/vite"),
  ["build", "--config", "src/console/web/vite.config.ts", "--logLevel", "warn"],
  { cwd: root, stdio: "inherit" },
);
await writeClient(join(root, "dist/cli/client.cjs"));
for (const made of [
  "dist/cli/start.js",
  "dist/cli/client.cjs",
  "dist/verify.mjs",
  "dist/console-web/index.html",
])
  if (!existsSync(join(root, made))) throw new Error(`the build made no ${made}`);
