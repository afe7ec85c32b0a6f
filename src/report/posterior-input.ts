import type { Setting, Timing } from "./page.ts";

/** One line of the summary table, and one element of a site: they come in the same order. */
export interface PosteriorRow {
  readonly name: string;
  readonly mean: number;
  readonly sd: number;
  readonly q5: number;
  readonly q50: number;
  readonly q95: number;
  /** NaN where it says nothing, as of independent draws. */
  readonly rhat: number;
  readonly essBulk: number;
  readonly essTail: number;
  readonly mcseMean: number;
}

/** Draws of one site, row-major [chains, draws, ...shape]. */
export interface PosteriorSite {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float64Array;
  /** Sampled, not a function of what is sampled. */
  readonly isLatent: boolean;
}

/** What a sampler recorded of each draw, [chains, draws], and of its chains. */
export interface SamplerRecord {
  readonly energy: ArrayLike<number>;
  readonly stepSize: ArrayLike<number>;
  readonly acceptance: ArrayLike<number>;
  readonly depth: ArrayLike<number>;
  readonly leapfrogs: ArrayLike<number>;
  /** 0 or 1. */
  readonly divergent: ArrayLike<number>;
  /** Energy fraction of missing information of each chain. */
  readonly ebfmi: readonly number[];
}

/** Logarithms of importance weights before and after their tail was smoothed, in the order of the draws. */
export interface ImportanceWeights {
  readonly raw: ArrayLike<number>;
  readonly smoothed: ArrayLike<number>;
  readonly khat: number;
  /** Above this k-hat weighting does not help with so many draws. */
  readonly limit: number;
  readonly ess: number;
}

/** Observed values of one site beside replicates of them under the posterior. */
export interface PredictiveSite {
  readonly name: string;
  readonly shape: readonly number[];
  readonly observed: ArrayLike<number>;
  /** Row-major, [replicates, ...shape]. */
  readonly replicates: ArrayLike<number>;
  readonly count: number;
}

/** A method that was tried, as the report shows it. */
export interface ReportAttempt {
  readonly method: string;
  readonly trusted: boolean;
  readonly khat: number | null;
  readonly reason: string;
  readonly seconds: number;
}

/** All that the report of a fit shows. What is `null` or empty is left out. */
export interface PosteriorReport {
  readonly title: string;
  readonly createdAt: string;
  readonly version: string;
  /** In the order in which they were made; the last one made the draws. */
  readonly attempts: readonly ReportAttempt[];
  readonly rows: readonly PosteriorRow[];
  readonly chains: number;
  /** Of each chain. */
  readonly draws: number;
  readonly sites: readonly PosteriorSite[];
  readonly sampler: SamplerRecord | null;
  readonly weights: ImportanceWeights | null;
  readonly predictive: readonly PredictiveSite[];
  /** What the predictive check cannot show, and why. */
  readonly predictiveNotes: readonly string[];
  readonly warnings: readonly string[];
  readonly configuration: readonly Setting[];
  readonly timings: readonly Timing[];
}
