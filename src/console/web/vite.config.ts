/** Builds the console's pages into dist/console-web: no inline script or style, no data: address, nothing from elsewhere. */
import { join } from "node:path";
import locales from "@react-aria/optimize-locales-plugin";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  root: import.meta.dirname,
  base: "./",
  // React Aria's own words in the two languages that there are, not in all thirty-four.
  plugins: [{ ...locales.vite({ locales: ["en-US", "zh-CN"] }), enforce: "pre" }, react()],
  build: {
    outDir: join(import.meta.dirname, "../../../dist/console-web"),
    emptyOutDir: true,
    // A font or an icon as a `data:` address would need a wider content security policy.
    assetsInlineLimit: 0,
    manifest: true,
    target: "es2024",
    reportCompressedSize: false,
  },
});
