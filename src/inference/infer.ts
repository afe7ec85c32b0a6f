import { AnsatzError, OptionError } from "../base/errors.ts";
import { Generator } from "../base/generator.ts";
import type { DataFor } from "../model/data.ts";
import type { Model, Returned } from "../model/model.ts";
import { adaptiveImportance } from "./adaptive-importance.ts";
import type { Approximation } from "./approximation.ts";
import {
  type Attempt,
  type Certificate,
  certifyChains,
  certifyWeighted,
  resample,
  type WeightedDraws,
  weigh,
} from "./certificate.ts";
import { compileLogDensity } from "./compile.ts";
import { type CompiledTarget, compileTarget, startingPoint } from "./compiled-target.ts";
import { explainNonFinite } from "./diagnose.ts";
import { fixedDraws } from "./fixed-draws.ts";
import { findMode, type LaplaceFit, laplace } from "./laplace.ts";
import { linearResponse } from "./linear-response.ts";
import type { LogDensity } from "./log-density.ts";
import { type ChainProgress, type ChainsResult, sampleChains } from "./mcmc/chains.ts";
import { Posterior, reportDraws } from "./posterior.ts";
import { type Problem, type ProblemOptions, problemOf } from "./problem.ts";

export const methods = ["auto", "laplace", "meanfield", "importance", "nuts", "hmc"] as const;
export type Method = (typeof methods)[number];

/** What happens in a fit: one stream for progress lines, reports and pages. */
export type InferenceEvent =
  | { readonly kind: "start"; readonly dim: number; readonly seconds: number }
  | { readonly kind: "attempt"; readonly method: string }
  | ({ readonly kind: "attempted" } & Attempt)
  | ChainProgress
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
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: InferenceEvent) => void;
}

/** A method's result before it is reported. */
interface Result {
  readonly certificate: Certificate;
  readonly approximation: Approximation | null;
  readonly weighted: WeightedDraws | null;
  readonly chains: ChainsResult | null;
}

/** What the rungs of one fit share, each part made when first asked for. */
class Fit {
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

const WEIGHTED_DRAWS = 8000;

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

type Rung = (fit: Fit) => Promise<Result>;

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
  nuts: (fit) => sampled(fit, "nuts"),
  hmc: (fit) => sampled(fit, "hmc"),
};

const names: Record<Exclude<Method, "auto">, string> = {
  laplace: "laplace",
  meanfield: "meanfield+linear-response",
  importance: "adaptive importance sampling",
  nuts: "nuts",
  hmc: "hmc",
};

/** The ladder: cheap methods first. The last two go on with what NUTS said was missing. */
const ladder: readonly { readonly name: string; readonly run: Rung }[] = [
  { name: names.laplace, run: rungs.laplace },
  { name: names.meanfield, run: rungs.meanfield },
  { name: names.importance, run: rungs.importance },
  { name: names.nuts, run: rungs.nuts },
  {
    name: "nuts with short steps",
    run: (fit) => sampled(fit, "nuts", { targetAcceptance: 0.98, warmUp: 2 * (fit.options.warmUp ?? 1000), draws: 2 * (fit.options.draws ?? 1000) }), // biome-ignore format: one line
  },
];

/**
 * The posterior of a model given data, with a certificate. Without a method it goes up a ladder of them, from the cheap to the
 * costly, until the reported moments can be vouched for, and says what it did.
 *
 *     const posterior = await infer(eightSchools, { y, sigma });
 *     console.log(posterior.summary());
 *
 * @throws OptionError, ShapeError, DataError   when the model's text or the data do not fit
 * @throws SupportError                         when data lie outside a likelihood's support: names site, index and value
 * @throws NonFiniteError                       when the log density is finite nowhere: names the term
 */
export async function infer<D, R extends Returned>(
  model: Model<D, R>,
  data: DataFor<D>,
  options: InferOptions = {},
): Promise<Posterior<R>> {
  const { method = "auto", onEvent, signal } = options;
  if (!methods.includes(method)) {
    throw new OptionError(`there is no method "${method}"; there are: ${methods.join(", ")}`);
  }
  const started = performance.now();
  const problem = await problemOf(model, data, options);
  if (problem.dim === 0) {
    throw new OptionError(
      "the model has no continuous latent site: there is nothing to infer by gradients. sample(...) what is unknown.",
    );
  }
  const density = await compileLogDensity(problem);
  await checkStart(problem as unknown as Problem, density, options.seed ?? 0);
  onEvent?.({ kind: "start", dim: problem.dim, seconds: (performance.now() - started) / 1000 });
  const fit = new Fit(problem as unknown as Problem, density, options);
  const plan = method === "auto" ? ladder : [{ name: names[method], run: rungs[method] }];
  const attempts: Attempt[] = [];
  let best: Result | null = null;
  for (const { name, run } of plan) {
    signal?.throwIfAborted();
    onEvent?.({ kind: "attempt", method: name });
    const since = performance.now();
    let result: Result;
    try {
      result = await run(fit);
    } catch (error) {
      if (method !== "auto" || !(error instanceof AnsatzError) || plan.at(-1)!.name === name) throw error;
      const reason = error.message;
      attempts.push({ method: name, trusted: false, khat: null, reason, seconds: (performance.now() - since) / 1000 });
      continue;
    }
    const attempt: Attempt = { method: name, ...result.certificate, seconds: (performance.now() - since) / 1000 };
    attempts.push(attempt);
    onEvent?.({ kind: "attempted", ...attempt });
    best = result;
    if (result.certificate.trusted) break;
  }
  const posterior = await report(problem, fit, best!, attempts);
  onEvent?.({ kind: "done", method: posterior.method, trusted: posterior.trusted, reason: posterior.reason });
  return posterior;
}

/** Whether there is a point to start from; if not, says which term is to blame. */
async function checkStart(problem: Problem, density: LogDensity, seed: number): Promise<void> {
  try {
    startingPoint({ target: problem, one: density }, undefined, seed);
  } catch {
    throw await explainNonFinite(problem, new Float64Array(problem.dim));
  }
}

async function report<R extends Returned>(
  problem: Problem<R>,
  fit: Fit,
  { weighted: draws, chains, approximation }: Result,
  attempts: readonly Attempt[],
): Promise<Posterior<R>> {
  const plain = problem as unknown as Problem;
  const wanted = fit.options.draws ?? 4000;
  let points: Float64Array;
  let shape: readonly [number, number];
  if (chains) {
    const { dim } = problem;
    points = new Float64Array(chains.chains.length * chains.count * dim);
    for (const [i, c] of chains.chains.entries())
      points.set(c.draws.subarray(0, chains.count * dim), i * chains.count * dim);
    shape = [chains.chains.length, chains.count];
  } else {
    // Weights that cannot be trusted correct nothing: then the draws are q's own.
    points =
      draws && fit.problem && attempts.at(-1)!.trusted
        ? resample(draws, wanted, new Generator(fit.seed, "resampling").uniform())
        : approximation!.draw(wanted, fit.seed + 1);
    shape = [1, wanted];
  }
  return new Posterior<R>({
    problem,
    logDensity: fit.density,
    draws: await reportDraws(plain, points, shape[0], shape[1]),
    unconstrained: points,
    attempts,
    seed: fit.seed,
    approximation,
    chains,
    importanceEss: draws?.ess ?? null,
  });
}
