import { defineConfig } from "tsdown";
import { core, shared } from "./scripts/chunks.ts";

// One build for all entries, so that they share chunks: an error class thrown by the core is the one the CLI catches.
export default defineConfig({
  entry: {
    index: "src/index.ts",
    node: "src/node.ts",
    blas: "src/backends/blas/load.ts",
    "blas-absent": "src/backends/blas/absent.ts",
    digits: "src/data/digits.ts",
    cli: "cli/main.ts",
  },
  format: "esm",
  platform: "neutral",
  target: "es2023",
  fixedExtension: false,
  // The package's own names stay imports: "ansatz/blas" is resolved by its conditions, in Node to the FFI loader, under
  // a browser bundler to the stub; "ansatz/digits" is loaded only when asked for.
  deps: { neverBundle: [/^ansatz(\/|$)/, /^node:/] },
  dts: { entry: ["src/index.ts", "src/node.ts", "src/backends/blas/load.ts", "src/data/digits.ts"] },
  // What the core's limit counts in one chunk: cut along what each lazy module shares with it, its pieces would compress worse.
  // Nothing else may be in it, because a bundler leaves out modules that nobody imports, but not what a module makes when it runs.
  outputOptions: {
    codeSplitting: {
      groups: [
        { name: "core", test: (id) => core.has(id) },
        { name: "shared", test: (id) => shared.has(id) },
      ],
    },
  },
  // `infer` is a keyword inside conditional types. The bundler of declarations renames imports of that name, but not what exports
  // them, and the package would have no type for it.
  plugins: [
    {
      name: "declared-infer",
      generateBundle: (_, bundle) => {
        for (const [file, chunk] of Object.entries(bundle)) {
          if (chunk.type === "chunk" && file.endsWith(".d.ts"))
            chunk.code = chunk.code.replace(/\b__Infer\b/g, "infer");
        }
      },
    },
  ],
  sourcemap: true,
  clean: true,
  report: false,
  checks: { pluginTimings: false },
});
