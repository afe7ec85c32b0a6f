import { join } from "node:path";
import { type Attempt, DataError, type Method, readManifest } from "../src/node.ts";
import { version } from "./version.ts";

/** The files of a fit's run besides manifest.json and report.html. */
export const fitFiles = {
  posterior: "posterior.safetensors",
  checks: "checks.safetensors",
  arviz: "posterior.zarr",
  stan: "stan-csv",
  parquet: "posterior.parquet",
} as const;

export type ExportFormat = "arviz" | "stan" | "parquet";
export const exportFormats = ["arviz", "stan", "parquet"] as const satisfies readonly ExportFormat[];

export interface FitFlags {
  readonly data?: string;
  readonly method: Method;
  readonly seed?: number;
  readonly draws?: number;
  readonly chains?: number;
  readonly warmUp?: number;
  readonly targetAcceptance?: number;
  readonly group?: readonly (readonly string[])[];
  readonly gradient?: readonly string[];
  readonly deterministic?: boolean;
  readonly threads?: number;
  readonly out?: string;
  readonly overwrite?: boolean;
  readonly export?: readonly ExportFormat[];
  /** False under --no-report. */
  readonly report: boolean;
  readonly json?: boolean;
}

/** What --json prints first, and the manifest keeps. Names have elements of vectors as in theta[1], from 1. */
export interface FitResult {
  readonly method: string;
  readonly trusted: boolean;
  readonly khat: number | null;
  readonly reason: string;
  readonly parameters: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Of coordinate ascent: the bound. Of EP: log Z. Of both: sweeps. */
  readonly elbo?: number;
  readonly logZ?: number;
  readonly sweeps?: number;
}

/** manifest.json of a fit. */
export interface FitManifest {
  readonly format: 1;
  readonly kind: "fit";
  readonly ansatz: string;
  readonly status: "done" | "interrupted";
  readonly command: string;
  readonly model: { readonly path: string; readonly sha256: string };
  readonly data: { readonly path: string; readonly sha256: string } | null;
  /** Options of the fit that were given. */
  readonly given: Readonly<Record<string, number | boolean | string>>;
  readonly seed: number;
  readonly deterministic: boolean;
  readonly blas: string | null;
  readonly relaxedSimd: boolean;
  readonly node: string;
  readonly platform: string;
  readonly attempts: readonly Attempt[];
  readonly result: FitResult;
  readonly warnings: readonly string[];
  /** Seconds by stage. */
  readonly timings: Readonly<Record<string, number>>;
  readonly startedAt: string;
  readonly finishedAt: string;
}

/** Whether a run directory holds a fit. @throws DataError where it holds no run */
export const isFit = (directory: string): boolean => readManifest(directory).kind === "fit";

/** @throws DataError when the manifest is of another version */
export function readFitManifest(directory: string): FitManifest {
  const manifest = readManifest(directory) as Partial<FitManifest>;
  if (manifest.format !== 1 || !manifest.attempts || !manifest.result || !manifest.model) {
    throw new DataError(
      `${join(directory, "manifest.json")} lacks its parts or has another format than 1, which ansatz ${version} reads. Use the ` +
        `version that wrote the run (it says ${manifest.ansatz ?? "nothing"}).`,
    );
  }
  return manifest as FitManifest;
}
