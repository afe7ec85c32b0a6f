/** Estimates of log p(x) by importance sampling. */
export interface LogLikelihood {
  /** Estimate of log p(x) of each row, in nats. */
  readonly logProb: Float64Array;
  /** Mean of −log p(x). */
  readonly nll: number;
  /** Of that mean as an estimate over the data's distribution: sd over examples / √examples; NaN for a single one. */
  readonly standardError: number;
  /** The part of the uncertainty that comes from the finite number of draws (delta method). */
  readonly monteCarloError: number;
  /** Of each row: draws that carry the weight, (Σ w)² / Σ w², from 1 to `samples`. Near 1 the estimate is too low, and its error unknown. */
  readonly effectiveSamples: Float64Array;
  readonly samples: number;
  readonly examples: number;
}

/** From Σ w and Σ w² relative to the greatest log w of each row: log mean w = top + log(Σ w / k), and its variance by the delta method: Σ w² / (Σ w)² − 1/k. */
export function logLikelihoodOf(
  { top, total, squares }: Record<"top" | "total" | "squares", Float64Array>,
  samples: number,
): LogLikelihood {
  const examples = top.length;
  const logProb = top.map((m, i) => m + Math.log(total[i]! / samples));
  const nll = -logProb.reduce((sum, x) => sum + x, 0) / examples;
  const variance = logProb.reduce((sum, x) => sum + (x + nll) ** 2, 0) / (examples - 1);
  const byDraws = squares.reduce((sum, s, i) => sum + Math.max(0, s / total[i]! ** 2 - 1 / samples), 0);
  return {
    logProb,
    nll,
    standardError: Math.sqrt(variance / examples),
    monteCarloError: Math.sqrt(byDraws) / examples,
    effectiveSamples: total.map((t, i) => t ** 2 / squares[i]!),
    samples,
    examples,
  };
}
