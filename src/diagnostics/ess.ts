import { meanAutocovariance } from "./autocovariance.ts";
import { type Chains, isDegenerate, mapChains, pooled, rankNormalized, sortedDraws, splitChains } from "./chains.ts";
import { mean, variance } from "./moments.ts";
import { quantile } from "./quantile.ts";

/**
 * Effective sample size of chains as they stand: S / τ, with τ = 1 + 2 Σ ρ_t the integrated autocorrelation time from
 * within- and between-chain variances, truncated by Geyer's initial positive sequence of pairs and made monotone (Geyer
 * 1992; Vehtari et al. 2021, eq. 10 to 13). Antithetic chains may exceed S, by at most a factor log10 S.
 */
export function effectiveSize(chains: Chains): number {
  if (isDegenerate(chains)) return Number.NaN;
  const count = chains.length;
  const draws = chains[0]!.length;
  const autocovariance = meanAutocovariance(chains);
  const within = (autocovariance(0) * draws) / (draws - 1);
  const between = count > 1 ? variance(chains.map(mean)) : 0;
  const total = (within * (draws - 1)) / draws + between;
  const correlation = (lag: number): number => 1 - (within - autocovariance(lag)) / total;

  // Pairs ρ_2k + ρ_2k+1 are positive and fall for a reversible chain: stop at the first that is not, never let one rise.
  let even = 1;
  let odd = correlation(1);
  let time = -1;
  let bound = Infinity;
  for (let lag = 0; ; lag += 2) {
    if (even + odd <= 0 || lag >= draws - 4) {
      // What is left of the last pair lowers the variance of the estimate for antithetic chains.
      time += Math.max(even, 0);
      break;
    }
    bound = Math.min(bound, even + odd);
    time += 2 * bound;
    even = correlation(lag + 2);
    odd = correlation(lag + 3);
  }
  const size = count * draws;
  return size / Math.max(time, 1 / Math.log10(size));
}

/** Bulk effective sample size: of the rank-normalised split chains; says how well the centre is known (Vehtari et al. 2021). */
export const essBulk = (chains: Chains): number =>
  isDegenerate(chains) ? Number.NaN : effectiveSize(rankNormalized(splitChains(chains)));

/** Effective sample size for the mean: of the split chains as they are. */
export const essMean = (chains: Chains): number =>
  isDegenerate(chains) ? Number.NaN : effectiveSize(splitChains(chains));

/** Effective sample size for the standard deviation: that of the squared distances from the mean. */
export function essSd(chains: Chains): number {
  const centre = mean(pooled(chains));
  return essMean(mapChains(chains, (value) => (value - centre) ** 2));
}

/** Effective sample size for the quantile at `probability`: that of the indicator x ≤ quantile. */
export function essQuantile(chains: Chains, probability: number, sorted = sortedDraws(chains)): number {
  if (isDegenerate(chains)) return Number.NaN;
  const threshold = quantile(sorted, probability);
  return essMean(mapChains(chains, (value) => (value <= threshold ? 1 : 0)));
}

/**
 * Tail effective sample size: the lesser of those for the 5 % and 95 % quantiles (Vehtari et al. 2021). Where one of them has
 * no variation (discrete draws), it is the other.
 */
export function essTail(chains: Chains, sorted = sortedDraws(chains)): number {
  const sizes = [0.05, 0.95]
    .map((probability) => essQuantile(chains, probability, sorted))
    .filter((size) => !Number.isNaN(size));
  return sizes.length > 0 ? Math.min(...sizes) : Number.NaN;
}
