/**
 * C[m, n] = op(A) op(B), row-major, on byte addresses of one WebAssembly memory; leading dimensions in elements. A is stored
 * [k, m] where transA is not 0, B [n, k] where transB is not 0. C is overwritten.
 */
export type GemmImport = (
  transA: number,
  transB: number,
  m: number,
  n: number,
  k: number,
  a: number,
  lda: number,
  b: number,
  ldb: number,
  c: number,
  ldc: number,
) => void;

/** Factorisations and solves of row-major matrices without gaps, in place, on byte addresses of one WebAssembly memory. */
export interface LinalgImports {
  /** The lower triangle of A[n, n] becomes its Cholesky factor; not 0 where a pivot was found that is not positive. */
  readonly potrf_f32: (n: number, a: number) => number;
  readonly potrf_f64: (n: number, a: number) => number;
  /** X[n, k] becomes the solution of op(T) X = X, T being the lower or upper triangle of T[n, n]. Flags are 0 or 1. */
  readonly trsm_f32: TrsmImport;
  readonly trsm_f64: TrsmImport;
}
type TrsmImport = (lower: number, transpose: number, n: number, k: number, t: number, x: number) => void;

export type BlasVendor = "openblas" | "mkl" | "blis" | "accelerate" | "reference" | "unknown";

/** A system BLAS, loaded into this process. */
export interface Blas {
  /** The path or name that was loaded. */
  readonly library: string;
  readonly vendor: BlasVendor;
  /** What the library says of itself (version, build options, core), for the run's manifest. */
  readonly description: string;
  /** The processor whose kernels it chose, where it tells; the bits of a product depend on it. */
  readonly coreName: string | null;
  /** Threads in use now; 1 where the library does not tell. The bits of a product depend on it too. */
  readonly threads: number;
  /** How its functions are named, for threads that open it anew, and the integer that their sizes are. */
  readonly naming?: { readonly prefix: string; readonly suffix: string; readonly size: "int" | "int64" };
  /** Whether it has LAPACK's factorisation too: then the imports are also LinalgImports. */
  readonly factorises?: boolean;
  /** Sets the number of threads, where the library offers it; else does nothing. */
  setThreads(n: number): void;
  /** The functions a compiled program imports, bound to its memory. */
  bind(memory: WebAssembly.Memory): BlasImports;
}

export interface BlasImports extends Partial<LinalgImports> {
  readonly gemm_f32: GemmImport;
  readonly gemm_f64: GemmImport;
}

/** One library that was tried, and how that ended: what `ansatz doctor` prints. */
export interface BlasAttempt {
  readonly candidate: string;
  readonly outcome: string;
}

/**
 * Whether a product of this size is faster by a BLAS call than by the wasm kernel. A fixed rule of the shape alone, so that equal
 * programs take equal routes: the crossings measured on an AVX-512 server with OpenBLAS (a call costs about 0.3 µs from inside a
 * program), where the slope is so steep that another machine's crossing lies close by. Matrix-vector products read each element
 * once, so there the faster arithmetic gains little.
 */
export function blasWorthwhile(dtype: "f32" | "f64", m: number, n: number, k: number): boolean {
  const products = m * n * k;
  // Beyond a core's cache memory sets the pace of either, and OpenBLAS walks a transposed matrix worse.
  if (m === 1 || n === 1) return products >= 8192 && products < 2 ** 18;
  return products >= (dtype === "f32" ? 1536 : 3072);
}

/** Threads that run compiled steps together with the caller on one shared memory. */
export interface ThreadPool {
  /** Parts that a shared kernel is cut into: the workers and the caller. */
  readonly size: number;
  /** Makes the module known to every worker; the number stands for it in `start`. */
  load(module: WebAssembly.Module, withBlas: boolean): Promise<number>;
  /** Lets the workers join in these steps. The caller runs them too, from the phase that is returned. */
  start(module: number, table: number, steps: number, ring: number): number;
  /** Throws when a worker has failed. */
  check(): void;
}

/** A thread of its own that runs a text and posts messages until it is stopped. */
export interface HostWorker {
  stop(): void;
}

export interface WorkerEvents {
  readonly message: (value: unknown) => void;
  /** The text threw, or the thread ended before it was stopped. */
  readonly failure: (reason: string) => void;
}

/** Bytes of the block in which threads meet; its words are: phase and parts taken, parts done, sleepers, failure. */
export const MEETING_BYTES = 64;
export const SLEEPERS_WORD = 2;
/** Set by a worker that cannot go on. */
export const FAILURE_WORD = 3;
