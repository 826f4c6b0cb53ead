import { defineConfig } from "vitest/config";

// unit: no root, no bubblewrap, no network beyond loopback. system: real bubblewrap and processes.
// slow: as system; what would take `npm test` past five minutes. CI runs it too.
// console: the console's pages in a real Chromium, built before the suite.
// probe: the real agents try to break every grant (docs/probes.md).
// agents: real agents from npm, installed on demand into a cache (see test/agents/agents.json).
export default defineConfig({
  test: {
    projects: [
      { test: { name: "unit", include: ["src/**/*.test.ts", "test/*.test.ts"], testTimeout: 20_000 } },
      {
        test: {
          name: "system",
          include: ["test/system/**/*.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: "slow",
          include: ["test/slow/**/*.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: "console",
          include: ["test/console/**/*.test.ts"],
          globalSetup: ["test/console/build.ts"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: "probe",
          include: ["test/probe/**/*.test.ts"],
          testTimeout: 600_000,
          // As for `agents`, whose programs these are.
          retry: 1,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: "agents",
          include: ["test/agents/**/*.test.ts"],
          testTimeout: 300_000,
          // Other people's programs on a busy machine: once in some hundred runs one of them gives up by itself.
          retry: 1,
          hookTimeout: 600_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
