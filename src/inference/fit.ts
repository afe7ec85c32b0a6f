import { discreteSites } from "../model/enumerate.ts";
import type { Draws } from "../posterior/draws.ts";
import type { Approximation } from "./approximation.ts";
import type { CaviOptions } from "./cavi/cavi.ts";
import type { Attempt, Certificate, WeightedDraws } from "./certificate.ts";
import { type Doubt, doubtOfWeighted } from "./certify-reported.ts";
import { type CompiledTarget, compileTarget } from "./compiled-target.ts";
import { fixedDraws } from "./fixed-draws.ts";
import { checkProper } from "./improper.ts";
import { type LaplaceFit, laplace, type Mode } from "./laplace.ts";
import { linearResponse } from "./linear-response.ts";
import type { LogDensity } from "./log-density.ts";
import type { ChainProgress, ChainsResult } from "./mcmc/chains.ts";
import { bestOf, dispersedModes, endsAbove, isMaximum, modesBeside, otherModes } from "./modes.ts";
import type { Problem, ProblemOptions } from "./problem.ts";
import { compileReporter, type Reporter } from "./reported.ts";
import type { SgldFitOptions } from "./sgld-fit.ts";
import type { SiteFamilies } from "./site-choice.ts";
import { type Slice, slicer } from "./slicer.ts";
import type { StochasticViEvent, StochasticViOptions } from "./stochastic-vi.ts";
import { factorOf, studentT } from "./student-t.ts";
import type { SviOptions } from "./svi/options.ts";

/** The names that `method` of `infer` and `--method` take. */
export const methods = [
  "auto",
  "laplace",
  "cavi",
  "svi",
  "ep",
  "pathfinder",
  "nested",
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
/** A name in `methods`. */
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

/** Options of `infer`. */
export interface InferOptions extends ProblemOptions {
  /** Default "auto": up the ladder of methods until one can be trusted. */
  readonly method?: Method;
  /** Default 0. */
  readonly seed?: number;
  /**
   * Draws in all (variational methods; default 4000), or of each chain (samplers; default 1000, of NUTS and HMC up to 4000 where those
   * leave the moments uncertain).
   */
  readonly draws?: number;
  /** Of the samplers: default 4. */
  readonly chains?: number;
  /** Of the samplers: transitions of each chain that adapt and are not kept. Default 1000. */
  readonly warmUp?: number;
  /** Of the samplers: nearer to 1 means shorter steps. Default 0.8, without a method 0.9, and 0.99 where NUTS or HMC had divergent transitions with that. */
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
  /** Where the density is higher than at the best mode, though there is none. */
  readonly above: readonly Mode[];
}

/** Whether parts of the posterior are likely to be alike, as a mixture's: then searches for modes end in many places. */
const isMixed = ({ layout, coordinates }: Problem): boolean =>
  discreteSites(layout).length > 0 ||
  coordinates.some(({ support: { kind } }) => kind === "simplex" || kind === "ordered");

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
  /** The chains that a sampler made last. */
  chains: ChainsResult | null = null;
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
      const { fit, best } = await this.modes();
      const mode = fit.converged ? best : undefined;
      const { signal } = this.options;
      const found = await fixedDraws(this.problem, { compiled, seed: this.seed, start: mode?.x, mode, signal });
      await this.slice();
      return found.hessianCholesky ? linearResponse(found, { seed: this.seed }) : found;
    })();
    return this.response;
  }

  /** Laplace's approximation, and what searches from other places found. */
  modes(): Promise<Modes> {
    this.mode ??= (async () => {
      const compiled = await this.compiled();
      // A sampler's draws are judged also where the signal has ended the sampling.
      const { signal: given } = this.options;
      const signal = given?.aborted ? undefined : given;
      const slice = slicer(signal);
      const found = await dispersedModes(compiled, this.seed, slice, this.problem.coordinates, isMixed(this.problem));
      const best = bestOf(found);
      await checkProper(compiled, best, slice);
      const fit = await laplace(this.problem, { compiled, seed: this.seed, mode: best, signal });
      return { fit, best, others: otherModes(best, found), beside: modesBeside(best, found), above: endsAbove(best, found) }; // biome-ignore format: one line
    })();
    return this.mode;
  }

  /**
   * Where chains start: dispersed around the one mode that was found, and not in the far country that random starts see; where there
   * are several, in each by turns, so that chains which do not pass between them disagree.
   */
  async starts(chains: number): Promise<Float64Array[] | undefined> {
    const { fit, others, beside } = await this.modes();
    const maxima = beside.filter(isMaximum);
    if (maxima.length) {
      const all = [fit.mean, ...maxima.map((m) => m.x)];
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
