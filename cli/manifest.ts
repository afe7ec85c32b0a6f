import { cpus } from "node:os";
import { DataError, type Runtime, readManifest, type VaeOptions, writeManifest } from "../src/node.ts";
import type { DataRecord } from "./data-source.ts";
import { version } from "./version.ts";

export const manifestFormat = 1;

export type RunStatus = "running" | "interrupted" | "done" | "failed";

/** What the bits of a run depend on besides its options and data. */
export interface BackendRecord {
  readonly name: "wasm" | "blas";
  readonly blas: { readonly library: string; readonly description: string; readonly core: string | null } | null;
  readonly threads: number;
  readonly relaxedSimd: boolean;
}

/** One process's part in a run. */
export interface SessionRecord {
  readonly startedAt: string;
  readonly fromStep: number;
  readonly ansatz: string;
  readonly node: string;
  readonly platform: string;
  readonly cpu: string;
  readonly cpus: number;
  readonly backend: BackendRecord;
}

/** What train prints with --json, and what the manifest keeps as the run's result. Bounds in nats per example. */
export interface TrainResult {
  readonly testNegElbo: number | null;
  readonly trainNegElbo: number | null;
  /** Of the last epoch, on training rows: trainNegElbo = rate + distortion. */
  readonly rate: number | null;
  readonly distortion: number | null;
  readonly epochs: number;
  readonly secondsTraining: number;
  readonly imagesPerSecond: number | null;
  readonly backend: string;
  readonly seed: number;
  /** SHA-256 over the parameters. */
  readonly parameterHash: string;
  readonly status: RunStatus;
  readonly run: string;
  readonly report: string;
  readonly warnings: readonly string[];
}

/** manifest.json: all that is needed to know, repeat or continue a run. */
export interface RunManifest {
  readonly format: typeof manifestFormat;
  readonly ansatz: string;
  readonly status: RunStatus;
  readonly command: string;
  /** The options of the fit that were given, and all of them with their defaults decided. */
  readonly given: VaeOptions;
  readonly options: Readonly<Record<string, unknown>>;
  readonly seed: number;
  readonly deterministic: boolean;
  readonly data: DataRecord;
  readonly sessions: readonly SessionRecord[];
  /** Seconds by stage, over all sessions. */
  readonly timings: Readonly<Record<string, number>>;
  /** Of its sessions; what the model itself gives cause for stands in the result. */
  readonly warnings: readonly string[];
  /** What `train --json` printed last. */
  readonly result: TrainResult | null;
  /** Why a failed run failed. */
  readonly error: string | null;
  readonly startedAt: string;
  readonly updatedAt: string;
}

export async function backendRecord(
  runtime: Pick<Runtime, "blas" | "relaxed" | "threads">,
  deterministic: boolean,
): Promise<BackendRecord> {
  if (deterministic) return { name: "wasm", blas: null, threads: 1, relaxedSimd: false };
  const { blas } = runtime;
  const threads = await runtime.threads();
  return {
    name: blas ? "blas" : "wasm",
    blas: blas && { library: blas.library, description: blas.description, core: blas.coreName },
    threads: threads?.size ?? blas?.threads ?? 1,
    relaxedSimd: runtime.relaxed,
  };
}

export function newSession(fromStep: number, backend: BackendRecord): SessionRecord {
  return {
    startedAt: new Date().toISOString(),
    fromStep,
    ansatz: version,
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cpus: cpus().length,
    backend,
  };
}

/** The manifest of a run, checked for what the commands rely on. @throws DataError when it is of another kind */
export function readRunManifest(directory: string): RunManifest {
  const manifest = readManifest(directory) as Partial<RunManifest>;
  if ((manifest as { kind?: string }).kind === "fit") {
    throw new DataError(
      `${directory} is a run of "ansatz fit", and this command is for those of "ansatz train". Its draws are in ` +
        "posterior.safetensors; its report is written anew by: ansatz report",
    );
  }
  const { format, options, data, sessions } = manifest;
  if (format !== manifestFormat || !options || !data?.train || !Array.isArray(sessions)) {
    const found = format === undefined ? "has no format number" : `has format ${format}`;
    throw new DataError(
      `${directory}/manifest.json ${found} or lacks its parts; this is ansatz ${version}, which reads format ` +
        `${manifestFormat}. Use the version that wrote the run (it says ${manifest.ansatz ?? "nothing"}).`,
    );
  }
  return manifest as RunManifest;
}

/** Writes the manifest with some fields changed, and returns it. */
export function updateManifest(directory: string, manifest: RunManifest, changes: Partial<RunManifest>): RunManifest {
  const changed = { ...manifest, ...changes, updatedAt: new Date().toISOString() };
  writeManifest(directory, changed as unknown as Record<string, unknown>);
  return changed;
}

/** How this session differs from the last in what the bits depend on: a sentence for each, none where nothing does. */
export function differences(before: SessionRecord, now: SessionRecord, deterministic: boolean): string[] {
  const found: string[] = [];
  const compare = (what: string, was: unknown, is: unknown) => {
    if (was !== is) found.push(`${what} was ${was ?? "none"}, now ${is ?? "none"}`);
  };
  compare("ansatz", before.ansatz, now.ansatz);
  if (deterministic) return found;
  const [old, current] = [before.backend, now.backend];
  if (old.blas?.description !== current.blas?.description) {
    compare("BLAS", old.blas?.library, current.blas?.library);
    compare("its version", old.blas?.description, current.blas?.description);
  }
  compare("core type", old.blas?.core ?? null, current.blas?.core ?? null);
  compare("thread count", old.threads, current.threads);
  compare("relaxed SIMD", old.relaxedSimd, current.relaxedSimd);
  return found;
}
