import { NonFiniteError } from "../base/errors.ts";
import { autoregressiveFlow } from "../families/autoregressive-flow.ts";
import { couplingFlow } from "../families/coupling-flow.ts";
import { fullRank } from "../families/full-rank.ts";
import { gaussianMixture } from "../families/gaussian-mixture.ts";
import { lowRank } from "../families/low-rank.ts";
import { meanField } from "../families/mean-field.ts";
import type { VariationalFamily } from "../families/variational-family.ts";
import type { Draws } from "../posterior/draws.ts";
import { adaptiveImportance } from "./adaptive-importance.ts";
import type { Approximation } from "./approximation.ts";
import { caviApproximation } from "./cavi/approximation.ts";
import type { CaviOptions } from "./cavi/cavi.ts";
import {
  type Attempt,
  type Certificate,
  certifyChains,
  certifyWeighted,
  ENOUGH,
  khatLimit,
  type WeightedDraws,
  weigh,
} from "./certificate.ts";
import { type Doubt, doubtOfChains, doubtOfWeighted } from "./certify-reported.ts";
import { type CompiledTarget, compileTarget } from "./compiled-target.ts";
import { explainNonFinite } from "./diagnose.ts";
import { epOf } from "./ep/ep.ts";
import { fixedDraws } from "./fixed-draws.ts";
import { checkProper } from "./improper.ts";
import { type LaplaceFit, laplace, type Mode } from "./laplace.ts";
import { linearResponse } from "./linear-response.ts";
import type { LogDensity } from "./log-density.ts";
import { type ChainProgress, type ChainsResult, sampleChains } from "./mcmc/chains.ts";
import { bestOf, dispersedModes, doubtOfModes, isMaximum, modesBeside, otherModes } from "./modes.ts";
import { pathfinder } from "./pathfinder.ts";
import { pointsOf, reportDraws } from "./posterior.ts";
import type { Problem, ProblemOptions } from "./problem.ts";
import { compileReporter, type Reporter } from "./reported.ts";
import { severalModes } from "./several-modes.ts";
import { certifySgld } from "./sgld-certificate.ts";
import { type SgldFitOptions, sgldFit } from "./sgld-fit.ts";
import { chooseSites, type SiteFamilies } from "./site-choice.ts";
import { siteVi } from "./site-vi.ts";
import { type Slice, slicer } from "./slicer.ts";
import { type StochasticViEvent, type StochasticViOptions, stochasticVi } from "./stochastic-vi.ts";
import { factorOf, studentT } from "./student-t.ts";
import { sviApproximation } from "./svi/approximation.ts";
import type { SviOptions } from "./svi/svi.ts";

export const methods = [
  "auto",
  "laplace",
  "cavi",
  "svi",
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
  /** Of coordinate ascent: a sweep is done; of stochastic steps one of `of` in an epoch. `elbo` is the bound by then, in nats. */
  | {
      readonly kind: "sweep";
      readonly sweep: number;
      readonly step: number;
      readonly of: number;
      readonly elbo: number;
    }
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
  /** Of "cavi": starts, tolerance, sweeps, how logistic likelihoods are bounded, groups, and sites that are given to gradients. */
  readonly cavi?: Pick<
    CaviOptions,
    "restarts" | "tolerance" | "maxSweeps" | "logistic" | "groups" | "gradient" | "gradientDraws"
  >;
  /** Of "svi": the plate whose elements are drawn, how many, the rates of the steps, and when it ends. */
  readonly svi?: Omit<SviOptions, keyof ProblemOptions | "seed" | "signal" | "onStep" | "after" | "from">;
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
  /** The reported quantities at the draws of the chains, where they were computed already. */
  readonly reported?: Draws;
  /** Draws of chains that recorded nothing else, [chains, draws, dim]. */
  readonly samples?: { readonly points: Float64Array; readonly chains: number; readonly draws: number };
  readonly warnings?: readonly string[];
}

/** Laplace's approximation at the best mode that was found. */
interface Modes {
  readonly fit: LaplaceFit;
  readonly best: Mode;
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
  /** Lets the host have its turn, and throws where the signal was given: between pieces of work that no program cuts into slices. */
  readonly slice: Slice;
  private target: Promise<CompiledTarget> | null = null;
  private response: Promise<Approximation> | null = null;
  private mode: Promise<Modes> | null = null;
  private compiledReporter: Promise<Reporter> | null = null;
  /** So many times the draws would have been enough for the sampler that ran last; 1 where it was not for want of draws. */
  longer = 1;
  /** k-hat of the weighted draws that were judged first; null where there were none. */
  khat: number | null = null;
  /** The draw with the greatest weight: where the approximation that was judged last misses most. */
  missed: Float64Array | null = null;

  constructor(problem: Problem, density: LogDensity, options: InferOptions) {
    this.problem = problem;
    this.density = density;
    this.options = options;
    this.seed = options.seed ?? 0;
    this.slice = slicer(options.signal);
  }

  compiled(): Promise<CompiledTarget> {
    this.target ??= compileTarget(this.problem, 32, this.density);
    return this.target;
  }

  reporter(): Promise<Reporter> {
    this.compiledReporter ??= compileReporter(this.problem);
    return this.compiledReporter;
  }

  /** What speaks against the moments that weighted draws give of the reported quantities; null where nothing does. */
  async doubtOf({ points, count, logWeights }: WeightedDraws): Promise<Doubt | null> {
    const reporter = await this.reporter();
    const values = reporter.all(points, count);
    const reported = Object.fromEntries(Object.entries(values).map(([name, v]) => [name, { shape: reporter.shapes[name]!, values: v }])); // biome-ignore format: one line
    return doubtOfWeighted(logWeights, reported, Math.max(this.options.draws ?? 0, 4000));
  }

  /** The mean-field fit on fixed draws, with linear-response covariances where it has a minimum. */
  linearResponse(): Promise<Approximation> {
    this.response ??= (async () => {
      const compiled = await this.compiled();
      const { fit } = await this.modes();
      const start = fit.converged ? fit.mean : undefined;
      await this.slice();
      const found = await fixedDraws(this.problem, { compiled, seed: this.seed, start });
      return found.hessianCholesky ? linearResponse(found, { seed: this.seed }) : found;
    })();
    return this.response;
  }

  /** Laplace's approximation, and what searches from other places found. */
  modes(): Promise<Modes> {
    this.mode ??= (async () => {
      const compiled = await this.compiled();
      // A sampler's draws are judged also where the signal has ended the sampling.
      const slice = this.options.signal?.aborted ? slicer(undefined) : this.slice;
      const found = await dispersedModes(compiled, this.seed, slice);
      const best = bestOf(found);
      checkProper(compiled, best);
      const fit = await laplace(this.problem, { compiled, seed: this.seed, start: best.x });
      return { fit, best, others: otherModes(best, found), beside: modesBeside(best, found) };
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
    // One begins where the last approximation has far too little mass, if there is such a place: chains that do not come there disagree.
    if (this.missed) points[0] = this.missed.slice();
    return points.every((x) => Number.isFinite(this.density.evaluate(x, gradient)) && gradient.every(Number.isFinite))
      ? points
      : undefined;
  }
}

function mostMissed({ points, count, rawLogWeights }: WeightedDraws): Float64Array | null {
  const dim = points.length / count;
  const at = rawLogWeights.reduce((best, w, i) => (w > rawLogWeights[best]! ? i : best), 0);
  return Number.isFinite(rawLogWeights[at]) ? points.slice(at * dim, (at + 1) * dim) : null;
}

const WEIGHTED_DRAWS = 5000;
/** So many where fewer leave the moments uncertain: evaluations of the density are cheaper than the next method. */
const MOST_WEIGHTED_DRAWS = 20_000;

/** Draws from q, corrected by weights and judged; what q leaves out of sight is judged by the dispersed starts. */
async function weighted(fit: Fit, approximation: Approximation, others: string | null, modes = 1): Promise<Result> {
  if (!approximation.converged) {
    const reason = `the fit did not converge: ${approximation.reason}.`;
    return { certificate: { trusted: false, khat: null, reason }, approximation, weighted: null, chains: null };
  }
  for (let count = WEIGHTED_DRAWS; ; ) {
    const draws = await weigh(approximation, fit.density, count, fit.seed + 1, fit.slice);
    fit.missed = mostMissed(draws);
    fit.khat ??= draws.khat;
    const judged = certifyWeighted(draws, fit.problem.names, others, modes);
    const doubt = judged.trusted ? await fit.doubtOf(draws) : null;
    const certificate = doubt ? { ...judged, trusted: false, reason: `k-hat is ${draws.khat.toFixed(2)}, but ${doubt.reason}` } : judged; // biome-ignore format: one line
    const few = draws.count === count && draws.khat <= khatLimit(count) && draws.ess < ENOUGH && others === null;
    const more = Math.ceil(1.3 * count * (doubt ? doubt.more : few ? ENOUGH / draws.ess : 0));
    if (!(more > count && more <= MOST_WEIGHTED_DRAWS)) {
      return { certificate, approximation, weighted: draws, chains: null };
    }
    count = more;
  }
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
  const [certificate, reported] = await certifySampled(fit, result);
  const met = result.chains.find((c) => c.nonFinite);
  if (!met?.nonFinite) return { certificate, approximation: null, weighted: null, chains: result, reported };
  const { message } = await explainNonFinite(problem, met.nonFinite.at);
  onEvent?.({ kind: "nonFinite", chain: met.chain, step: met.nonFinite.draw, message });
  const reason = `${certificate.reason} At draw ${met.nonFinite.draw + 1} chain ${met.chain + 1} met a log density that is not finite: ${message.replace(/\.$/, "")}.`; // biome-ignore format: one line
  return { certificate: { ...certificate, reason }, approximation: null, weighted: null, chains: result, reported };
}

/** Judges chains by the coordinates, then by the modes that searches found, then by what is reported of them. */
async function certifySampled(fit: Fit, result: ChainsResult): Promise<[Certificate, Draws | undefined]> {
  const { certificate, more } = certifyChains(result, fit.problem.names);
  fit.longer = more;
  if (!certificate.trusted) return [certificate, undefined];
  const { beside, best } = await fit.modes();
  const unknown = doubtOfModes(result, [best, ...beside], fit.problem.names);
  if (unknown) return [{ ...certificate, trusted: false, reason: unknown }, undefined];
  const { chains, count } = result;
  const points = pointsOf(result);
  const reported = await reportDraws(fit.problem, points, chains.length, count, await fit.reporter());
  const doubt = doubtOfChains(reported, new Set());
  fit.longer = doubt?.more ?? 1;
  return [doubt ? { ...certificate, trusted: false, reason: doubt.reason } : certificate, reported];
}

export type Rung = (fit: Fit) => Promise<Result>;

const rungs: Record<Exclude<Method, "auto">, Rung> = {
  laplace: async (fit) => {
    const { fit: q, others } = await fit.modes();
    return weighted(fit, q, others);
  },
  cavi: async (fit) => {
    const { cavi: chosen, signal, onEvent } = fit.options;
    const onSweep: CaviOptions["onSweep"] = ({ sweep, elbo }) =>
      onEvent?.({ kind: "sweep", sweep, step: 1, of: 1, elbo });
    const found = await caviApproximation(fit.problem, { ...chosen, seed: fit.seed, signal, onSweep });
    const { others } = await fit.modes();
    return weighted(fit, found, others);
  },
  svi: async (fit) => {
    const { svi: chosen, signal, onEvent } = fit.options;
    const onStep: SviOptions["onStep"] = ({ epoch, step, steps, elbo }) =>
      onEvent?.({ kind: "sweep", sweep: epoch + 1, step: ((step - 1) % steps) + 1, of: steps, elbo });
    const found = await sviApproximation(fit.problem, { ...chosen, seed: fit.seed, signal, onStep });
    const { others } = await fit.modes();
    return weighted(fit, found, others);
  },
  ep: async (fit) => {
    const { approximation } = await epOf(fit.problem, { density: fit.density, seed: fit.seed, signal: fit.options.signal }); // biome-ignore format: one line
    try {
      return await weighted(fit, approximation, (await fit.modes()).others);
    } catch (error) {
      if (!(error instanceof NonFiniteError)) throw error;
      const warning = "no search for other modes was possible: the density is not finite where one would begin";
      return { ...(await weighted(fit, approximation, null)), warnings: [warning] };
    }
  },
  meanfield: async (fit) => {
    const { others } = await fit.modes();
    return weighted(fit, await fit.linearResponse(), others);
  },
  importance: async (fit) => {
    const { others, best, beside } = await fit.modes();
    const all = [best, ...beside];
    if (beside.length && all.every(isMaximum)) return weighted(fit, severalModes(all, fit.seed), null, all.length);
    const start = await fit.linearResponse();
    return weighted(fit, await adaptiveImportance(start, fit.density, fit.seed, fit.slice), others);
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
    const result = await weighted(fit, found, others);
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
    const judged = certifySgld(samples, fit.density, fit.problem.names, others);
    const reported = await reportDraws(
      fit.problem,
      samples.points,
      samples.chains,
      samples.draws,
      await fit.reporter(),
    );
    const doubt = judged.trusted ? doubtOfChains(reported, new Set()) : null;
    const certificate = doubt ? { ...judged, trusted: false, reason: doubt.reason } : judged;
    return { certificate, approximation: null, weighted: null, chains: null, samples, reported };
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
  cavi: "cavi",
  svi: "svi",
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

/** How many times the usual draws the last rung may make. */
const LONGEST = 10;

/** Beyond so many coordinates a mean-field fit with its Hessian costs what NUTS does. */
const CHEAP_MEAN_FIELD = 100;
/** An approximation whose weights are as bad as that lies too far from the posterior for the next ones to mend it. */
const FAR_OFF = 1.5;

/** The rung, but where many coordinates and the weights of the first one say that it would cost as much as NUTS and come to nothing. */
const unlessFarOff =
  (run: Rung): Rung =>
  async (fit) => {
    const { dim } = fit.problem;
    const { khat } = fit;
    if (dim <= CHEAP_MEAN_FIELD || khat === null || khat <= FAR_OFF) return run(fit);
    const reason = `left out: in ${dim} coordinates it takes as long as NUTS, and a k-hat of ${khat.toFixed(1)} for the approximation before it says that it would come to nothing.`; // biome-ignore format: one line
    const { fit: approximation } = await fit.modes();
    return { certificate: { trusted: false, khat: null, reason }, approximation, weighted: null, chains: null };
  };

/** The ladder: cheap methods first. The last goes on with what NUTS said was missing: draws, or shorter steps. */
export const ladder: readonly { readonly name: string; readonly run: Rung }[] = [
  { name: names.laplace, run: rungs.laplace },
  { name: names.meanfield, run: unlessFarOff(rungs.meanfield) },
  { name: names.importance, run: unlessFarOff(rungs.importance) },
  { name: names.nuts, run: (fit) => sampled(fit, "nuts", {}, true) },
  {
    name: "longer nuts",
    run: (fit) => {
      const { warmUp = 1000, draws = 1000, targetAcceptance } = fit.options;
      const times = Math.min(Math.max(Math.ceil(1.3 * fit.longer), 2), LONGEST);
      // For want of draws alone the same chains go on.
      const changes = fit.longer > 1 ? { warmUp, targetAcceptance } : { warmUp: 2 * warmUp, targetAcceptance: 0.98 };
      return sampled(fit, "nuts", { ...changes, draws: times * draws }, true);
    },
  },
];

/** What to run: one method, or the ladder. */
export const planFor = (method: Method): typeof ladder =>
  method === "auto" ? ladder : [{ name: names[method], run: rungs[method] }];
