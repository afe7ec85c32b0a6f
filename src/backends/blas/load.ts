import { existsSync, readFileSync, realpathSync } from "node:fs";
import { OptionError } from "../../base/errors.ts";
import type { Blas, BlasAttempt } from "../native.ts";
import { type Candidate, platformCandidates, requestedCandidates } from "./candidates.ts";
import { coreTypeToSet } from "./core-type.ts";
import { wrapLibrary } from "./library.ts";

export { createThreads, defaultThreads } from "./threads.ts";
export { startWorker } from "./worker.ts";

let loading: Promise<Blas | null> | undefined;
const attempts: BlasAttempt[] = [];

/**
 * Finds and loads a system BLAS, once per process; null where none is found, or where the optional package `koffi`, which calls it,
 * is not installed. The environment variable ANSATZ_BLAS selects one by vendor (openblas, mkl, blis, accelerate, reference), by
 * library name or by path, and "none" turns the search off. Threads are the library's own default (OPENBLAS_NUM_THREADS and
 * the like are respected).
 *
 * OpenBLAS reads OPENBLAS_CORETYPE while it is loaded: it is set around the load where that helps (`coreTypeToSet`) and restored. In a
 * worker thread `process.env` is a copy that the library does not see, so load in the main thread first.
 *
 * @throws OptionError when ANSATZ_BLAS names a library that cannot be used
 */
export function loadBlas(): Promise<Blas | null> {
  loading ??= search();
  return loading;
}

/** What was tried by `loadBlas`, in order; empty before its first call. */
export function blasAttempts(): readonly BlasAttempt[] {
  return attempts;
}

async function search(): Promise<Blas | null> {
  const request = process.env.ANSATZ_BLAS?.trim() || undefined;
  if (request?.toLowerCase() === "none") {
    attempts.push({ candidate: "any", outcome: "not tried: ANSATZ_BLAS=none" });
    return null;
  }
  let koffi: typeof import("koffi").default;
  try {
    koffi = (await import("koffi")).default;
  } catch (error) {
    attempts.push({ candidate: "koffi", outcome: `cannot be imported: ${firstLine(error)}` });
    if (request) throw unusable(request);
    return null;
  }
  const candidates = request ? requestedCandidates(request, process.platform) : platformCandidates(process.platform);
  for (const candidate of candidates) {
    try {
      const blas = open(koffi, candidate);
      attempts.push({ candidate: candidate.name, outcome: `loaded: ${blas.description}` });
      return blas;
    } catch (error) {
      attempts.push({ candidate: candidate.name, outcome: firstLine(error) });
    }
  }
  if (request) throw unusable(request);
  return null;
}

function open(koffi: typeof import("koffi").default, candidate: Candidate): Blas {
  const path = resolve(candidate.name);
  const cpuinfo = existsSync("/proc/cpuinfo") ? readFileSync("/proc/cpuinfo", "latin1") : "";
  const before = process.env.OPENBLAS_CORETYPE;
  const coreType = coreTypeToSet({ cpuinfo, chosen: before, path });
  try {
    if (coreType !== null) process.env.OPENBLAS_CORETYPE = coreType;
    // MKL's front loads its parts itself, and these look for one another among the global symbols.
    const handle = koffi.load(candidate.name, { global: candidate.vendor === "mkl" });
    return wrapLibrary(koffi, handle, path, candidate.vendor);
  } finally {
    if (coreType !== null) delete process.env.OPENBLAS_CORETYPE;
  }
}

/** Where the system's loader will most likely find the library, links followed; the name itself where that cannot be said. */
function resolve(name: string): string {
  const triple = process.arch === "arm64" ? "aarch64-linux-gnu" : "x86_64-linux-gnu";
  const system = ["/usr/local/lib", `/lib/${triple}`, `/usr/lib/${triple}`, "/lib64", "/usr/lib64", "/lib", "/usr/lib"];
  const folders = name.includes("/")
    ? []
    : [...(process.env.LD_LIBRARY_PATH?.split(":").filter(Boolean) ?? []), ...system];
  const found = [name, ...folders.map((folder) => `${folder}/${name}`)].find(
    (path) => path.includes("/") && existsSync(path),
  );
  if (found === undefined || found.startsWith("/System/")) return name;
  return realpathSync(found);
}

const firstLine = (error: unknown): string => (error instanceof Error ? error.message : String(error)).split("\n")[0]!;

function unusable(request: string): OptionError {
  const tried = attempts.map((a) => `${a.candidate}: ${a.outcome}`).join("; ");
  return new OptionError(
    `ANSATZ_BLAS=${request}: no such BLAS could be used (${tried}). Expected openblas, mkl, blis, accelerate, reference, the name or ` +
      `path of a library with a C interface (cblas_sgemm, cblas_dgemm; also named as in NumPy's and SciPy's own OpenBLAS), or none. Unset it to search, or set it to none.`,
  );
}
