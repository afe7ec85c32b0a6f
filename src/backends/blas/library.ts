import type { LibraryHandle } from "koffi";
import type { Blas, BlasImports, BlasVendor, GemmImport, LinalgImports } from "../native.ts";
import { checkLinalg, linalgOf } from "./linalg.ts";
import { type Foreign, type Lookup, lookupIn, namingOf } from "./symbols.ts";

type Koffi = typeof import("koffi").default;

/** Values of the C interface's enumerations (netlib's cblas.h). */
const ROW_MAJOR = 101;
const NO_TRANS = 111;
const TRANS = 112;

/**
 * Wraps an opened library.
 *
 * @param name    the name or path it was opened by
 * @param vendor  what the name suggests; what the library says of itself wins
 * @throws        Error with the reason where the library has no usable C interface
 */
export function wrapLibrary(koffi: Koffi, handle: LibraryHandle, name: string, vendor: BlasVendor): Blas {
  const open = (symbol: string, result: string, args: string[]): Foreign => handle.func(symbol, result, args);
  const naming = namingOf(open);
  if (!naming) throw new Error("has no cblas_sgemm and cblas_dgemm");
  const optional = lookupIn(open, naming);
  const sgemm = optional("cblas_sgemm", "void", gemmArguments("float"));
  const dgemm = optional("cblas_dgemm", "void", gemmArguments("double"));
  if (!sgemm || !dgemm) throw new Error("has no cblas_sgemm and cblas_dgemm");
  const linalg = linalgOf(optional);
  const { description, coreName, threads, setThreads, ...itself } = introduce(optional);

  const blas: Blas = {
    library: name,
    vendor: itself.vendor ?? vendor,
    description: description || name,
    coreName,
    naming,
    factorises: linalg !== null,
    get threads() {
      return threads();
    },
    setThreads(n) {
      if (!Number.isInteger(n) || n < 1)
        throw new RangeError(`BLAS threads: expected an integer of at least 1, got ${n}`);
      setThreads(n);
    },
    bind: (memory) => {
      const base = baseOf(koffi, memory);
      return {
        gemm_f32: bindGemm(sgemm, memory, base, 4),
        gemm_f64: bindGemm(dgemm, memory, base, 8),
        ...linalg?.(base),
      };
    },
  };
  const fault = selfCheck(blas);
  if (fault) throw new Error(fault);
  return blas;
}

/** Matrices are addresses here: passing a JavaScript number costs less than a pointer object. */
function gemmArguments(scalar: "float" | "double"): string[] {
  const matrix = ["uintptr_t", "size"];
  return ["int", "int", "int", "size", "size", "size", scalar, ...matrix, ...matrix, scalar, ...matrix];
}

/** What a library tells about itself, and how its threads are counted. */
function introduce(optional: Lookup) {
  const none = { description: "", coreName: null, vendor: null, threads: () => 1, setThreads: () => {} };
  const config = optional("openblas_get_config", "str", []);
  if (config) {
    const core = optional("openblas_get_corename", "str", []);
    const get = optional("openblas_get_num_threads", "int", []);
    const set = optional("openblas_set_num_threads", "void", ["int"]);
    return {
      vendor: "openblas" as BlasVendor,
      description: String(config()).trim(),
      coreName: core ? String(core()) : null,
      threads: () => (get ? Number(get()) : 1),
      setThreads: (n: number) => void set?.(n),
    };
  }
  const mklVersion = optional("MKL_Get_Version_String", "void", ["void *", "int"]);
  if (mklVersion) {
    layMkl(optional);
    const text = new Uint8Array(256);
    mklVersion(text, text.length);
    const get = optional("MKL_Get_Max_Threads", "int", []);
    const set = optional("MKL_Set_Num_Threads", "void", ["int"]);
    return {
      ...none,
      vendor: "mkl" as BlasVendor,
      description: new TextDecoder().decode(text).replace(/\0.*$/s, "").trim(),
      threads: () => (get ? Number(get()) : 1),
      setThreads: (n: number) => void set?.(n),
    };
  }
  const blisVersion = optional("bli_info_get_version_str", "str", []);
  if (blisVersion) {
    const get = optional("bli_thread_get_num_threads", "int64", []);
    const set = optional("bli_thread_set_num_threads", "void", ["int64"]);
    return {
      ...none,
      vendor: "blis" as BlasVendor,
      description: `BLIS ${blisVersion()}`,
      // −1 where nobody has set it, which means one.
      threads: () => Math.max(1, get ? Number(get()) : 1),
      setThreads: (n: number) => void set?.(n),
    };
  }
  return none;
}

/**
 * Settles which of MKL's layers its front library will load, which it does at the first call of any other function: 32-bit integers, and
 * no threads of its own, since products are cut among ours. Its threaded layer would end the process where OpenMP's library is not found.
 * MKL_THREADING_LAYER, where it is set, holds.
 */
function layMkl(optional: Lookup): void {
  const [LP64, SEQUENTIAL] = [0, 1]; // mkl_service.h
  optional("MKL_Set_Interface_Layer", "int", ["int"])?.(LP64);
  if (!process.env.MKL_THREADING_LAYER) optional("MKL_Set_Threading_Layer", "int", ["int"])?.(SEQUENTIAL);
}

/** The address of a memory's first byte. Asked for again whenever the memory's buffer is a new one: growing replaces it and may move it. */
function baseOf(koffi: Koffi, memory: WebAssembly.Memory): () => number {
  let buffer: ArrayBufferLike | null = null;
  let base = 0;
  return () => {
    if (memory.buffer !== buffer) {
      buffer = memory.buffer;
      base = Number(koffi.address(new Uint8Array(buffer)));
    }
    return base;
  };
}

/** The product on a WebAssembly memory. */
function bindGemm(gemm: Foreign, memory: WebAssembly.Memory, baseOf: () => number, bytes: number): GemmImport {
  return (transA, transB, m, n, k, a, lda, b, ldb, c, ldc) => {
    const base = baseOf();
    if (m <= 0 || n <= 0) return;
    // Addresses are unsigned, but WebAssembly hands i32 over as signed.
    const target = c >>> 0;
    if (k <= 0) {
      for (let i = 0; i < m; i++) new Uint8Array(memory.buffer, target + i * ldc * bytes, n * bytes).fill(0);
      return;
    }
    const [first, second] = [base + (a >>> 0), base + (b >>> 0)];
    const [opA, opB] = [transA ? TRANS : NO_TRANS, transB ? TRANS : NO_TRANS];
    gemm(ROW_MAJOR, opA, opB, m, n, k, 1, first, lda, second, ldb, 0, base + target, ldc);
  };
}

/**
 * Multiplies small integers, which any order of summation gives exactly, in both precisions and all four transpositions, over a C
 * full of NaN. Says what is wrong, or null.
 */
function selfCheck(blas: Blas): string | null {
  const memory = new WebAssembly.Memory({ initial: 1 });
  const imports: BlasImports = blas.bind(memory);
  const [m, n, k, gap] = [3, 5, 4, 2];
  const [a, b, c] = [8, 64, 128];
  const valueA = (i: number, p: number) => 1 + i * k + p;
  const valueB = (p: number, j: number) => 7 - p * n - j;
  for (const [gemm, name, view] of [
    [imports.gemm_f32, "cblas_sgemm", new Float32Array(memory.buffer)],
    [imports.gemm_f64, "cblas_dgemm", new Float64Array(memory.buffer)],
  ] as const) {
    for (const [transA, transB] of [
      [0, 0],
      [0, 1],
      [1, 0],
      [1, 1],
    ] as const) {
      const lda = (transA ? m : k) + gap;
      const ldb = (transB ? k : n) + gap;
      const ldc = n + gap;
      view.fill(NaN);
      for (let i = 0; i < m; i++)
        for (let p = 0; p < k; p++) view[a + (transA ? p * lda + i : i * lda + p)] = valueA(i, p);
      for (let p = 0; p < k; p++)
        for (let j = 0; j < n; j++) view[b + (transB ? j * ldb + p : p * ldb + j)] = valueB(p, j);
      const bytes = view.BYTES_PER_ELEMENT;
      gemm(transA, transB, m, n, k, a * bytes, lda, b * bytes, ldb, c * bytes, ldc);
      for (let i = 0; i < m; i++) {
        for (let j = 0; j < n; j++) {
          let exact = 0;
          for (let p = 0; p < k; p++) exact += valueA(i, p) * valueB(p, j);
          if (view[c + i * ldc + j] !== exact)
            return `${name} gives a wrong product (transposed: ${transA}, ${transB})`;
        }
      }
    }
  }
  return blas.factorises ? checkLinalg(imports as LinalgImports, memory) : null;
}
