import { dot, type LbfgsResult, lbfgsSliced, type SmoothFunction } from "./lbfgs.ts";
import { type Slice, slicer } from "./slicer.ts";
import { choleskyOf, solveCholesky, symmetrised } from "./symmetric-solve.ts";

/** A smooth function with its Hessian, [dim, dim]. */
export interface TwiceSmooth extends SmoothFunction {
  /** Where it takes long it pauses in between. */
  hessian(x: Float64Array, slice: Slice): Float64Array | Promise<Float64Array>;
}

export interface NewtonOptions {
  /** Stops when half the squared Newton decrement, the decrease that is still to be had, is at most this. Default 1e-10. */
  readonly tolerance?: number;
  readonly maxIterations?: number;
  /** What is called between the steps, also of a Hessian that takes long. Default: it lets the host have its turn. */
  readonly slice?: Slice;
}

export interface NewtonResult extends LbfgsResult {
  /** The Hessian at x, where it was made, and its Cholesky factor, where it is positive definite. */
  readonly hessian: Float64Array | null;
  readonly cholesky: Float64Array | null;
  /** ½ gᵀ H⁻¹ g at x: how far the value is from the minimum, as a quadratic sees it. NaN without a Cholesky factor. */
  readonly decrement: number;
}

/** Steps after which the value must have fallen, and by how many nats where the function is not convex. */
const PATIENCE = 15;
const LEAST_FALL = 0.5;
/** So many steps in a row where the function is not convex lead into a spike, or nowhere. */
const MOST_INDEFINITE = 30;

/**
 * Newton's method, damped after Levenberg and Marquardt in units of √|H_jj| (Moré 1978), so that neither correlation nor the
 * scales of the coordinates matter. Where the Hessian is not positive definite the damping makes it so. It gives up where steps lead nowhere:
 * beside a spike, as where a scale goes to 0, they are damped so much that hundreds of them change nothing.
 */
export async function newton(
  fn: TwiceSmooth,
  start: ArrayLike<number>,
  options: NewtonOptions = {},
): Promise<NewtonResult> {
  const { tolerance = 1e-10, maxIterations = 200, slice = slicer(undefined) } = options;
  const { dim } = fn;
  let x = Float64Array.from(start);
  let gradient: Float64Array = new Float64Array(dim);
  let value = fn.evaluate(x, gradient);
  let evaluations = 1;
  let damping = 0;
  let iterations = 0;
  let indefinite = 0;
  let hessian = await fn.hessian(x, slice);
  /** The value before each step. */
  const values: number[] = [];
  for (;;) {
    symmetrised(hessian, dim);
    const cholesky = choleskyOf(hessian, dim);
    const decrement = cholesky ? 0.5 * dot(gradient, solveCholesky(cholesky, gradient.slice())) : Number.NaN;
    const finish = (converged: boolean, reason: string): NewtonResult => ({
      x,
      value,
      gradient,
      iterations,
      evaluations,
      converged,
      reason,
      hessian,
      cholesky,
      decrement,
    });
    if (!Number.isFinite(value)) return finish(false, `the value at the start is ${value}`);
    // Below the rounding error of the value no decrease can be seen, so that asking for more would never end.
    const least = Math.max(tolerance, 1e-15 * Math.abs(value));
    if (cholesky && decrement <= least) return finish(true, "the Newton decrement vanished");
    if (iterations >= maxIterations) return finish(false, `the limit of ${maxIterations} Newton steps was reached`);
    iterations++;
    const fall = (values.at(-PATIENCE) ?? Number.POSITIVE_INFINITY) - value;
    if (!cholesky && fall < LEAST_FALL && gradient.some((g) => Math.abs(g) > 1))
      return finish(false, "the Hessian is not positive definite there, and steps hardly decrease the value");
    indefinite = cholesky ? 0 : indefinite + 1;
    if (indefinite > MOST_INDEFINITE)
      return finish(false, `the Hessian is not positive definite there, nor was it in ${MOST_INDEFINITE} steps before`);
    if (cholesky && fall <= 0) return finish(decrement < 1e-6, "no step decreases the value any more");
    values.push(value);

    let moved = false;
    for (let attempt = 0; attempt < 60 && !moved; attempt++) {
      await slice();
      const factor = damping === 0 && cholesky ? cholesky : dampedCholesky(hessian, dim, (damping ||= 1e-3));
      if (factor) {
        const step = solveCholesky(factor, gradient.slice());
        const next = x.map((v, i) => v - step[i]!);
        const slope = new Float64Array(dim);
        const found = fn.evaluate(next, slope);
        evaluations++;
        const promised = 0.5 * dot(gradient, step);
        const finite = Number.isFinite(found) && slope.every(Number.isFinite);
        const rounding = 1e-14 * Math.abs(value);
        if (finite && found <= value - 1e-4 * promised + rounding) {
          const ratio = (value - found) / promised;
          [x, gradient, value] = [next, slope, found];
          damping =
            ratio > 0.75 ? (damping > 1e-8 ? damping / 10 : 0) : ratio < 0.25 ? Math.max(damping, 1e-3) * 3 : damping;
          moved = true;
        }
      }
      if (!moved) damping = Math.max(damping * 6, 1e-3);
      if (damping > 1e30) break;
    }
    if (!moved) {
      const close = decrement < 1e-6;
      return finish(
        close,
        close ? "no step decreases the value any more" : "no damped Newton step decreases the value",
      );
    }
    hessian = await fn.hessian(x, slice);
    if (!hessian.every(Number.isFinite)) return finish(false, "the Hessian is not finite");
  }
}

/** The factor of H + damping · diag(|H_jj|), with a floor under the diagonal. */
function dampedCholesky(hessian: Float64Array, dim: number, damping: number): Float64Array | null {
  const damped = hessian.slice();
  let greatest = 0;
  for (let i = 0; i < dim; i++) greatest = Math.max(greatest, Math.abs(hessian[i * dim + i]!));
  for (let i = 0; i < dim; i++) {
    damped[i * dim + i]! += damping * Math.max(Math.abs(hessian[i * dim + i]!), 1e-12 * greatest, 1e-12);
  }
  return choleskyOf(damped, dim);
}

export interface MinimiseOptions extends NewtonOptions {
  /** Typical size of each coordinate at the start, [dim]. */
  readonly scale?: Float64Array;
  readonly precondition?: (gradient: Float64Array) => void;
  readonly lbfgsIterations?: number;
  /** Whether Newton's steps may follow, for which the whole Hessian is made and factored. Default: in up to 1000 dimensions. */
  readonly dense?: boolean;
}

/** Dimensions up to which a Hessian is factored again and again: a gigaflop at a time. */
const MOST_DENSE = 1000;

/**
 * L-BFGS as long as it makes progress, then Newton's steps to the end. L-BFGS is cheap far from the minimum, Newton's method is
 * indifferent to how badly the function is scaled and tells how much is left.
 */
export async function minimise(
  fn: TwiceSmooth,
  start: ArrayLike<number>,
  options: MinimiseOptions = {},
): Promise<NewtonResult> {
  const { dense = fn.dim <= MOST_DENSE, slice = slicer(undefined) } = options;
  const far = {
    scale: options.scale,
    precondition: options.precondition,
    maxIterations: options.lbfgsIterations ?? (dense ? Math.max(200, 2 * fn.dim) : 5000),
    gradientTolerance: 1e-8,
    valueTolerance: 1e-12,
  };
  const first = await lbfgsSliced(fn, start, far, slice);
  if (!dense) return { ...first, hessian: null, cholesky: null, decrement: Number.NaN };
  const last = await newton(fn, first.x, { ...options, slice });
  return {
    ...last,
    iterations: first.iterations + last.iterations,
    evaluations: first.evaluations + last.evaluations,
  };
}
