import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { alias } from "./vitest.config.ts";

// The figures that need real data (../shared/data, or the folder that ANSATZ_DATA names) and minutes instead of seconds.
// One file after another: several of them use every core, and one measures memory.
export default defineConfig({
  resolve: { alias },
  test: {
    include: ["test/acceptance/**/*.acceptance.ts"],
    globalSetup: ["test/acceptance/announce.ts"],
    environment: "node",
    reporters: ["verbose"],
    fileParallelism: false,
    // Tests that are declared concurrent start processes of their own.
    maxConcurrency: availableParallelism(),
    testTimeout: 10 * 60_000,
    hookTimeout: 10 * 60_000,
  },
});
