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
import { explainNonFinite } from "./diagnose.ts";
import { epOf } from "./ep/ep.ts";
import { fixedDraws } from "./fixed-draws.ts";
import { type LaplaceFit, laplace, type Mode } from "./laplace.ts";
import { linearResponse } from "./linear-response.ts";
import type { LogDensity } from "./log-density.ts";
import { type ChainProgress, type ChainsResult, sampleChains } from "./mcmc/chains.ts";
import { bestOf, dispersedModes, modesBeside, otherModes } from "./modes.ts";
import { pathfinder } from "./pathfinder.ts";
import type { Problem, ProblemOptions } from "./problem.ts";
import { certifySgld } from "./sgld-certificate.ts";
import { type SgldFitOptions, sgldFit } from "./sgld-fit.ts";
import { chooseSites, type SiteFamilies } from "./site-choice.ts";
import { siteVi } from "./site-vi.ts";
import { type StochasticViEvent, type StochasticViOptions, stochasticVi } from "./stochastic-vi.ts";
import { factorOf, studentT } from "./student-t.ts";

export const methods = [
  "auto",
  "laplace",
  "ep",
  "pathfinder",
  "meanfield",
  "importance",
  "advi",
  "fullrank",
  "lowrank",
  "mixture",
  "flow",
  "autoregressive",
  "sites",
  "nuts",
  "hmc",
  "sgld",
] as const;
export type Method = (typeof methods)[number];

/** What happens in a fit: one stream for progress lines, reports and pages. */
export type InferenceEvent =
  | { readonly kind: "start"; readonly dim: number; readonly seconds: number }
  | { readonly kind: "attempt"; readonly method: string }
  | ({ readonly kind: "attempted" } & Attempt)
  | ChainProgress
  | StochasticViEvent
  /** A chain met a log density that is not finite; `message` names the term. */
  | { readonly kind: "nonFinite"; readonly chain: number; readonly step: number; readonly message: string }
  /** What no number of the result shows. */
  | { readonly kind: "warning"; readonly message: string }
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
  readonly stochastic?: Omit<StochasticViOptions, "seed" | "signal" | "onEvent" | "compiled" | "explain">;
  /** Of "sites": a family for each latent site that is named, the others getting Gaussians on their unconstrained scale. */
  readonly q?: SiteFamilies;
  /** Of "sgld": its step sizes. */
  readonly sgld?: Pick<SgldFitOptions, "scale" | "offset" | "decay" | "controlVariates">;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: InferenceEvent) => void;
}

/** A method's result before it is reported. */
export interface Result {
  readonly certificate: Certificate;
  readonly approximation: Approximation | null;
  readonly weighted: WeightedDraws | null;
  readonly chains: ChainsResult | null;
  /** Draws of chains that recorded nothing else, [chains, draws, dim]. */
  readonly samples?: { readonly points: Float64Array; readonly chains: number; readonly draws: number };
  readonly warnings?: readonly string[];
}

/** Laplace's approximation at the best mode that was found. */
interface Modes {
  readonly fit: LaplaceFit;
  /** In words what speaks against there being one mode; null where nothing does. */
  readonly others: string | null;
  /** Other modes that have weight. */
  readonly beside: readonly Mode[];
}

/** What the rungs of one fit share, each part made when first asked for. */
export class Fit {
  readonly problem: Problem;
  readonly density: LogDensity;
  readonly options: InferOptions;
  readonly seed: number;
  private target: Promise<CompiledTarget> | null = null;
  private response: Promise<Approximation> | null = null;
  private mode: Promise<Modes> | null = null;

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
      const { fit } = await this.modes();
      const start = fit.converged ? fit.mean : undefined;
      const found = await fixedDraws(this.problem, { compiled, seed: this.seed, start });
      return found.hessianCholesky ? linearResponse(found, { seed: this.seed }) : found;
    })();
    return this.response;
  }

  /** Laplace's approximation, and what searches from other places found. */
  modes(): Promise<Modes> {
    this.mode ??= (async () => {
      const compiled = await this.compiled();
      const found = dispersedModes(compiled, this.seed);
      const best = bestOf(found);
      const fit = await laplace(this.problem, { compiled, seed: this.seed, start: best.x });
      return { fit, others: otherModes(best, found), beside: modesBeside(best, found) };
    })();
    return this.mode;
  }

  /**
   * Where chains start: dispersed around the one mode that was found, and not in the far country that random starts see; where there
   * are several, in each by turns, so that chains which do not pass between them disagree.
   */
  async starts(chains: number): Promise<Float64Array[] | undefined> {
    const { fit, others, beside } = await this.modes();
    if (beside.length) {
      const all = [fit.mean, ...beside.map((m) => m.x)];
      return Array.from({ length: chains }, (_, c) => all[c % all.length]!);
    }
    const factor = fit.converged && others === null ? factorOf(fit) : null;
    if (!factor) return undefined;
    const { dim } = fit;
    const drawn = studentT(fit.mean, factor).draw(chains, this.seed + 3);
    const gradient = new Float64Array(dim);
    const points = Array.from({ length: chains }, (_, c) => drawn.slice(c * dim, (c + 1) * dim));
    return points.every((x) => Number.isFinite(this.density.evaluate(x, gradient)) && gradient.every(Number.isFinite))
      ? points
      : undefined;
  }
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

async function sampled(
  fit: Fit,
  name: "nuts" | "hmc",
  changes: Partial<InferOptions> = {},
  around = false,
): Promise<Result> {
  const { chains, draws, warmUp, targetAcceptance, signal, onEvent } = { ...fit.options, ...changes };
  const { problem, seed } = fit;
  const initial = around ? await fit.starts(chains ?? 4) : undefined;
  const result = await sampleChains(
    fit.density,
    { seed, initial, chains, draws, warmUp, targetAcceptance, names: problem.names, algorithm: { name } },
    { signal, onProgress: onEvent },
  );
  const certificate = certifyChains(result, problem.names);
  const met = result.chains.find((c) => c.nonFinite);
  if (!met?.nonFinite) return { certificate, approximation: null, weighted: null, chains: result };
  const { message } = await explainNonFinite(problem, met.nonFinite.at);
  onEvent?.({ kind: "nonFinite", chain: met.chain, step: met.nonFinite.draw, message });
  const reason = `${certificate.reason} At draw ${met.nonFinite.draw + 1} chain ${met.chain + 1} met a log density that is not finite: ${message.replace(/\.$/, "")}.`; // biome-ignore format: one line
  return { certificate: { ...certificate, reason }, approximation: null, weighted: null, chains: result };
}

export type Rung = (fit: Fit) => Promise<Result>;

const rungs: Record<Exclude<Method, "auto">, Rung> = {
  laplace: async (fit) => {
    const { fit: q, others } = await fit.modes();
    return weighted(fit, q, others);
  },
  ep: async (fit) => {
    const { others } = await fit.modes();
    const found = await epOf(fit.problem, { density: fit.density, seed: fit.seed, signal: fit.options.signal });
    return weighted(fit, found.approximation, others);
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
  sites: async (fit) => {
    const { signal, onEvent, stochastic: chosen, q = {} } = fit.options;
    const { warnings } = chooseSites(fit.problem, q);
    for (const message of warnings) onEvent?.({ kind: "warning", message });
    const { others } = await fit.modes();
    const compiled = await fit.compiled();
    const found = await siteVi(fit.problem, { ...chosen, q, compiled, seed: fit.seed, signal, onEvent, explain: explaining(fit) }); // biome-ignore format: one line
    const result = weighted(fit, found, others);
    if (!warnings.length) return { ...result, warnings };
    const reason = "q leaves out a part of the model's support by construction: see the warnings.";
    return { ...result, certificate: { ...result.certificate, trusted: false, reason }, warnings };
  },
  nuts: (fit) => sampled(fit, "nuts"),
  hmc: (fit) => sampled(fit, "hmc"),
  sgld: async (fit) => {
    const { chains, draws, sgld: chosen, signal, onEvent } = fit.options;
    const { fit: q, others } = await fit.modes();
    const response = q.converged ? q : await fit.linearResponse();
    const factor = factorOf(response) ?? factorOf({ ...response, covariance: null, sd: response.sd.map(() => 1) })!;
    const samples = await sgldFit(
      fit.problem,
      fit.density,
      { mean: response.mean, factor },
      { ...chosen, chains, draws, seed: fit.seed, signal, onProgress: onEvent },
      explaining(fit),
    );
    const certificate = certifySgld(samples, fit.density, fit.problem.names, others);
    return { certificate, approximation: null, weighted: null, chains: null, samples };
  },
};

const explaining = (fit: Fit) => (unconstrained: Float64Array) => explainNonFinite(fit.problem, unconstrained);

/** Gradient VI in a family, by Adam with its own step sizes and end. */
function stochastic(family: (dim: number) => VariationalFamily): Rung {
  return async (fit) => {
    const { signal, onEvent, stochastic: chosen } = fit.options;
    const { others } = await fit.modes();
    const compiled = await fit.compiled();
    const found = await stochasticVi(fit.problem, { family, ...chosen, compiled, seed: fit.seed, signal, onEvent, explain: explaining(fit) }); // biome-ignore format: one line
    return weighted(fit, found, others);
  };
}

const names: Record<Exclude<Method, "auto">, string> = {
  laplace: "laplace",
  ep: "ep",
  meanfield: "meanfield+linear-response",
  importance: "adaptive importance sampling",
  pathfinder: "pathfinder",
  advi: "advi",
  fullrank: "fullrank",
  lowrank: "lowrank",
  mixture: "mixture",
  flow: "flow",
  autoregressive: "autoregressive",
  sites: "sites",
  nuts: "nuts",
  hmc: "hmc",
  sgld: "sgld",
};

/** The ladder: cheap methods first. The last two go on with what NUTS said was missing. */
export const ladder: readonly { readonly name: string; readonly run: Rung }[] = [
  { name: names.laplace, run: rungs.laplace },
  { name: names.meanfield, run: rungs.meanfield },
  { name: names.importance, run: rungs.importance },
  { name: names.nuts, run: (fit) => sampled(fit, "nuts", {}, true) },
  {
    name: "nuts with short steps",
    run: (fit) => sampled(fit, "nuts", { targetAcceptance: 0.98, warmUp: 2 * (fit.options.warmUp ?? 1000), draws: 2 * (fit.options.draws ?? 1000) }, true), // biome-ignore format: one line
  },
];

/** What to run: one method, or the ladder. */
export const planFor = (method: Method): typeof ladder =>
  method === "auto" ? ladder : [{ name: names[method], run: rungs[method] }];
