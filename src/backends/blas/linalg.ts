import type { LinalgImports } from "../native.ts";
import type { Lookup } from "./symbols.ts";

/** Values of the C interface's enumerations (netlib's cblas.h). */
const [ROW_MAJOR, NO_TRANS, TRANS, UPPER, LOWER, NON_UNIT, LEFT] = [101, 111, 112, 121, 122, 131, 141];

const SCALARS = [
  ["f32", "s", "float"],
  ["f64", "d", "double"],
] as const;

/** LAPACK's Fortran interface: its row-major lower triangle is the column-major upper one. */
const POTRF = ["str", "size *", "uintptr_t", "size *", "_Out_ size *"];
const trsmArguments = (scalar: string) => ["int", "int", "int", "int", "int", "size", "size", scalar, "uintptr_t", "size", "uintptr_t", "size"]; // biome-ignore format: one signature

/**
 * Cholesky factorisation and triangular solves of a library. A BLAS without LAPACK has no factorisation.
 *
 * @param lookup  a function of the library, or null where it has none of that name
 * @returns       what binds them to addresses that count from `base()`, or null where something is missing
 */
export function linalgOf(lookup: Lookup): ((base: () => number) => LinalgImports) | null {
  const found = SCALARS.map(([dtype, letter, scalar]) => ({
    dtype,
    potrf: lookup(`${letter}potrf_`, "void", POTRF),
    trsm: lookup(`cblas_${letter}trsm`, "void", trsmArguments(scalar)),
  }));
  if (found.some(({ potrf, trsm }) => !potrf || !trsm)) return null;
  return (base) =>
    Object.fromEntries(
      found.flatMap(({ dtype, potrf, trsm }) => [
        [
          `potrf_${dtype}`,
          (n: number, a: number): number => {
            const info = [0];
            potrf!("U", [n], base() + (a >>> 0), [n], info);
            return info[0]!;
          },
        ],
        [
          `trsm_${dtype}`,
          (lower: number, transpose: number, n: number, k: number, t: number, x: number): void => {
            const [triangle, op] = [lower ? LOWER : UPPER, transpose ? TRANS : NO_TRANS];
            const at = base();
            trsm!(ROW_MAJOR, LEFT, triangle, op, NON_UNIT, n, k, 1, at + (t >>> 0), n, at + (x >>> 0), k);
          },
        ],
      ]),
    ) as unknown as LinalgImports;
}

/**
 * A factorisation and the four solves of numbers that come out exactly: L = [[2, 0], [1, 3]], L Lᵀ = [[4, 2], [2, 10]]. Says what is
 * wrong, or null.
 */
export function checkLinalg(imports: LinalgImports, memory: WebAssembly.Memory): string | null {
  for (const [dtype, view] of [
    ["f32", new Float32Array(memory.buffer)],
    ["f64", new Float64Array(memory.buffer)],
  ] as const) {
    const bytes = view.BYTES_PER_ELEMENT;
    // The other triangle must not be read.
    view.set([4, NaN, 2, 10], 8);
    const info = imports[`potrf_${dtype}`](2, 8 * bytes);
    if (info !== 0 || view[8] !== 2 || view[10] !== 1 || view[11] !== 3)
      return `potrf of ${dtype} gives a wrong factor`;
    view.set([-4, 0, 0, 1], 8);
    if (imports[`potrf_${dtype}`](2, 8 * bytes) === 0) return `potrf of ${dtype} does not see what is not positive`;
    for (const lower of [1, 0]) {
      for (const transpose of [1, 0]) {
        view.set(lower ? [2, NaN, 1, 4] : [2, 1, NaN, 4], 8);
        // op(T) = [[2, 0], [1, 4]] where it is lower, [[2, 1], [0, 4]] where it is upper; X = [[1, 2, 3], [4, 5, 6]].
        const forward = lower !== transpose;
        view.set(forward ? [2, 4, 6, 17, 22, 27] : [6, 9, 12, 16, 20, 24], 16);
        imports[`trsm_${dtype}`](lower, transpose, 2, 3, 8 * bytes, 16 * bytes);
        if (!view.subarray(16, 22).every((x, i) => x === i + 1)) {
          return `trsm of ${dtype} gives a wrong solution (lower: ${lower}, transposed: ${transpose})`;
        }
      }
    }
  }
  return null;
}
