import type { VariationalFamily } from "../families/variational-family.ts";
import {
  checkComposition,
  type GradientEstimator,
  type VariationalObjective,
} from "../objectives/variational-objective.ts";
import { f64, gradient, program, u32 } from "../program/program.ts";
import { logDensityOfRows } from "./density-batch.ts";
import type { Target } from "./target.ts";

export interface EstimatorVarianceOptions {
  /** Parameters of q at which the gradients are compared, [size]. */
  readonly params: Float64Array;
  readonly objective: VariationalObjective;
  /** Default: all that the objective has and the family allows. */
  readonly estimators?: readonly GradientEstimator[];
  /** Estimates averaged for one gradient. Default 10. */
  readonly draws?: number;
  /** Gradients drawn from each estimator. Default 1000. */
  readonly repeats?: number;
  /** Default 0. */
  readonly seed?: number;
}

/** One objective and estimator, and how much its gradients scatter. */
export interface EstimatorVarianceRow {
  readonly objective: string;
  readonly estimator: GradientEstimator;
  readonly draws: number;
  /** Mean of the gradients, [size]; what is minimised falls against it. */
  readonly mean: Float64Array;
  /** Variance of each entry of one gradient, [size]. */
  readonly variance: Float64Array;
  /** Sum of the variances, and that of the squared means: what a step is made of. */
  readonly totalVariance: number;
  readonly squaredNorm: number;
  /** Microseconds for one gradient. */
  readonly microseconds: number;
}

/**
 * How noisy each gradient estimator is on this model at these parameters of q. An estimator with a tenth of the variance does with a
 * tenth of the draws.
 *
 * @throws OptionError when objective, estimator and family do not go together
 */
export async function estimatorVariance(
  target: Target,
  family: VariationalFamily,
  options: EstimatorVarianceOptions,
): Promise<EstimatorVarianceRow[]> {
  const { params, objective, draws = 10, repeats = 1000, seed = 0 } = options;
  const estimators =
    options.estimators ??
    objective.estimators.filter((e) => !(e === "doublyReparameterised" && family.strata > 1) && !(e === "score" && draws * objective.particles < 2)); // biome-ignore format: one condition
  const rows: EstimatorVarianceRow[] = [];
  for (const estimator of estimators) {
    checkComposition(objective, estimator, family, draws);
    const vector = f64([family.size]);
    const run = await program({
      runtime: target.runtime,
      deterministic: target.deterministic,
      state: { step: u32([]), sum: vector, squares: vector },
      inputs: { ...target.inputs, "vi.params": vector, "vi.centre": vector },
      body: ({ state: { step, sum, squares }, inputs, rng }) => {
        const at = inputs["vi.params"]!;
        const estimate = objective.estimate(estimator, {
          family,
          params: at,
          key: rng.fold(step),
          draws,
          logDensity: (x) => logDensityOfRows(target, x, inputs, rng.site("minibatch").fold(step)),
        });
        const off = gradient(estimate.surrogate, [at])[0]!.sub(inputs["vi.centre"]!);
        return { state: { step: step.add(1), sum: sum.add(off), squares: squares.add(off.square()) } };
      },
    });
    const values = { ...target.data, "vi.params": params };
    // Deviations from a first gradient, so that variances much smaller than the mean are not lost.
    await run.run({ ...values, "vi.centre": new Float64Array(family.size) } as never, 1, { seed });
    const centre = run.state.sum.read() as Float64Array;
    for (const buffer of [run.state.sum, run.state.squares]) buffer.view().fill(0);
    const started = performance.now();
    await run.run({ ...values, "vi.centre": centre } as never, repeats, { seed });
    const microseconds = ((performance.now() - started) * 1000) / repeats;
    const off = (run.state.sum.read() as Float64Array).map((s) => s / repeats);
    const variance = (run.state.squares.read() as Float64Array).map((s, i) =>
      Math.max(0, (s - repeats * off[i]! ** 2) / (repeats - 1)),
    );
    const mean = off.map((o, i) => o + centre[i]!);
    rows.push({
      objective: objective.name,
      estimator,
      draws,
      mean,
      variance,
      totalVariance: variance.reduce((a, b) => a + b, 0),
      squaredNorm: mean.reduce((a, b) => a + b * b, 0),
      microseconds,
    });
  }
  return rows;
}
