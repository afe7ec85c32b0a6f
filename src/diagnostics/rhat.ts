import { type Chains, isDegenerate, mapChains, rankNormalized, sortedDraws, splitChains } from "./chains.ts";
import { effectiveSize } from "./ess.ts";
import { mean, variance } from "./moments.ts";
import { quantile } from "./quantile.ts";

/**
 * Potential scale reduction √(total / within): how much narrower the chains together could still become; 1 when they agree
 * (Gelman and Rubin 1992). Infinite where chains stand still at different places.
 */
function scaleReduction(chains: Chains): number {
  const draws = chains[0]!.length;
  const within = mean(chains.map((chain) => variance(chain)));
  const between = chains.length > 1 ? variance(chains.map(mean)) : 0;
  return Math.sqrt((draws - 1) / draws + between / within);
}

/**
 * Rank-normalised split R-hat: the greater of those of the draws and of their distances from the median, so that chains
 * which differ in place and chains which differ in width both show (Vehtari, Gelman, Simpson, Carpenter, Bürkner 2021).
 * Below 1.01 is good. One chain is compared with its own halves.
 *
 * @returns  NaN with fewer than 4 draws a chain, values that are not finite or no variation
 */
export const rhat = (chains: Chains): number => rhatAndEssBulk(chains).rhat;

function rhatOfSplit(split: Chains, scores: Chains, sorted: Float64Array): number {
  const median = quantile(sorted, 0.5);
  const folded = mapChains(split, (value) => Math.abs(value - median));
  const location = scaleReduction(scores);
  // Two-valued draws may all be as far from their median, and then no spread of distances can be compared.
  return isDegenerate(folded) ? location : Math.max(location, scaleReduction(rankNormalized(folded)));
}

/**
 * R-hat and the bulk effective sample size together, which share the normal scores. NaN where each is.
 *
 * @param sorted  all draws in rising order, where they are at hand
 */
export function rhatAndEssBulk(chains: Chains, sorted = sortedDraws(chains)): { rhat: number; essBulk: number } {
  if (isDegenerate(chains)) return { rhat: Number.NaN, essBulk: Number.NaN };
  const split = splitChains(chains);
  // Halves of an odd number of draws leave the middle one out.
  const ofSplit = chains[0]!.length % 2 === 0 ? sorted : sortedDraws(split);
  const scores = rankNormalized(split, ofSplit);
  return { rhat: rhatOfSplit(split, scores, ofSplit), essBulk: effectiveSize(scores) };
}
