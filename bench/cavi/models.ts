/** Models of the speed benches of coordinate ascent and EP, as users write them. */
import { logNormalCdf } from "../../src/distributions/normal-cdf.ts";
import {
  bernoulli,
  beta,
  categorical,
  dirichlet,
  full,
  gamma,
  model,
  multivariateNormal,
  normal,
  type Tensor,
  wishart,
} from "../../src/index.ts";

export interface MixtureData {
  readonly components: number;
  readonly scale: readonly (readonly number[])[];
  readonly x: Tensor;
}

/** A Gaussian mixture with full covariances, Normal–Wishart; the same priors as scikit-learn is given (in_sklearn.py). */
export const mixture = model(({ sample, observe, plate }, { components, scale, x }: MixtureData) => {
  const [rows, columns] = x.shape as [number, number];
  const weights = sample("weights", dirichlet(full(x, [components], 1)));
  const { mu, lambda } = plate("component", components, () => {
    const lambda = sample("lambda", wishart(columns, scale as number[][]));
    const mean = full(x, [columns], 0);
    return { lambda, mu: sample("mu", multivariateNormal({ mean, precision: lambda.mul(0.1) })) };
  });
  plate("n", rows, (i) => {
    const z = sample("z", categorical(weights));
    observe("x", multivariateNormal({ mean: mu.at(z), precision: lambda.at(z) }), x.at(i));
  });
});

export function mixtureData(x: readonly Float64Array[], components: number) {
  const columns = x[0]!.length;
  const scale = Array.from({ length: columns }, (_, i) => Array.from({ length: columns }, (_, j) => (i === j ? 1 / columns : 0))); // biome-ignore format: one line
  return { components, scale, x };
}

const sd = (precision: Tensor): Tensor => precision.pow(-0.5);

/** What BayesPy fits too (in_bayespy.py), with the same factors. */
export const small = {
  /** Mean and precision of 50 numbers, apart. */
  normal: model(({ sample, observe, plate }, { y }: { y: Tensor }) => {
    const mu = sample("mu", normal(0, 1000));
    const tau = sample("tau", gamma(1e-3, 1e-3));
    // A second use of tau keeps it in a factor of its own, as in BayesPy.
    observe("anchor", normal(0, sd(tau)), full(y, [], 0.5));
    plate("n", y.shape[0]!, (i) => {
      observe("y", normal(mu, sd(tau)), y.at(i));
    });
  }),
  /** Principal components with relevance determination: 178 wines by 13 measurements, 4 components. */
  pca: model(({ sample, observe, plate }, { x }: { x: Tensor }) => {
    const [rows, columns] = x.shape as [number, number];
    const alpha = sample("alpha", gamma(1e-3, 1e-3), [4]);
    const tau = sample("tau", gamma(1e-3, 1e-3));
    const w = plate("column", columns, () => sample("w", normal(0, sd(alpha))));
    plate("n", rows, (i) => {
      const z = sample("z", normal(0, 1), [4]);
      observe("x", normal(w.mul(z).sum(-1), sd(tau)), x.at(i));
    });
  }),
  /** Old Faithful in six components, means and precisions in factors of their own. */
  mixture: model(({ sample, observe, plate }, { x }: { x: Tensor }) => {
    const weights = sample("weights", dirichlet(full(x, [6], 1e-3)));
    const { mu, lambda } = plate("component", 6, () => ({
      mu: sample("mu", multivariateNormal({ mean: [0, 0], precision: [[0.1, 0], [0, 0.1]] })), // biome-ignore format: short
      lambda: sample("lambda", wishart(2, [[0.5, 0], [0, 0.5]])), // biome-ignore format: short
    }));
    plate("n", x.shape[0]!, (i) => {
      const z = sample("z", categorical(weights));
      observe("x", multivariateNormal({ mean: mu.at(z), precision: lambda.at(z) }), x.at(i));
    });
  }),
  /** 500 draws of 10 binary numbers in three kinds. */
  bernoulli: model(({ sample, observe, plate }, { x }: { x: Tensor }) => {
    const weights = sample("weights", dirichlet([0.1, 0.1, 0.1]));
    const theta = plate("kind", 3, () => sample("theta", beta(0.5, 0.5), [x.shape[1]!]));
    plate("n", x.shape[0]!, (i) => {
      const z = sample("z", categorical(weights));
      observe("x", bernoulli(theta.at(z)), x.at(i));
    });
  }),
};

/** Probit regression, weights N(0, 1). */
export const probit = model(({ sample, factor }, { x, y }: { x: Tensor; y: Tensor }) => {
  const columns = x.shape[1]!;
  const w = sample("w", normal(0, 1), [columns]);
  const score = x.matmul(w.reshape([columns, 1])).reshape([x.shape[0]!]);
  factor("y", logNormalCdf(score.mul(y.mul(2).sub(1))));
});
