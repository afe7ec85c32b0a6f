import { VERSION } from "../base/version.ts";
import {
  type Loo,
  loo,
  type PointwiseLogLikelihood,
  relativeEfficiency,
  type Waic,
  waic,
} from "../diagnostics/predictive-accuracy.ts";
import { khatOfExpectation } from "../diagnostics/psis.ts";
import type { Returned } from "../model/model.ts";
import type { TracedModel } from "../model/site.ts";
import { type Draws, drawsOf, type SiteDraws } from "../posterior/draws.ts";
import type { InferenceDataContent } from "../posterior/inference-data.ts";
import type { SamplerStats } from "../posterior/sampler-stats.ts";
import type { Approximation } from "./approximation.ts";
import type { Attempt, WeightedDraws } from "./certificate.ts";
import { type StateProbabilities, stateProbabilities } from "./discrete-posterior.ts";
import { DrawnPosterior } from "./drawn-posterior.ts";
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

/** What the body returned under another name than that of its site. */
function secondNames({ sites, returned }: TracedModel, draws: Draws["sites"]): Draws["sites"] {
  const names = new Map(sites.filter((s) => s.kind !== "observe").map((s) => [s.value.node, s.name]));
  return Object.fromEntries(
    Object.entries(returned ?? {}).flatMap(([name, { node }]) => {
      const site = draws[names.get(node) ?? ""];
      return site && !Object.hasOwn(draws, name) ? [[name, site]] : [];
    }),
  );
}

/** A posterior as draws, with what vouches for it. */
export class Posterior<R extends Returned = Returned> extends DrawnPosterior {
  /** Draws by name: of every latent and deterministic site, and of what the model's body returned. */
  readonly draws: { readonly [K in Names<R>]: SiteDraws } & Readonly<Record<string, SiteDraws>>;
  /** The draws before they were transformed, [chains · draws, dim]. */
  readonly unconstrained: Float64Array;
  /** q, where a variational method made the draws. */
  readonly approximation: Approximation | null;
  /** What the sampler recorded, where there was one. */
  readonly chains: ChainsResult | null;
  /** Draws of q with their importance weights, where a variational method made them: what k-hat is about. */
  readonly weights: WeightedDraws | null;
  /** The model with its data, as it was fitted. */
  readonly problem: Problem<R>;
  private readonly density: LogDensity;

  constructor(parts: PosteriorParts<R>) {
    super({ ...parts, warnings: parts.warnings ?? [] });
    this.problem = parts.problem;
    this.density = parts.logDensity;
    this.draws = { ...parts.draws.sites, ...secondNames(parts.problem.layout, parts.draws.sites) } as never;
    this.unconstrained = parts.unconstrained;
    this.approximation = parts.approximation;
    this.chains = parts.chains;
    this.weights = parts.weights ?? null;
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

  /** The posterior as one file, which `loadPosterior` reads without the model's source. */
  save(): Uint8Array {
    return encodePosterior(this as unknown as PosteriorContent, VERSION);
  }

  /** Besides draws: the data, what was observed of them, and the log-likelihood of each observation (`arviz.loo`). */
  protected override async arvizContent(): Promise<InferenceDataContent> {
    const { chains, draws } = this.allDraws;
    return {
      ...(await super.arvizContent()),
      logLikelihood: drawsOf(chains, draws, await this.logLikelihoods()),
      observedData: await this.observed(),
      constantData: this.problem.arrays,
    };
  }

  /** Log joint density at unconstrained coordinates, log-Jacobians included. */
  logDensity(unconstrained: Float64Array): number {
    return this.density.evaluate(unconstrained, new Float64Array(this.density.dim));
  }

  /** Log-likelihood of each observation of each observed site at each draw, [chains · draws, ...shape]: never scaled by subsampling. */
  private async logLikelihoods(): Promise<Record<string, SiteDraws>> {
    const reporter = await compileReporter(
      this.problem as unknown as Problem,
      ({ terms, assignment }) =>
      Object.fromEntries(terms.filter((t) => t.kind === "observe").map((t) => [t.sites.join("+"), assignment.of([t.logProb])[0]!])), // biome-ignore format: one line
    );
    const all = reporter.all(this.unconstrained, this.allDraws.chains * this.allDraws.draws);
    return Object.fromEntries(Object.entries(all).map(([name, values]) => [name, { shape: reporter.shapes[name]!, values }])); // biome-ignore format: one line
  }

  /** Log-likelihood of each observation at each draw, [chains · draws, observations]: never scaled by subsampling. */
  async pointwise(): Promise<{
    readonly sites: readonly string[];
    readonly count: number;
    readonly values: Float64Array;
  }> {
    const all = await this.logLikelihoods();
    const n = this.allDraws.chains * this.allDraws.draws;
    const sites = Object.keys(all);
    const widths = sites.map((s) => all[s]!.values.length / n);
    const count = widths.reduce((a, b) => a + b, 0);
    const values = new Float64Array(n * count);
    for (let d = 0, at = 0; d < n; d++) {
      for (const [i, s] of sites.entries()) {
        values.set(all[s]!.values.subarray(d * widths[i]!, (d + 1) * widths[i]!), at);
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

  private async pointwiseLogLikelihood(): Promise<PointwiseLogLikelihood> {
    const { count: observations, values } = await this.pointwise();
    return { draws: this.allDraws.chains * this.allDraws.draws, observations, values };
  }

  /** Leave-one-out predictive accuracy by PSIS (Vehtari, Gelman and Gabry 2017). */
  async loo(): Promise<Loo> {
    const all = await this.pointwiseLogLikelihood();
    return loo(all, this.chains ? { relativeEfficiency: relativeEfficiency(all, this.allDraws.chains) } : {});
  }
  /** Watanabe's information criterion, from the same log-likelihoods. */
  async waic(): Promise<Waic> {
    return waic(await this.pointwiseLogLikelihood());
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
