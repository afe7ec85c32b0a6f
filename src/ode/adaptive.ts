import { OptionError } from "../base/errors.ts";
import { abs, and, concat, maximum, minimum, ne, not, reshape, sign, sqrt, where } from "../tensor/functions.ts";
import { scan, whileLoop } from "../tensor/scan.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkedDerivative, combine, type Derivative, rowsFrom, scalarLike, stagesOf, timesFor } from "./stages.ts";
import { dormandPrince } from "./tableau.ts";

export interface OdeAdaptiveOptions {
  /** Dormand and Prince's method of order 5, the only one. */
  readonly method?: "dopri5";
  /** Allowed error of a step relative to each component of the state. Default 1e-6. */
  readonly relTol?: number;
  /** Allowed error of a step besides that. Default 1e-6. */
  readonly absTol?: number;
  /** Most steps, rejected ones included, between two times. Default 1000. */
  readonly maxSteps?: number;
  /** Size of the first step that is tried. Default: chosen from f and its change. */
  readonly initialStep?: number;
}

const SAFETY = 0.9;
const LEAST_FACTOR = 0.2;
const GREATEST_FACTOR = 5;

/** √ mean (error / (absTol + relTol · size))²: at most 1 where a step is good enough (Hairer et al. 1993, eq. II.4.11). */
type Norm = (error: Tensor, size: Tensor) => Tensor;

/** A size for the first step, such that an Euler step's error would be about 1 % of what is allowed (ibid., page 169). */
function firstStep(f: Derivative, norm: Norm, t: Tensor, y: Tensor, direction: Tensor): Tensor {
  const slope = f(t, y);
  const [d0, d1] = [norm(y, abs(y)), norm(slope, abs(y))];
  const small = d0.lt(1e-5).cast("u32").add(d1.lt(1e-5).cast("u32")).gt(0);
  const guess = where(small, scalarLike(t, 1e-6), d0.div(d1).mul(0.01));
  const signed = guess.mul(direction);
  const change = f(t.add(signed), y.add(slope.mul(signed))).sub(slope);
  const d2 = norm(change, abs(y)).div(guess);
  const steepest = maximum(d1, d2);
  const other = where(
    steepest.le(1e-15),
    maximum(guess.mul(1e-3), 1e-6),
    steepest
      .mul(100)
      .log()
      .mul(-1 / dormandPrince.order)
      .exp(),
  );
  return minimum(guess.mul(100), other);
}

/**
 * Solves dy/dt = f(t, y), y(times[0]) = y0 by Dormand and Prince's method of order 5 with steps as large as the tolerances allow
 * (Hairer, Nørsett & Wanner 1993, sections II.4 and II.5). Each time is reached exactly.
 *
 * Differentiable by y0, times and all that f uses, through the steps that were taken: their sizes count as given.
 * Where maxSteps do not reach the next time (a stiff problem, or a solution that ends before), that row and all later ones are
 * NaN.
 *
 * @param f      the right-hand side: t [], y [k] → dy/dt [k]
 * @param y0     state at times[0], shape [k]
 * @param times  increasing or decreasing, shape [n]; numbers, or a tensor of y0's dtype
 * @returns      states at the times, shape [n, k]; the first row is y0
 * @throws       ShapeError, OptionError on arguments that do not fit
 */
export function odeAdaptive(
  f: Derivative,
  y0: Tensor,
  times: Tensor | readonly number[],
  { method = "dopri5", relTol = 1e-6, absTol = 1e-6, maxSteps = 1000, initialStep }: OdeAdaptiveOptions = {},
): Tensor {
  if (method !== "dopri5") throw new OptionError(`odeAdaptive: method "${method}"; there is dopri5`);
  for (const [name, value] of Object.entries({ relTol, absTol, maxSteps, initialStep: initialStep ?? 1 })) {
    if (!(value > 0)) throw new OptionError(`odeAdaptive: ${name} is ${value}; it must be greater than 0`);
  }
  const at = timesFor(y0, times);
  const [n, k] = [at.shape[0]!, y0.shape[0]!];
  const firstRow = reshape(y0, [1, k]);
  if (n === 1) return firstRow;
  const checked = checkedDerivative(f);
  const norm: Norm = (error, size) => sqrt(error.div(size.mul(relTol).add(absTol)).square().mean());

  const element = (i: number) => reshape(rowsFrom(at, i, i + 1), []);
  const begin = element(0).stopGradient();
  const start = y0.stopGradient();
  const h0 =
    initialStep === undefined
      ? firstStep(checked, norm, begin, start, sign(element(1).stopGradient().sub(begin)))
      : scalarLike(y0, initialStep);

  const interval = (state: { y: Tensor; h: Tensor; failed: Tensor }, { from, to }: { from: Tensor; to: Tensor }) => {
    const begun = {
      // Nothing is left to do once a time was not reached.
      t: where(state.failed, to, from),
      y: state.y,
      h: state.h,
      slope: checked(from, state.y),
    };
    const { carry } = whileLoop(begun, ({ t }) => ne(t, to), (s) => tryStep(checked, norm, s, to), { max: maxSteps }); // biome-ignore format: short
    const failed = not(and(carry.t.eq(to), not(state.failed)));
    const y = where(failed, scalarLike(y0, Number.NaN), carry.y);
    return { carry: { y, h: carry.h, failed }, y };
  };
  const { ys } = scan(
    {
      carry: { y: y0, h: h0.stopGradient(), failed: scalarLike(y0, 0).ne(0) },
      xs: { from: rowsFrom(at, 0, n - 1), to: rowsFrom(at, 1, n) },
    },
    interval,
  );
  return concat([firstRow, ys], 0);
}

interface Position {
  readonly t: Tensor;
  readonly y: Tensor;
  /** Size of the next step to try, without its sign. */
  readonly h: Tensor;
  /** f(t, y). */
  readonly slope: Tensor;
}

/** One step towards `to`, taken if its error is small enough; the size of the next follows from the error either way. */
function tryStep(f: Derivative, norm: Norm, { t, y, h, slope }: Position, to: Tensor): Position {
  const remaining = to.sub(t);
  const last = abs(remaining).le(h);
  const step = where(last, remaining, h.mul(sign(remaining)).stopGradient());
  const stages = stagesOf(f, dormandPrince, t, y, step, slope);
  const next = y.add(step.mul(combine(dormandPrince.b, stages)!));
  const error = step.mul(combine(dormandPrince.error, stages)!).stopGradient();
  const size = norm(error, maximum(abs(y), abs(next)).stopGradient());
  const good = size.le(1);
  // An error that is no number is as bad as can be.
  const factor = where(size.lt(Infinity), size.log().mul(-1 / dormandPrince.order).exp().mul(SAFETY), LEAST_FACTOR); // biome-ignore format: short
  const bounded = minimum(maximum(factor, LEAST_FACTOR), where(good, scalarLike(h, GREATEST_FACTOR), 1));
  const proposed = abs(step).mul(bounded);
  // A step that was cut short to reach its time says nothing against the size that was planned.
  const following = where(and(good, last), maximum(proposed, h), proposed).stopGradient();
  return {
    t: where(good, where(last, to, t.add(step)), t),
    y: where(good, next, y),
    h: following,
    slope: where(good, stages.at(-1)!, slope),
  };
}
