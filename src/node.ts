export { blasAttempts, defaultThreads, loadBlas } from "ansatz/blas";
export * from "./data/files.ts";
export { decodeSafetensors, encodeSafetensors } from "./data/safetensors.ts";
export * from "./index.ts";
export * from "./record/run-directory.ts";
export * from "./report/report.ts";
