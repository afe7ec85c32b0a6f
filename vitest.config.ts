import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const source = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** The package's public names, mapped to the sources: tests never read dist/. The same map stands in tsconfig.json. */
export const alias = [
  { find: /^ansatz$/, replacement: source("src/index.ts") },
  { find: /^ansatz\/node$/, replacement: source("src/node.ts") },
  { find: /^ansatz\/blas$/, replacement: source("src/backends/blas/load.ts") },
  { find: /^ansatz\/digits$/, replacement: source("src/data/digits.ts") },
];

export default defineConfig({
  resolve: { alias },
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/acceptance/**", "node_modules/**"],
    environment: "node",
    testTimeout: 120_000,
  },
});
