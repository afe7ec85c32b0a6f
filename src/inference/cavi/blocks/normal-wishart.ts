import { InternalError } from "../../../base/errors.ts";
import { sizeOf } from "../../../base/shape.ts";
import { LOG_2PI } from "../../../distributions/normal-cdf.ts";
import { wishart } from "../../../distributions/wishart.ts";
import { full } from "../../../tensor/functions.ts";
import * as linalg from "../../../tensor/linalg.ts";
import { normal } from "../../../tensor/random.ts";
import { type Block, total, type Variable } from "./block.ts";
import { halfSquare, inverseOf, solve, symmetric } from "./layout.ts";
import { expectedLogWishart, wishartParts } from "./wishart.ts";

/**
 * Normal–Wishart: q(x | Λ) = N(mean, (kappa Λ)⁻¹), q(Λ) = W(df, inverseScale⁻¹). The scale is centred at the new mean in the same way.
 */
export function normalWishartBlock(x: Variable, lambda: Variable): Block {
  const n = lambda.shape.at(-1)!;
  const batch = lambda.shape.slice(0, -2);
  return {
    name: `${x.site}, ${lambda.site}`,
    sites: [x.site, lambda.site],
    family: "normalWishart",
    state: { mean: x.shape, kappa: batch, df: batch, inverseScale: lambda.shape },
    expected: ({ mean, kappa, df, inverseScale }) => {
      const parts = wishartParts(df!, inverseScale!, n);
      const spread = full(kappa!, kappa!.shape, 1).div(kappa!);
      const gaussian = kappa!
        .log()
        .mul(-0.5 * n)
        .sub(parts.logDet.mul(0.5))
        .add(0.5 * n * (1 + LOG_2PI));
      return {
        sites: {
          [x.site]: {
            kind: "gaussian",
            mean: mean!,
            covariance: spread,
            events: x.events,
            relativeTo: { site: lambda.site, positions: batch.map((_, p) => p) },
            before: null,
          },
          [lambda.site]: { kind: "matrix", mean: parts.mean, logDet: parts.logDet, power: 1 },
        },
        wrt: { mean: mean!, spread, lambda: parts.mean, logDet: parts.logDet },
        entropy: gaussian.add(parts.entropy),
      };
    },
    update: ({ mean }, wrt, gradients) => {
      const kappa = gradients.spread!.mul(-2 / n);
      const each = kappa.reshape([...batch, 1]);
      const step = solve(wrt.lambda!, gradients.mean!, n).div(each);
      const outer = linalg.outer(step, step).mul(kappa.reshape([...batch, 1, 1]));
      return {
        mean: mean!.add(step),
        kappa,
        df: gradients.logDet!.mul(2).add(n),
        inverseScale: symmetric(gradients.lambda!).mul(-2).sub(outer),
      };
    },
    draw: ({ mean, kappa, df, inverseScale }, key, count) => {
      const scale = inverseOf(inverseScale!, n).inverse;
      const drawn = wishart.sample!(key.site(lambda.site), { df: df!, scale }, [count, ...batch]);
      const noise = normal(key.site(x.site), [count, ...batch, n], "f64");
      const own = linalg.triangularSolveVector(linalg.cholesky(drawn), noise, { transpose: true });
      return { [x.site]: own.div(kappa!.sqrt().reshape([...batch, 1])).add(mean!), [lambda.site]: drawn };
    },
    expectedLog: ({ mean, kappa, df, inverseScale }, q) => {
      const [own, held] = [q[x.site]!, q[lambda.site]!];
      if (own.kind !== "gaussian" || held.kind !== "matrix") throw new InternalError(`"${x.site}" is no Gaussian`);
      const about = total(halfSquare(own.mean.sub(mean!), held.mean).mul(kappa!));
      const spread = total(own.covariance.mul(kappa!)).mul(-0.5 * n);
      const logDet = total(held.logDet.add(kappa!.log().mul(n))).mul(0.5);
      const gaussian = about
        .add(spread)
        .add(logDet)
        .sub(0.5 * n * sizeOf(batch) * LOG_2PI);
      return gaussian.add(expectedLogWishart(held, df!, inverseScale!, n));
    },
    averaged: null,
    logDensity: ({ mean, kappa, df, inverseScale }, values) => {
      const value = values[lambda.site]!;
      const square = halfSquare(values[x.site]!.sub(mean!), value).mul(kappa!);
      const logDet = linalg.logDetCholesky(linalg.cholesky(value)).add(kappa!.log().mul(n)).mul(0.5);
      const gaussian = total(square.add(logDet)).sub(0.5 * n * sizeOf(batch) * LOG_2PI);
      const scale = inverseOf(inverseScale!, n).inverse;
      return gaussian.add(total(wishart.logProb(value, { df: df!, scale })));
    },
  };
}
