import { Generator } from "../base/generator.ts";
import { autoregressiveFlow } from "../families/autoregressive-flow.ts";
import { couplingFlow } from "../families/coupling-flow.ts";
import { fullRank } from "../families/full-rank.ts";
import { gaussianMixture } from "../families/gaussian-mixture.ts";
import { lowRank } from "../families/low-rank.ts";
import { meanField } from "../families/mean-field.ts";
import type { VariationalFamily } from "../families/variational-family.ts";
import { adaptiveImportance } from "./adaptive-importance.ts";
import type { Approximation } from "./approximation.ts";
import {
  type Attempt,
  type Certificate,
  certifyChains,
  certifyWeighted,
  type WeightedDraws,
  weigh,
} from "./certificate.ts";
import { type CompiledTarget, compileTarget } from "./compiled-target.ts";
import { fixedDraws } from "./fixed-draws.ts";
import { findMode, type LaplaceFit, laplace } from "./laplace.ts";
import { linearResponse } from "./linear-response.ts";
import type { LogDensity } from "./log-density.ts";
import { type ChainProgress, type ChainsResult, sampleChains } from "./mcmc/chains.ts";
import { pathfinder } from "./pathfinder.ts";
import type { Problem, ProblemOptions } from "./problem.ts";
import { type StochasticViEvent, type StochasticViOptions, stochasticVi } from "./stochastic-vi.ts";

export const methods = [
  "auto",
  "laplace",
  "pathfinder",
  "meanfield",
  "importance",
  "advi",
  "fullrank",
  "lowrank",
  "mixture",
  "flow",
  "autoregressive",
  "nuts",
  "hmc",
] as const;
export type Method = (typeof methods)[number];

/** What happens in a fit: one stream for progress lines, reports and pages. */
export type InferenceEvent =
  | { readonly kind: "start"; readonly dim: number; readonly seconds: number }
  | { readonly kind: "attempt"; readonly method: string }
  | ({ readonly kind: "attempted" } & Attempt)
  | ChainProgress
  | StochasticViEvent
  | { readonly kind: "done"; readonly method: string; readonly trusted: boolean; readonly reason: string };

export interface InferOptions extends ProblemOptions {
  /** Default "auto": up the ladder of methods until one can be trusted. */
  readonly method?: Method;
  /** Default 0. */
  readonly seed?: number;
  /** Draws in all (variational methods), or of each chain (samplers). Default 4000, or 1000. */
  readonly draws?: number;
  /** Of the samplers: default 4. */
  readonly chains?: number;
  /** Of the samplers: transitions of each chain that adapt and are not kept. Default 1000. */
  readonly warmUp?: number;
  /** Of the samplers: nearer to 1 means shorter steps. Default 0.8. */
  readonly targetAcceptance?: number;
  /** Of the stochastic methods (advi, fullrank, lowrank, mixture, flow): another family, objective, estimator, tolerance and so on. */
  readonly stochastic?: Omit<StochasticViOptions, "seed" | "signal" | "onEvent" | "compiled">;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: InferenceEvent) => void;
}

/** A method's result before it is reported. */
export interface Result {
  readonly certificate: Certificate;
  readonly approximation: Approximation | null;
  readonly weighted: WeightedDraws | null;
  readonly chains: ChainsResult | null;
}

/** What the rungs of one fit share, each part made when first asked for. */
export class Fit {
  readonly problem: Problem;
  readonly density: LogDensity;
  readonly options: InferOptions;
  readonly seed: number;
  private target: Promise<CompiledTarget> | null = null;
  private response: Promise<Approximation> | null = null;
  private mode: Promise<{ fit: LaplaceFit; others: string | null }> | null = null;

  constructor(problem: Problem, density: LogDensity, options: InferOptions) {
    this.problem = problem;
    this.density = density;
    this.options = options;
    this.seed = options.seed ?? 0;
  }

  compiled(): Promise<CompiledTarget> {
    this.target ??= compileTarget(this.problem, 32, this.density);
    return this.target;
  }

  /** The mean-field fit on fixed draws, with linear-response covariances where it has a minimum. */
  linearResponse(): Promise<Approximation> {
    this.response ??= (async () => {
      const compiled = await this.compiled();
      const found = await fixedDraws(this.problem, { compiled, seed: this.seed });
      return found.hessianCholesky ? linearResponse(found, { seed: this.seed }) : found;
    })();
    return this.response;
  }

  /** Laplace's approximation, and what searches from other places found. */
  modes(): Promise<{ fit: LaplaceFit; others: string | null }> {
    this.mode ??= (async () => {
      const compiled = await this.compiled();
      const fit = await laplace(this.problem, { compiled, seed: this.seed });
      return { fit, others: fit.converged ? otherModes(compiled, fit, this.seed) : null };
    })();
    return this.mode;
  }
}

/** How many starts besides the first look for other modes, and how far below the best one a mode is of no weight (in nats). */
const STARTS = 3;
const NEGLIGIBLE = 12;

/** Searches from dispersed starts: in words what speaks against there being one mode; null where nothing does. */
function otherModes(compiled: CompiledTarget, fit: LaplaceFit, seed: number): string | null {
  const { dim } = compiled.target;
  const generator = new Generator(seed, "dispersed starts");
  const gradient = new Float64Array(dim);
  for (let s = 0; s < STARTS; s++) {
    const start = Float64Array.from({ length: dim }, () => 4 * generator.uniform() - 2);
    if (!Number.isFinite(compiled.one.evaluate(start, gradient)) || gradient.some((g) => !Number.isFinite(g))) continue;
    const found = findMode(compiled, start);
    const distance = Math.max(...found.x.map((x, j) => Math.abs(x - fit.mean[j]!) / fit.sd[j]!));
    if (found.logDensity > fit.logDensityAtMode + 0.01) {
      return "a search from another start found a higher mode than the one that was approximated.";
    }
    if (found.converged && distance > 0.5 && found.logDensity > fit.logDensityAtMode - NEGLIGIBLE) {
      return "searches from dispersed starts ended in different modes, and one approximation sees one of them.";
    }
  }
  return null;
}

const WEIGHTED_DRAWS = 5000;

/** Draws from q, corrected by weights and judged; what q leaves out of sight is judged by the dispersed starts. */
function weighted(fit: Fit, approximation: Approximation, others: string | null): Result {
  if (!approximation.converged) {
    const reason = `the fit did not converge: ${approximation.reason}.`;
    return { certificate: { trusted: false, khat: null, reason }, approximation, weighted: null, chains: null };
  }
  const draws = weigh(approximation, fit.density, WEIGHTED_DRAWS, fit.seed + 1);
  return {
    certificate: certifyWeighted(draws, fit.problem.names, others),
    approximation,
    weighted: draws,
    chains: null,
  };
}

async function sampled(fit: Fit, name: "nuts" | "hmc", changes: Partial<InferOptions> = {}): Promise<Result> {
  const { chains, draws, warmUp, targetAcceptance, signal, onEvent } = { ...fit.options, ...changes };
  const { problem, seed } = fit;
  const result = await sampleChains(
    fit.density,
    { seed, chains, draws, warmUp, targetAcceptance, names: problem.names, algorithm: { name } },
    { signal, onProgress: onEvent },
  );
  return { certificate: certifyChains(result, problem.names), approximation: null, weighted: null, chains: result };
}

export type Rung = (fit: Fit) => Promise<Result>;

const rungs: Record<Exclude<Method, "auto">, Rung> = {
  laplace: async (fit) => {
    const { fit: q, others } = await fit.modes();
    return weighted(fit, q, others);
  },
  meanfield: async (fit) => {
    const { others } = await fit.modes();
    return weighted(fit, await fit.linearResponse(), others);
  },
  importance: async (fit) => {
    const { others } = await fit.modes();
    const start = await fit.linearResponse();
    return weighted(fit, adaptiveImportance(start, fit.density, fit.seed), others);
  },
  pathfinder: async (fit) => {
    const { others } = await fit.modes();
    return weighted(fit, await pathfinder(fit.problem, { compiled: await fit.compiled(), seed: fit.seed }), others);
  },
  advi: stochastic(meanField),
  fullrank: stochastic(fullRank),
  lowrank: stochastic((dim) => lowRank(dim, { rank: Math.max(1, Math.min(dim - 1, Math.round(Math.sqrt(dim)))) })),
  mixture: stochastic((dim) => gaussianMixture(dim, { components: 3 })),
  flow: stochastic((dim) => (dim > 1 ? couplingFlow(dim) : fullRank(dim))),
  autoregressive: stochastic((dim) => autoregressiveFlow(dim)),
  nuts: (fit) => sampled(fit, "nuts"),
  hmc: (fit) => sampled(fit, "hmc"),
};

/** Gradient VI in a family, by Adam with its own step sizes and end. */
function stochastic(family: (dim: number) => VariationalFamily): Rung {
  return async (fit) => {
    const { signal, onEvent, stochastic: chosen } = fit.options;
    const { others } = await fit.modes();
    const compiled = await fit.compiled();
    const found = await stochasticVi(fit.problem, { family, ...chosen, compiled, seed: fit.seed, signal, onEvent });
    return weighted(fit, found, others);
  };
}

const names: Record<Exclude<Method, "auto">, string> = {
  laplace: "laplace",
  meanfield: "meanfield+linear-response",
  importance: "adaptive importance sampling",
  pathfinder: "pathfinder",
  advi: "advi",
  fullrank: "fullrank",
  lowrank: "lowrank",
  mixture: "mixture",
  flow: "flow",
  autoregressive: "autoregressive",
  nuts: "nuts",
  hmc: "hmc",
};

/** The ladder: cheap methods first. The last two go on with what NUTS said was missing. */
export const ladder: readonly { readonly name: string; readonly run: Rung }[] = [
  { name: names.laplace, run: rungs.laplace },
  { name: names.meanfield, run: rungs.meanfield },
  { name: names.importance, run: rungs.importance },
  { name: names.nuts, run: rungs.nuts },
  {
    name: "nuts with short steps",
    run: (fit) => sampled(fit, "nuts", { targetAcceptance: 0.98, warmUp: 2 * (fit.options.warmUp ?? 1000), draws: 2 * (fit.options.draws ?? 1000) }), // biome-ignore format: one line
  },
];

/** What to run: one method, or the ladder. */
export const planFor = (method: Method): typeof ladder =>
  method === "auto" ? ladder : [{ name: names[method], run: rungs[method] }];
