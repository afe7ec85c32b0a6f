import { normalQuantile } from "./normal-quantile.ts";

/** Draws of one scalar: one array a chain, all of the same length. */
export type Chains = readonly Float64Array[];

/** All chains one after another. */
export function pooled(chains: Chains): Float64Array {
  const draws = chains[0]?.length ?? 0;
  const out = new Float64Array(chains.length * draws);
  for (let c = 0; c < chains.length; c++) out.set(chains[c]!, c * draws);
  return out;
}

/** The draws of all chains in rising order. */
export const sortedDraws = (chains: Chains): Float64Array => pooled(chains).sort();

/** Each chain as its first and its second half, so that a trend within a chain shows as chains that disagree. */
export const splitChains = (chains: Chains): Chains =>
  chains.flatMap((chain) => {
    const half = Math.floor(chain.length / 2);
    return [chain.subarray(0, half), chain.subarray(chain.length - half)];
  });

/** The same function applied to each draw. */
export const mapChains = (chains: Chains, transform: (value: number) => number): Chains =>
  chains.map((chain) => chain.map(transform));

/** Whether nothing can be said: fewer than 4 draws, a value that is not finite, or no variation at all. */
export function isDegenerate(chains: Chains): boolean {
  if (chains.length === 0 || chains[0]!.length < 4) return true;
  const first = chains[0]![0]!;
  let varies = false;
  for (const chain of chains) {
    for (const value of chain) {
      if (!Number.isFinite(value)) return true;
      if (value !== first) varies = true;
    }
  }
  return !varies;
}

/**
 * Normal scores Φ⁻¹((r − 3/8) / (S + 1/4)) of the ranks r among all S draws, ties at their mean rank (Blom 1958; Vehtari,
 * Gelman, Simpson, Carpenter, Bürkner 2021, eq. 14).
 *
 * @param sorted  all draws in rising order, where they are at hand
 */
export function rankNormalized(chains: Chains, sorted = sortedDraws(chains)): Chains {
  const scores = normalScores(sorted);
  const place = placeIn(sorted);
  return chains.map((chain) => chain.map((value) => scores[place(value)]!));
}

/** The score of each entry of a sorted array, the same for entries that are equal. */
function normalScores(sorted: Float64Array): Float64Array {
  const size = sorted.length;
  const untied = untiedScores(size);
  let scores = untied;
  for (let from = 0; from < size; ) {
    let to = from + 1;
    while (to < size && sorted[to] === sorted[from]) to++;
    if (to > from + 1) {
      if (scores === untied) scores = untied.slice();
      scores.fill(score((from + 1 + to) / 2, size), from, to);
    }
    from = to;
  }
  return scores;
}

const score = (rank: number, size: number): number => normalQuantile((rank - 0.375) / (size + 0.25));

/** Scores of the ranks 1 to `size`. All elements of a posterior have as many draws, so that the last table is kept. */
function untiedScores(size: number): Float64Array {
  if (lastScores.length !== size) lastScores = Float64Array.from({ length: size }, (_, i) => score(i + 1, size));
  return lastScores;
}

let lastScores = new Float64Array(0);

/**
 * Finds a value's first place in the sorted array that it is from. As many buckets of equal width as entries leave a few
 * steps of the binary search, or all of them where the draws have long tails.
 */
function placeIn(sorted: Float64Array): (value: number) => number {
  const size = sorted.length;
  const least = sorted[0]!;
  const range = sorted[size - 1]! - least;
  // A range that overflows puts all into the first bucket.
  const bucket = (value: number): number => Math.floor(((value - least) / range) * (size - 1)) || 0;
  const starts = new Uint32Array(size + 1).fill(size);
  for (let i = size - 1; i >= 0; i--) starts[bucket(sorted[i]!)] = i;
  for (let b = size - 1; b >= 0; b--) starts[b] = Math.min(starts[b]!, starts[b + 1]!);
  return (value) => {
    let low = starts[bucket(value)]!;
    let high = starts[bucket(value) + 1]!;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (sorted[middle]! < value) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}
