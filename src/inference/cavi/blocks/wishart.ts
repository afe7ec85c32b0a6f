import { InternalError } from "../../../base/errors.ts";
import { wishart } from "../../../distributions/wishart.ts";
import type { Tensor } from "../../../tensor/tensor.ts";
import { multivariateLogGamma } from "../densities.ts";
import type { SiteStatistics } from "../moments.ts";
import { type Block, total, type Variable } from "./block.ts";
import { inverseOf, symmetric } from "./layout.ts";

export interface WishartParts {
  readonly mean: Tensor;
  readonly logDet: Tensor;
  readonly entropy: Tensor;
}

/** E Λ, E log |Λ| and the entropy of W(df, B⁻¹), B [..., n, n]. */
export function wishartParts(df: Tensor, b: Tensor, n: number): WishartParts {
  const { inverse, logDet: logDetB } = inverseOf(b, n);
  const perMatrix = df.reshape([...df.shape, 1, 1]);
  let logDet = logDetB.neg().add(n * Math.LN2);
  for (let i = 0; i < n; i++) logDet = logDet.add(df.sub(i).mul(0.5).digamma());
  const norm = df.mul(logDetB).mul(0.5).sub(df.mul(0.5 * n * Math.LN2)).sub(multivariateLogGamma(df.mul(0.5), n)); // biome-ignore format: the formula
  const entropy = norm.add(df.sub(n + 1).mul(0.5).mul(logDet)).sub(df.mul(0.5 * n)).neg(); // biome-ignore format: the formula
  return { mean: perMatrix.mul(inverse), logDet, entropy };
}

/** E log of W(df, B⁻¹). */
export function expectedLogWishart(own: SiteStatistics, df: Tensor, b: Tensor, n: number): Tensor {
  if (own.kind !== "matrix") throw new InternalError("a Wishart factor has lost its site");
  const { logDet } = inverseOf(b, n);
  const norm = df.mul(logDet).mul(0.5).sub(df.mul(0.5 * n * Math.LN2)).sub(multivariateLogGamma(df.mul(0.5), n)); // biome-ignore format: the formula
  return total(
    df
      .sub(n + 1)
      .mul(0.5)
      .mul(own.logDet)
      .add(norm),
  ).sub(total(b.mul(own.mean)).mul(0.5));
}

/** Wishart(df, scale), kept with the inverse of its scale, which the data are added to. */
export function wishartBlock({ site, shape }: Variable): Block {
  const n = shape.at(-1)!;
  return {
    name: site,
    sites: [site],
    family: "wishart",
    state: { df: shape.slice(0, -2), inverseScale: shape },
    expected: ({ df, inverseScale }) => {
      const { mean, logDet, entropy } = wishartParts(df!, inverseScale!, n);
      return { sites: { [site]: { kind: "matrix", mean, logDet } }, wrt: { mean, logDet }, entropy };
    },
    update: (_state, _wrt, { mean, logDet }) => ({
      df: logDet!.mul(2).add(n + 1),
      inverseScale: symmetric(mean!).mul(-2),
    }),
    draw: ({ df, inverseScale }, key, count) => ({
      [site]: wishart.sample!(key.site(site), { df: df!, scale: inverseOf(inverseScale!, n).inverse }, [
        count,
        ...shape.slice(0, -2),
      ]),
    }),
    expectedLog: ({ df, inverseScale }, q) => expectedLogWishart(q[site]!, df!, inverseScale!, n),
    averaged: null,
    logDensity: ({ df, inverseScale }, values) =>
      total(wishart.logProb(values[site]!, { df: df!, scale: inverseOf(inverseScale!, n).inverse })),
  };
}
