/** Makes the stand-alone verifier, `dist/verify.mjs`: one file that needs nothing but Node. */
import { join } from "node:path";
import { build } from "esbuild";

export async function bundleVerifier(outfile: string): Promise<void> {
  await build({
    entryPoints: [join(import.meta.dirname, "../src/ledger/verify-standalone.ts")],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    banner: { js: "#!/usr/bin/env node" },
    logLevel: "warning",
  });
}
