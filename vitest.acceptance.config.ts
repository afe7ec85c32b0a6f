import { defineConfig } from "vitest/config";
import { alias } from "./vitest.config.ts";

// The figures that need real data (../shared/data, or the folder that ANSATZ_DATA names) and minutes instead of seconds.
// One file after another: several of them measure time.
export default defineConfig({
  resolve: { alias },
  test: {
    include: ["test/acceptance/**/*.acceptance.ts"],
    environment: "node",
    fileParallelism: false,
    testTimeout: 10 * 60_000,
    hookTimeout: 10 * 60_000,
  },
});
