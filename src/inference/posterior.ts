import { VERSION } from "../base/version.ts";
import { mean, variance } from "../diagnostics/moments.ts";
import { type Loo, loo, type Waic, waic } from "../diagnostics/predictive-accuracy.ts";
import { khatOfExpectation } from "../diagnostics/psis.ts";
import { centralInterval, highestDensityInterval, type Interval, quantiles } from "../diagnostics/quantile.ts";
import type { Returned } from "../model/model.ts";
import { type Draws, drawsOf, elementNames, type SiteDraws, siteOf } from "../posterior/draws.ts";
import { type InferenceDataOptions, inferenceData } from "../posterior/inference-data.ts";
import { toParquet } from "../posterior/parquet.ts";
import type { SamplerStats } from "../posterior/sampler-stats.ts";
import { stanCsv } from "../posterior/stan-csv.ts";
import { type SummaryRow, summary } from "../posterior/summary.ts";
import { formatSummary } from "../posterior/summary-table.ts";
import type { FileTree } from "../posterior/zarr.ts";
import type { Approximation } from "./approximation.ts";
import type { Attempt, WeightedDraws } from "./certificate.ts";
import { type StateProbabilities, stateProbabilities } from "./discrete-posterior.ts";
import type { LogDensity } from "./log-density.ts";
import type { ChainsResult } from "./mcmc/chains.ts";
import { encodePosterior, type PosteriorContent, statsOf } from "./posterior-files.ts";
import { type PredictiveOptions, posteriorPredictive } from "./predictive.ts";
import { type Problem, problemOf } from "./problem.ts";
import { compileReporter, type Reporter } from "./reported.ts";

export interface PosteriorParts<R extends Returned> {
  readonly problem: Problem<R>;
  readonly logDensity: LogDensity;
  readonly draws: Draws;
  /** The draws before they were transformed, [chains · draws, dim]. */
  readonly unconstrained: Float64Array;
  readonly attempts: readonly Attempt[];
  readonly seed: number;
  readonly approximation: Approximation | null;
  readonly chains: ChainsResult | null;
  /** The weighted draws that the certificate is about, where a variational method made them. */
  readonly weights?: WeightedDraws | null;
  /** Importance ESS of the reported draws where they were resampled by their weights. */
  readonly importanceEss: number | null;
  /** What no number of the result shows. */
  readonly warnings?: readonly string[];
}

/** Names of what a model's body returned. */
type Names<R> = R extends Readonly<Record<string, unknown>> ? keyof R & string : string;

/** A posterior as draws, with what vouches for it. */
export class Posterior<R extends Returned = Returned> {
  /** Draws by name: of every latent and deterministic site, and of what the model's body returned. */
  readonly draws: { readonly [K in Names<R>]: SiteDraws } & Readonly<Record<string, SiteDraws>>;
  /** The same with the numbers of chains and draws. */
  readonly allDraws: Draws;
  readonly unconstrained: Float64Array;
  readonly attempts: readonly Attempt[];
  readonly seed: number;
  /** q, where a variational method made the draws. */
  readonly approximation: Approximation | null;
  /** What the sampler recorded, where there was one. */
  readonly chains: ChainsResult | null;
  /** Draws of q with their importance weights, where a variational method made them: what k-hat is about. */
  readonly weights: WeightedDraws | null;
  /** What no number of the result shows: that q provably leaves out a part of the model's support. */
  readonly warnings: readonly string[];
  readonly problem: Problem<R>;
  private readonly density: LogDensity;
  private readonly importanceEss: number | null;
  private rows: SummaryRow[] | null = null;

  constructor(parts: PosteriorParts<R>) {
    this.problem = parts.problem;
    this.density = parts.logDensity;
    this.allDraws = parts.draws;
    this.draws = parts.draws.sites as never;
    this.unconstrained = parts.unconstrained;
    this.attempts = parts.attempts;
    this.seed = parts.seed;
    this.approximation = parts.approximation;
    this.chains = parts.chains;
    this.weights = parts.weights ?? null;
    this.importanceEss = parts.importanceEss;
    this.warnings = parts.warnings ?? [];
  }

  private get last(): Attempt {
    return this.attempts.at(-1)!;
  }
  /** The method that the draws are from. */
  get method(): string {
    return this.last.method;
  }
  /** Whether the reported moments are vouched for; `reason` says in words why, or why not. */
  get trusted(): boolean {
    return this.last.trusted;
  }
  get reason(): string {
    return this.last.reason;
  }
  /** k-hat of the joint importance weights; null for a sampler's draws. */
  get khat(): number | null {
    return this.last.khat;
  }

  /** A row for each element: mean, sd, quantiles, diagnostics. */
  get table(): readonly SummaryRow[] {
    if (!this.rows) {
      const isChains = this.chains !== null || this.allDraws.chains > 1;
      const rows = summary(this.allDraws, isChains);
      // Draws that were resampled by weight are independent but for the weights: chains they have none.
      const ess = this.importanceEss;
      this.rows = isChains
        ? rows
        : rows.map((row) => {
            const size = ess === null ? row.essBulk : Math.min(row.essBulk, ess);
            return { ...row, rhat: Number.NaN, essBulk: size, essTail: size, mcseMean: row.sd / Math.sqrt(size) };
          });
    }
    return this.rows;
  }

  /** The table as text, with the certificate above it. */
  summary(): string {
    const verdict = `${this.method}: ${this.trusted ? "trusted" : "NOT trusted"}. ${this.reason}`;
    const unseen =
      this.khat === null
        ? []
        : ["k-hat is made of draws of q and around it: it cannot see a mode that was never visited."];
    const warnings = this.warnings.map((w) => `Warning: ${w}`);
    return `${[verdict, ...unseen, ...warnings].join("\n")}\n\n${formatSummary(this.table)}`;
  }

  /** What the sampler recorded of each draw, [chains, draws]; null where there was none. */
  get samplerStats(): SamplerStats | null {
    return this.chains && statsOf(this.chains);
  }

  /**
   * k-hat of each unconstrained coordinate's mean: the tail index of the weights and of the weights times the coordinate (Vehtari et
   * al. 2024, section 3.1). Null where the draws have no weights, as a sampler's.
   */
  khatOfCoordinates(): Readonly<Record<string, number>> | null {
    const { weights } = this;
    if (!weights) return null;
    const { points, count, rawLogWeights } = weights;
    const { dim, names } = this.problem;
    return Object.fromEntries(
      names.map((name, j) => {
        const values = Float64Array.from({ length: count }, (_, i) => points[i * dim + j]!);
        return [name, khatOfExpectation(rawLogWeights, values)];
      }),
    );
  }

  /** The table alone as text. */
  tableText(): string {
    return formatSummary(this.table);
  }

  /** The posterior as one file, which `loadPosterior` reads without the model's source. */
  save(): Uint8Array {
    return encodePosterior(this as unknown as PosteriorContent, VERSION);
  }
  /** ArviZ's InferenceData as the files of a Zarr store, by path. */
  toArviz(options: InferenceDataOptions = {}): FileTree {
    const sampleStats = this.chains ? statsOf(this.chains) : undefined;
    const observed = Object.entries(this.problem.arrays).map(([name, array]) => [name, array]);
    return inferenceData(
      { posterior: this.allDraws, sampleStats, constantData: Object.fromEntries(observed) },
      options,
    );
  }
  /** CmdStan's CSV files, one a chain, by name. */
  toStanCsv(): FileTree {
    return stanCsv(this.allDraws, this.chains ? statsOf(this.chains) : {}, { seed: this.seed });
  }
  /** One Parquet table: a row for each draw. */
  toParquet(): Promise<Uint8Array> {
    return toParquet(this.allDraws, this.chains ? statsOf(this.chains) : {});
  }

  private elements(name: string): Float64Array[] {
    const { shape, values } = siteOf(this.allDraws, name);
    const size = elementNames(name, shape).length;
    return Array.from({ length: size }, (_, i) => Float64Array.from({ length: values.length / size }, (_, d) => values[d * size + i]!)); // biome-ignore format: one line
  }

  /** Posterior means of a site's elements, row-major. */
  mean(name: string): number[] {
    return this.elements(name).map((x) => mean(x));
  }
  sd(name: string): number[] {
    return this.elements(name).map((x) => Math.sqrt(variance(x)));
  }
  quantile(name: string, probability: number): number[] {
    return this.elements(name).map((x) => quantiles(x, [probability])[0]!);
  }
  /** Intervals that hold this much of the posterior: of equal tails, or the shortest. */
  interval(name: string, probability = 0.9, kind: "central" | "highestDensity" = "central"): Interval[] {
    const of = kind === "central" ? centralInterval : highestDensityInterval;
    return this.elements(name).map((x) => of(x, probability));
  }

  /** Log joint density at unconstrained coordinates, log-Jacobians included. */
  logDensity(unconstrained: Float64Array): number {
    return this.density.evaluate(unconstrained, new Float64Array(this.density.dim));
  }

  /** Log-likelihood of each observation at each draw, [chains · draws, observations]: never scaled by subsampling. */
  async pointwise(): Promise<{
    readonly sites: readonly string[];
    readonly count: number;
    readonly values: Float64Array;
  }> {
    const reporter = await compileReporter(
      this.problem as unknown as Problem,
      ({ terms, assignment }) =>
      Object.fromEntries(terms.filter((t) => t.kind === "observe").map((t) => [t.sites.join("+"), assignment.of([t.logProb])[0]!])), // biome-ignore format: one line
    );
    const n = this.allDraws.chains * this.allDraws.draws;
    const all = reporter.all(this.unconstrained, n);
    const sites = Object.keys(all);
    const widths = sites.map((s) => all[s]!.length / n);
    const count = widths.reduce((a, b) => a + b, 0);
    const values = new Float64Array(n * count);
    for (let d = 0, at = 0; d < n; d++) {
      for (const [i, s] of sites.entries()) {
        values.set(all[s]!.subarray(d * widths[i]!, (d + 1) * widths[i]!), at);
        at += widths[i]!;
      }
    }
    return { sites, count, values };
  }

  /**
   * Replicates of what was observed, one for each draw. With other data: predictions for them, where the model's text reads
   * the same names; values that it observes are then not looked at.
   */
  async predict(data?: Readonly<Record<string, unknown>>, options: PredictiveOptions = {}): Promise<Draws> {
    const { model, runtime, deterministic } = this.problem;
    const problem = data ? await problemOf(model as never, data as never, { runtime, deterministic }) : this.problem;
    return posteriorPredictive(problem as unknown as Problem, this.allDraws, { seed: this.seed, ...options });
  }

  /**
   * The values that the observed sites were given, as the model's text has them: a value that is computed from latent sites is
   * that of the draw with this index.
   */
  async observed(draw = 0): Promise<Readonly<Record<string, SiteDraws>>> {
    const { dim } = this.problem;
    const reporter = await compileReporter(
      this.problem as unknown as Problem,
      ({ model, assignment }) =>
      Object.fromEntries(model.sites.flatMap((s) => (s.kind === "observe" ? [[s.name, assignment.of([s.value])[0]!]] : []))), // biome-ignore format: one line
    );
    const values = reporter.at(this.unconstrained.subarray(draw * dim, (draw + 1) * dim));
    return Object.fromEntries(Object.entries(values).map(([name, v]) => [name, { shape: reporter.shapes[name]!, values: v.slice() }])); // biome-ignore format: one line
  }

  /** Posterior probabilities of the states of discrete latent sites, which were summed out of the fit. */
  discrete(): Promise<Record<string, StateProbabilities>> {
    return stateProbabilities(this.problem as unknown as Problem, this.unconstrained);
  }

  /** Leave-one-out predictive accuracy by PSIS (Vehtari, Gelman and Gabry 2017). */
  async loo(): Promise<Loo> {
    const { count, values } = await this.pointwise();
    return loo({ draws: this.allDraws.chains * this.allDraws.draws, observations: count, values } as never);
  }
  /** Watanabe's information criterion. */
  async waic(): Promise<Waic> {
    const { count, values } = await this.pointwise();
    return waic({ draws: this.allDraws.chains * this.allDraws.draws, observations: count, values } as never);
  }
}

/** The draws of the reported quantities at unconstrained points. */
export async function reportDraws(
  problem: Problem,
  points: Float64Array,
  chains: number,
  draws: number,
  compiled?: Reporter,
): Promise<Draws> {
  const reporter = compiled ?? (await compileReporter(problem));
  const values = reporter.all(points, chains * draws);
  const sites = Object.fromEntries(Object.entries(values).map(([name, v]) => [name, { shape: reporter.shapes[name]!, values: v }])); // biome-ignore format: one line
  return drawsOf(chains, draws, sites);
}

/** The draws of chains as one array, [chains · draws, dim]. */
export function pointsOf({ chains, count }: ChainsResult): Float64Array {
  const { dim } = chains[0]!;
  const points = new Float64Array(chains.length * count * dim);
  for (const [i, { draws }] of chains.entries()) points.set(draws.subarray(0, count * dim), i * count * dim);
  return points;
}
