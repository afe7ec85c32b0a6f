import { positive, positiveDefinite } from "../constraints/support.ts";
import { transpose, where } from "../tensor/functions.ts";
import { cholesky, logDetCholesky, triangularSolve } from "../tensor/linalg.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { bartlett, diagonalProducts, logMultivariateGamma, perMatrix } from "./bartlett.ts";
import { distribution } from "./distribution.ts";

// log p(X) = (df / 2) log |S| − (df + n + 1)/2 log |X| − ½ tr(S X⁻¹) − (df n / 2) log 2 − log Γ_n(df / 2)        S: scale
/**
 * Matrices whose inverse is Wishart(df, scale⁻¹): symmetric, with mean scale / (df − n − 1) where df > n + 1; df > n − 1 need not be
 * an integer. The density is over the lower triangle.
 */
export const inverseWishart = distribution({
  name: "inverseWishart",
  params: { df: { support: positive, rank: 0 }, scale: { support: positiveDefinite, rank: 2 } },
  eventRank: 2,
  eventShape: ({ scale }) => scale.shape.slice(-2),
  support: () => positiveDefinite,
  logProb: (x, { df, scale }) => {
    const n = scale.shape.at(-1)!;
    const [lx, ls] = [cholesky(x), cholesky(scale)];
    const logDet = logDetCholesky(lx);
    const trace = triangularSolve(lx, ls).square().sum([-2, -1]);
    const value = df.mul(logDetCholesky(ls).sub(n * Math.LN2)).sub(df.add(n + 1).mul(logDet)).sub(trace).mul(0.5).sub(logMultivariateGamma(df, n)); // biome-ignore format: the formula
    return where<Tensor>(logDet.eq(logDet), value, Number.NEGATIVE_INFINITY);
  },
  // With A Aᵀ from Wishart(df, I) and S = L Lᵀ: X = (L A⁻ᵀ)(L A⁻ᵀ)ᵀ, and (L A⁻ᵀ)ᵀ = A⁻¹ Lᵀ.
  sample: (key, { df, scale }, batch) => {
    const root = triangularSolve(bartlett(key, df, scale.shape.at(-1)!, batch), transpose(cholesky(scale)));
    return transpose(root).matmul(root);
  },
  reparameterised: "implicit",
  mean: ({ df, scale }) => scale.div(perMatrix(df.sub(scale.shape.at(-1)! + 1))),
  // ((m + 2) S_ij² + m S_ii S_jj) / ((m + 1) m² (m − 2)) with m = df − n − 1
  variance: ({ df, scale }) => {
    const m = perMatrix(df.sub(scale.shape.at(-1)! + 1));
    const products = m
      .add(2)
      .mul(scale.square())
      .add(m.mul(diagonalProducts(scale)));
    return products.div(m.add(1).mul(m.square()).mul(m.sub(2)));
  },
});
