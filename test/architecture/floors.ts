/**
 * The floors of the source tree, as data. A file may import its own floor and any floor below it in its pillar, never one
 * above. Within a list the floors stand from low to high; floors in one inner list stand beside each other and do not
 * know one another. A floor's name is its folder under src/; the longest matching name counts, so that the files directly
 * in `backends/` (the interface) lie below its three implementations.
 */
export const foundation = ["base", "ir", "ops"] as const;

/** What people write models in. Stands on the foundation. */
export const languagePillar = ["tensor", "constraints", "distributions", "nn", "ode", "model"] as const;

/** What runs them. Stands on the foundation; neither pillar imports the other. */
export const machinePillar = [
  "transforms",
  "passes",
  "backends",
  ["backends/reference", "backends/wasm", "backends/blas"],
  "engine",
] as const;

/** Where the pillars meet: these may import both pillars whole. */
export const joint = ["program", "optimizers", "families", "objectives", "inference", "vae"] as const;

/** Floors that stand aside, each with all that it may import. */
export const aside = {
  diagnostics: ["base"],
  posterior: ["base", "data", "diagnostics"],
  data: ["base"],
  record: ["base", "data"],
  report: ["base", "data"],
} as const;

/** What a floor may import beyond its place in the order. */
export const besides = {
  vae: ["data", "diagnostics"],
  // A plate's body is lifted by vmap, which knows nothing but ops.
  model: ["transforms"],
  inference: ["diagnostics", "posterior", "data"],
} as const;

/** Only these may import Node's own modules and koffi; everything else runs in a browser as it is. */
export const nodeOnly = [/^src\/backends\/blas\//, /^src\/data\/files[^/]*\.ts$/, /^src\/record\//, /^src\/node\.ts$/];

/** Packages that platform-free files may import. */
export const portablePackages = ["papaparse", "fflate", "hyparquet", "hyparquet-writer"];

/** Files from which a browser starts: none of them may lead to a file that imports Node's modules. */
export const browserEntries = ["src/index.ts", "src/backends/blas/absent.ts", "src/data/digits.ts"];

/** What the command line may import besides its own files and packages. */
export const cliMayImport = ["src/index.ts", "src/node.ts", "src/data/digits.ts"];

/** The package's names for itself and the sources they stand for. */
export const selfReferences: Readonly<Record<string, string>> = {
  ansatz: "src/index.ts",
  "ansatz/node": "src/node.ts",
  "ansatz/blas": "src/backends/blas/load.ts",
  "ansatz/digits": "src/data/digits.ts",
};
