import { defineConfig } from "tsdown";

/** What every program needs. */
const engine =
  /\/src\/(base|ir|ops|passes|transforms|engine|tensor|program|constraints\/support|backends\/(wasm\/|native))/;
/** Of its folders, what only some programs do: loaded on demand, or with the models. */
const emitters =
  /\/src\/backends\/wasm\/(linalg|scan|on-demand|index-routines|meeting|math\/(special|pow|lgamma|digamma|erf|erfinv)\.ts)/;
const ops = /\/src\/ops\/(linalg|cumulative|scan)/;
/** The model language and what only it needs. */
const models =
  /\/src\/(model|distributions|posterior|constraints\/(?!support)|inference\/(?!aevb|minibatch|latent-noise)|diagnostics\/(?!active-units)|tensor\/(linalg|scan|tree))/;

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
  // The engine in one chunk: cut along what each lazy module shares with it, its pieces would compress worse. The model language
  // in another: a bundler leaves out chunks that nobody imports, but not what a chunk makes when it is loaded.
  outputOptions: {
    codeSplitting: {
      groups: [
        { name: "engine", test: (id) => engine.test(id) && ![emitters, ops, models].some((part) => part.test(id)) },
        { name: "ops", test: ops },
        { name: "safetensors", test: /\/src\/data\/safetensors/ },
        { name: "models", test: models },
      ],
    },
  },
  sourcemap: true,
  clean: true,
  report: false,
  checks: { pluginTimings: false },
});
