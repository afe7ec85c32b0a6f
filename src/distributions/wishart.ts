import { positive, positiveDefinite } from "../constraints/support.ts";
import { transpose, where } from "../tensor/functions.ts";
import { cholesky, logDetCholesky, triangularSolve } from "../tensor/linalg.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { bartlett, diagonalProducts, logMultivariateGamma, perMatrix } from "./bartlett.ts";
import { distribution } from "./distribution.ts";

// log p(X) = (df − n − 1)/2 log |X| − ½ tr(V⁻¹ X) − (df n / 2) log 2 − (df / 2) log |V| − log Γ_n(df / 2)        V: scale
/**
 * Σ x xᵀ over `df` Gaussian vectors x with mean 0 and covariance `scale` [n, n]: symmetric matrices with mean df · scale; df > n − 1
 * need not be an integer. The density is over the lower triangle.
 */
export const wishart = distribution({
  name: "wishart",
  params: { df: { support: positive, rank: 0 }, scale: { support: positiveDefinite, rank: 2 } },
  eventRank: 2,
  eventShape: ({ scale }) => scale.shape.slice(-2),
  support: () => positiveDefinite,
  logProb: (x, { df, scale }) => {
    const n = scale.shape.at(-1)!;
    const [lx, lv] = [cholesky(x), cholesky(scale)];
    const logDet = logDetCholesky(lx);
    const trace = triangularSolve(lv, lx).square().sum([-2, -1]);
    const value = df.sub(n + 1).mul(logDet).sub(trace).sub(df.mul(logDetCholesky(lv).add(n * Math.LN2))).mul(0.5).sub(logMultivariateGamma(df, n)); // biome-ignore format: the formula
    return where<Tensor>(logDet.eq(logDet), value, Number.NEGATIVE_INFINITY);
  },
  sample: (key, { df, scale }, batch) => {
    const root = cholesky(scale).matmul(bartlett(key, df, scale.shape.at(-1)!, batch));
    return root.matmul(transpose(root));
  },
  reparameterised: "implicit",
  mean: ({ df, scale }) => perMatrix(df).mul(scale),
  variance: ({ df, scale }) => perMatrix(df).mul(scale.square().add(diagonalProducts(scale))),
});
