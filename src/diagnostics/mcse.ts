import { type Chains, isDegenerate, pooled } from "./chains.ts";
import { essMean, essQuantile, essSd } from "./ess.ts";
import { betaQuantile } from "./incomplete-beta.ts";
import { mean, variance } from "./moments.ts";

/** Monte Carlo standard error of the mean: sd / √ESS. NaN where the effective size is. */
export const mcseMean = (chains: Chains): number => Math.sqrt(variance(pooled(chains)) / essMean(chains));

/**
 * Monte Carlo standard error of the standard deviation, by the delta method from that of the second central moment m₂:
 * √((m₄ − m₂²) / (4 m₂ ESS)) (Kenney and Keeping 1951, p. 141; Vehtari et al. 2021, appendix).
 */
export function mcseSd(chains: Chains): number {
  const values = pooled(chains);
  const centre = mean(values);
  const squares = values.map((value) => (value - centre) ** 2);
  return Math.sqrt(variance(squares, 0) / (4 * mean(squares) * essSd(chains)));
}

/**
 * Monte Carlo standard error of a quantile: half the distance between the order statistics which bound its central 68 %
 * interval, from the Beta distribution of the probability that was reached with this many effective draws (Vehtari et
 * al. 2021, section 4.4).
 */
export function mcseQuantile(chains: Chains, probability: number): number {
  if (isDegenerate(chains)) return Number.NaN;
  const sorted = pooled(chains).sort();
  const size = essQuantile(chains, probability);
  if (Number.isNaN(size)) return Number.NaN;
  const last = sorted.length - 1;
  const at = (level: number): number =>
    betaQuantile(level, size * probability + 1, size * (1 - probability) + 1) * sorted.length - 1;
  const low = sorted[Math.max(0, Math.floor(at(0.1586553)))]!;
  const high = sorted[Math.min(last, Math.ceil(at(0.8413447)))]!;
  return (high - low) / 2;
}
