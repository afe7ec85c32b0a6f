import { NonFiniteError, OptionError } from "../base/errors.ts";
import { Generator } from "../base/generator.ts";
import { compileLogDensity } from "./compile.ts";
import { compileDensityBatch, type DensityBatch, hessianAt } from "./density-batch.ts";
import type { LogDensity } from "./log-density.ts";
import type { TwiceSmooth } from "./newton.ts";
import type { Slice } from "./slicer.ts";
import type { Target } from "./target.ts";

/** A target compiled once for all methods that work with fixed points: one at a time, and in batches. */
export interface CompiledTarget {
  readonly target: Target;
  readonly one: LogDensity;
  /** With Hessian-vector products. */
  readonly batch: DensityBatch;
}

/**
 * @param points  rows of the batch; fixed-draw methods evaluate all their draws in one call of this size. Default 32.
 * @param one     the density of one point, where it is compiled already
 */
export async function compileTarget(target: Target, points = 32, one?: LogDensity): Promise<CompiledTarget> {
  const [single, batch] = await Promise.all([
    one ?? compileLogDensity(target),
    compileDensityBatch(target, points, { hessian: true }),
  ]);
  return { target, one: single, batch };
}

/** −log p with its gradient and Hessian, as a function to be minimised. */
export const negLogDensity = (compiled: CompiledTarget): TwiceSmooth => new NegLogDensity(compiled);

/** A class, so that all searches run the same compiled methods. */
class NegLogDensity implements TwiceSmooth {
  readonly dim: number;
  private readonly one: LogDensity;
  private readonly batch: DensityBatch;

  constructor({ one, batch }: CompiledTarget) {
    this.dim = one.dim;
    this.one = one;
    this.batch = batch;
  }

  evaluate(x: Float64Array, gradient: Float64Array): number {
    const value = this.one.evaluate(x, gradient);
    for (let i = 0; i < gradient.length; i++) gradient[i] = -gradient[i]!;
    return -value;
  }

  async hessian(x: Float64Array, slice: Slice): Promise<Float64Array> {
    return (await hessianAt(this.batch, x, slice)).map((h) => -h);
  }
}

/** Starting values that are drawn are uniform on (−2, 2), as Stan's. */
const RADIUS = 2;
const TRIES = 100;

/**
 * A point at which log density and gradient are finite: the given one, else 0, else one drawn uniformly on (−2, 2) in each
 * coordinate.
 *
 * @throws OptionError     when the given point has another length
 * @throws NonFiniteError  when the given point, or everything that was tried, is not finite
 */
export function startingPoint(
  { target, one }: Pick<CompiledTarget, "target" | "one">,
  given: ArrayLike<number> | undefined,
  seed: number,
): Float64Array {
  const { dim, names } = target;
  if (given && given.length !== dim)
    throw new OptionError(`start has ${given.length} values; the density has ${dim} unconstrained coordinates`);
  const gradient = new Float64Array(dim);
  const generator = new Generator(seed, "starting point");
  let fault = "";
  for (let attempt = 0; attempt < (given ? 1 : TRIES); attempt++) {
    const x = Float64Array.from({ length: dim }, (_, i) =>
      given ? given[i]! : attempt === 0 ? 0 : RADIUS * (2 * generator.uniform() - 1),
    );
    const value = one.evaluate(x, gradient);
    const bad = gradient.findIndex((g) => !Number.isFinite(g));
    if (Number.isFinite(value) && bad < 0) return x;
    fault ||= Number.isFinite(value)
      ? `its gradient in ${names[bad] ?? `coordinate ${bad}`} is ${gradient[bad]}`
      : `it is ${value}`;
  }
  throw new NonFiniteError(
    given
      ? `the log density is not finite at the given start: ${fault}. Give a start inside the model's support.`
      : `no finite log density was found in ${TRIES} tries around 0 (at 0 ${fault}). Give a start, or look for a term of the ` +
          "model that overflows or is undefined there.",
  );
}
