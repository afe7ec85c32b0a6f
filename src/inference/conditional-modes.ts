import { newton, type TwiceSmooth } from "./newton.ts";
import type { Slice } from "./slicer.ts";
import { choleskyOf, diagonalOf, solveCholesky, symmetrised } from "./symmetric-solve.ts";

/** A division of the coordinates: the held ones, and the rest, which is searched for a mode at their values. */
export interface Held {
  readonly held: readonly number[];
  readonly rest: readonly number[];
}

/** The Gaussian of the rest at given values of the held coordinates. */
export interface ConditionalMode {
  /** Of the held coordinates. */
  readonly values: Float64Array;
  readonly rest: Float64Array;
  /** How the rest's mode moves with the held coordinates, [rest, held]. */
  readonly slopes: Float64Array;
  /** Of the rest's precision. */
  readonly cholesky: Float64Array;
  /** log of the joint density with the rest integrated out as its Gaussian has it, up to a constant. */
  readonly logMass: number;
}

/** The rows and columns of these numbers, of a matrix [n, n]. */
export function block(all: Float64Array, n: number, rows: readonly number[], columns: readonly number[]): Float64Array {
  const out = new Float64Array(rows.length * columns.length);
  let at = 0;
  for (const i of rows) for (const j of columns) out[at++] = all[i * n + j]!;
  return out;
}

/** A function of the rest, the held coordinates having these values. */
class Conditional implements TwiceSmooth {
  readonly dim: number;
  private readonly fn: TwiceSmooth;
  private readonly rest: readonly number[];
  private readonly full: Float64Array;
  private readonly slope: Float64Array;

  constructor(fn: TwiceSmooth, { held, rest }: Held, values: Float64Array) {
    this.dim = rest.length;
    this.fn = fn;
    this.rest = rest;
    this.full = new Float64Array(fn.dim);
    this.slope = new Float64Array(fn.dim);
    for (const [k, j] of held.entries()) this.full[j] = values[k]!;
  }

  /** All coordinates, in an array that the next call writes over. */
  at(x: Float64Array): Float64Array {
    for (const [i, j] of this.rest.entries()) this.full[j] = x[i]!;
    return this.full;
  }

  evaluate(x: Float64Array, gradient: Float64Array): number {
    const value = this.fn.evaluate(this.at(x), this.slope);
    for (const [i, j] of this.rest.entries()) gradient[i] = this.slope[j]!;
    return value;
  }

  async hessian(x: Float64Array, slice: Slice): Promise<Float64Array> {
    return block(await this.fn.hessian(this.at(x), slice), this.fn.dim, this.rest, this.rest);
  }
}

/**
 * The mode of the rest where the held coordinates have these values; null where none was found.
 *
 * @param fn    −log p
 * @param near  where the search begins, [rest]
 */
export async function conditionalMode(
  fn: TwiceSmooth,
  division: Held,
  values: Float64Array,
  near: Float64Array,
  slice: Slice,
): Promise<{ readonly found: ConditionalMode | null; readonly evaluations: number }> {
  const { held, rest } = division;
  const conditional = new Conditional(fn, division, values);
  const end = await newton(conditional, near, { maxIterations: 50, tolerance: 1e-6, slice });
  const { evaluations } = end;
  if (!end.converged || !end.cholesky) return { found: null, evaluations };
  const hessian = symmetrised(await fn.hessian(conditional.at(end.x), slice), fn.dim);
  const cholesky = choleskyOf(block(hessian, fn.dim, rest, rest), rest.length);
  const logMass = cholesky && diagonalOf(cholesky, rest.length).reduce((sum, p) => sum - Math.log(p), -end.value);
  if (!cholesky || !Number.isFinite(logMass)) return { found: null, evaluations };
  const slopes = new Float64Array(rest.length * held.length);
  for (const [k, j] of held.entries()) {
    const column = solveCholesky(cholesky, block(hessian, fn.dim, rest, [j]));
    for (let i = 0; i < rest.length; i++) slopes[i * held.length + k] = -column[i]!;
  }
  return { found: { values, rest: end.x, slopes, cholesky, logMass: logMass! }, evaluations };
}

/** Where the rest's mode is expected at other values of the held coordinates. */
export function expectedRest({ values, rest, slopes }: ConditionalMode, there: Float64Array): Float64Array {
  const held = values.length;
  return rest.map((mode, i) => {
    let moved = mode;
    for (let k = 0; k < held; k++) moved += slopes[i * held + k]! * (there[k]! - values[k]!);
    return moved;
  });
}
