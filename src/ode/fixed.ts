import { OptionError } from "../base/errors.ts";
import { concat, iota, reshape } from "../tensor/functions.ts";
import { scan } from "../tensor/scan.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkedDerivative, combine, type Derivative, rowsFrom, stagesOf, timesFor } from "./stages.ts";
import { fixedMethods } from "./tableau.ts";

export interface OdeFixedOptions {
  /** "rk4" (order 4) by default; "midpoint" is of order 2, "euler" of order 1. */
  readonly method?: keyof typeof fixedMethods;
  /** Equal steps between two times. Default 1. */
  readonly stepsPerInterval?: number;
}

/**
 * Solves dy/dt = f(t, y), y(times[0]) = y0 by an explicit Runge-Kutta method with a given number of equal steps between two
 * times (Hairer, Nørsett & Wanner 1993, section II.1). Nothing bounds its error: the posterior is that of the discrete solution, so see
 * whether twice the steps give the same, or take `odeAdaptive`, which has tolerances. Differentiable by y0, times and all that f uses; the gradient is that of
 * the discrete solution.
 *
 * @param f      the right-hand side: t [], y [k] → dy/dt [k]
 * @param y0     state at times[0], shape [k]
 * @param times  increasing or decreasing, shape [n]; numbers, or a tensor of y0's dtype
 * @returns      states at the times, shape [n, k]; the first row is y0
 * @throws       ShapeError, OptionError on arguments that do not fit
 */
export function odeFixed(
  f: Derivative,
  y0: Tensor,
  times: Tensor | readonly number[],
  { method = "rk4", stepsPerInterval = 1 }: OdeFixedOptions = {},
): Tensor {
  const tableau = fixedMethods[method];
  if (!tableau)
    throw new OptionError(`odeFixed: method "${method}"; there are ${Object.keys(fixedMethods).join(", ")}`);
  if (!Number.isInteger(stepsPerInterval) || stepsPerInterval < 1) {
    throw new OptionError(`odeFixed: stepsPerInterval ${stepsPerInterval} is not a number of steps, 1 or more`);
  }
  const at = timesFor(y0, times);
  const [n, k] = [at.shape[0]!, y0.shape[0]!];
  const first = reshape(y0, [1, k]);
  if (n === 1) return first;
  const start = reshape(rowsFrom(at, 0, n - 1), [n - 1, 1]);
  const size = reshape(rowsFrom(at, 1, n), [n - 1, 1])
    .sub(start)
    .mul(1 / stepsPerInterval);
  const steps = (n - 1) * stepsPerInterval;
  const grid: [number, number] = [n - 1, stepsPerInterval];
  const t = start.add(size.mul(iota(y0, grid, 1, y0.dtype)));
  const checked = checkedDerivative(f);
  const { ys } = scan(
    { carry: y0, xs: { t: reshape(t, [steps]), h: reshape(size.broadcastTo(grid), [steps]) } },
    (y, { t, h }) => {
      const next = y.add(h.mul(combine(tableau.b, stagesOf(checked, tableau, t, y, h))!));
      return { carry: next, y: next };
    },
  );
  // The last of the steps of each interval.
  const last = reshape(ys, [n - 1, stepsPerInterval, k]).narrow(1, stepsPerInterval - 1, 1);
  return concat([first, reshape(last, [n - 1, k])], 0);
}
