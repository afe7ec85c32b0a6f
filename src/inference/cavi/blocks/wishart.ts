import { InternalError } from "../../../base/errors.ts";
import { inverseWishart } from "../../../distributions/inverse-wishart.ts";
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

/** E log of W(df, B⁻¹), of a matrix or of the inverse of one. */
export function expectedLogWishart(own: SiteStatistics, df: Tensor, b: Tensor, n: number): Tensor {
  if (own.kind !== "matrix") throw new InternalError("a Wishart factor has lost its site");
  const { logDet } = inverseOf(b, n);
  const logDetOwn = own.power < 0 ? own.logDet.neg() : own.logDet;
  const norm = df.mul(logDet).mul(0.5).sub(df.mul(0.5 * n * Math.LN2)).sub(multivariateLogGamma(df.mul(0.5), n)); // biome-ignore format: the formula
  return total(
    df
      .sub(n + 1)
      .mul(0.5)
      .mul(logDetOwn)
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
      return { sites: { [site]: { kind: "matrix", mean, logDet, power: 1 } }, wrt: { mean, logDet }, entropy };
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

/** InverseWishart(df, scale), statistics X⁻¹, which is Wishart(df, scale⁻¹), and log |X|. */
export function inverseWishartBlock({ site, shape }: Variable): Block {
  const n = shape.at(-1)!;
  return {
    name: site,
    sites: [site],
    family: "inverseWishart",
    state: { df: shape.slice(0, -2), scale: shape },
    expected: ({ df, scale }) => {
      const parts = wishartParts(df!, scale!, n);
      const logDet = parts.logDet.neg();
      // dX = |X|^(n + 1) d(X⁻¹)
      const entropy = parts.entropy.add(logDet.mul(n + 1));
      return {
        sites: { [site]: { kind: "matrix", mean: parts.mean, logDet, power: -1 } },
        wrt: { mean: parts.mean, logDet },
        entropy,
      };
    },
    update: (_state, _wrt, { mean, logDet }) => ({
      df: logDet!.mul(-2).sub(n + 1),
      scale: symmetric(mean!).mul(-2),
    }),
    draw: ({ df, scale }, key, count) => ({
      [site]: inverseWishart.sample!(key.site(site), { df: df!, scale: scale! }, [count, ...shape.slice(0, -2)]),
    }),
    expectedLog: ({ df, scale }, q) => {
      const own = q[site]!;
      if (own.kind !== "matrix") throw new InternalError("an inverse Wishart factor has lost its site");
      return expectedLogWishart(own, df!, scale!, n).sub(total(own.logDet).mul(n + 1));
    },
    averaged: null,
    logDensity: ({ df, scale }, values) => total(inverseWishart.logProb(values[site]!, { df: df!, scale: scale! })),
  };
}
