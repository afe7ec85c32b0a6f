export * from "./index.ts";
export * from "./data/files.ts";
export { decodeSafetensors, encodeSafetensors } from "./data/safetensors.ts";
export * from "./record/run-directory.ts";
export * from "./report/report.ts";
