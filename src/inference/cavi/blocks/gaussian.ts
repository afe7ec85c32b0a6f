import { InternalError } from "../../../base/errors.ts";
import { sizeOf } from "../../../base/shape.ts";
import { LOG_2PI } from "../../../distributions/normal-cdf.ts";
import { type Block, total, type Variable } from "./block.ts";
import { halfSquare, inverseOf, layoutOf, noiseOf, solve, symmetric } from "./layout.ts";

/**
 * N(mean, precision⁻¹). In (m, V) the expected log joint is quadratic: with S = −(G_V + G_Vᵀ) its maximum is at m + S⁻¹ g_m and
 * V = S⁻¹; nothing cancels, wherever the data lie.
 */
export function gaussianBlock(variable: Variable): Block {
  const { site, shape } = variable;
  const { batch, n, flat, whole, wholeRows, square, spread } = layoutOf(variable);
  return {
    name: site,
    sites: [site],
    family: "gaussian",
    state: { mean: shape, precision: [...batch, n, n] },
    expected: ({ mean, precision }) => {
      const { inverse, logDet } = inverseOf(precision!, n);
      const covariance = spread(inverse);
      const entropy = logDet.mul(-0.5).add(0.5 * n * (1 + LOG_2PI));
      const { events } = variable;
      return {
        sites: { [site]: { kind: "gaussian", mean: mean!, covariance, events, relativeTo: null, before: null } },
        wrt: { mean: mean!, covariance },
        entropy,
      };
    },
    update: ({ mean }, _wrt, gradients) => {
      const precision = symmetric(square(gradients.covariance!)).mul(-2);
      return { mean: mean!.add(whole(solve(precision, flat(gradients.mean!), n))), precision };
    },
    draw: ({ mean, precision }, key, count) => ({
      [site]: wholeRows(noiseOf(precision!, key.site(site), count).add(flat(mean!))),
    }),
    expectedLog: ({ mean, precision }, q) => {
      const own = q[site]!;
      if (own.kind !== "gaussian") throw new InternalError(`"${site}" is no Gaussian`);
      const { logDet } = inverseOf(precision!, n);
      const about = total(halfSquare(flat(own.mean.sub(mean!)), precision!));
      const spread = total(square(own.covariance).mul(precision!)).mul(-0.5);
      return about
        .add(spread)
        .add(total(logDet).mul(0.5))
        .sub(0.5 * n * sizeOf(batch) * LOG_2PI);
    },
    averaged: null,
    logDensity: ({ mean, precision }, values) => {
      const { logDet } = inverseOf(precision!, n);
      const square = halfSquare(flat(values[site]!).sub(flat(mean!)), precision!);
      return total(square)
        .add(total(logDet).mul(0.5))
        .sub(0.5 * n * sizeOf(batch) * LOG_2PI);
    },
  };
}
