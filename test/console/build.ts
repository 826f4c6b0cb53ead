/** Builds the pages once before the suite: what is tested is what would be shipped. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";

export default function build(): void {
  const root = join(import.meta.dirname, "../..");
  execFileSync(
    join(root, "node_modules/.bin/vite"),
    ["build", "--config", "src/console/web/vite.config.ts", "--logLevel", "warn"],
    // The suite's own NODE_ENV would build React for developers: larger, and not what is shipped.
    { cwd: root, stdio: "inherit", env: { ...process.env, NODE_ENV: "production" } },
  );
}
