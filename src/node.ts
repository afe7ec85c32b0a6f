export * from "./index.ts";
export * from "./data/files.ts";
export * from "./record/run-directory.ts";
export * from "./report/report.ts";
// TEMPORARY until index.ts exports them
export type { Blas } from "./backends/native.ts";
export * from "./program/program.ts";
export * from "./engine/runtime.ts";
export * from "./data/dataset.ts";
export * from "./data/safetensors.ts";
export * from "./vae/options.ts";
export * from "./vae/option-spec.ts";
