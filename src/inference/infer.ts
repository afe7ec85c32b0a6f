import { AnsatzError, OptionError } from "../base/errors.ts";
import { Generator } from "../base/generator.ts";
import type { DataFor } from "../model/data.ts";
import type { Model, Returned } from "../model/model.ts";
import { type Attempt, resample } from "./certificate.ts";
import { narrowings } from "./check-narrowings.ts";
import { checkSimplexes } from "./check-simplexes.ts";
import { compileLogDensity } from "./compile.ts";
import { startingPoint } from "./compiled-target.ts";
import { explainNonFinite } from "./diagnose.ts";
import { Fit, type InferOptions, type Result } from "./fit.ts";
import { hoistData } from "./hoist.ts";
import { checkInferOptions } from "./infer-options.ts";
import type { LogDensity } from "./log-density.ts";
import { planFor } from "./methods.ts";
import { Posterior, pointsOf, reportDraws } from "./posterior.ts";
import { type Problem, problemOf } from "./problem.ts";

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
  const { method = "auto", onEvent } = options;
  checkInferOptions(options);
  if (options.q && method !== "sites") {
    throw new OptionError(`q names a family for each site, which method "sites" fits; the method is "${method}"`);
  }
  const started = performance.now();
  const skipMissing = method === "cavi" || method === "svi";
  const problem = await hoistData(await problemOf(model, data, { ...options, skipMissing }));
  if (problem.dim === 0) {
    throw new OptionError(
      "the model has no continuous latent site: there is nothing to infer by gradients. sample(...) what is unknown.",
    );
  }
  const density = await compileLogDensity(problem);
  // Expectation propagation needs no point to start from, and takes densities that are 0 almost everywhere.
  if (method !== "ep") await checkStart(problem as unknown as Problem, density, options.seed ?? 0);
  const narrowed = narrowings(problem.layout);
  for (const message of narrowed) onEvent?.({ kind: "warning", message });
  onEvent?.({ kind: "start", dim: problem.dim, seconds: (performance.now() - started) / 1000 });
  const fit = new Fit(problem as unknown as Problem, density, options);
  const plan = planFor(method);
  const attempts: Attempt[] = [];
  let best: Result | null = null;
  for (const { name, run } of plan) {
    await fit.slice();
    onEvent?.({ kind: "attempt", method: name });
    const since = performance.now();
    let result: Result | null;
    try {
      result = await run(fit);
    } catch (error) {
      if (method !== "auto" || !(error instanceof AnsatzError) || plan.at(-1)!.name === name) throw error;
      const reason = error.message;
      const failed = { method: name, trusted: false, khat: null, reason, seconds: (performance.now() - since) / 1000 };
      attempts.push(failed);
      onEvent?.({ kind: "attempted", ...failed });
      continue;
    }
    if (!result) continue;
    const attempt: Attempt = { method: name, ...result.certificate, seconds: (performance.now() - since) / 1000 };
    attempts.push(attempt);
    onEvent?.({ kind: "attempted", ...attempt });
    best = result;
    // What was drawn before the signal came is kept.
    if (result.certificate.trusted || result.chains?.aborted) break;
    // Chains agree, but what is reported has moments that no draws could tell.
    if (result.chains && fit.longer === Number.POSITIVE_INFINITY) break;
  }
  const warnings = [...narrowed, ...(best!.warnings ?? [])];
  const posterior = await report(problem, fit, { ...best!, warnings }, attempts);
  onEvent?.({ kind: "done", method: posterior.method, trusted: posterior.trusted, reason: posterior.reason });
  return posterior;
}

/** Whether there is a point to start from, and probabilities sum to 1 there; if not, says which term is to blame. */
async function checkStart(problem: Problem, density: LogDensity, seed: number): Promise<void> {
  let start: Float64Array;
  try {
    start = startingPoint({ target: problem, one: density }, undefined, seed);
  } catch {
    throw await explainNonFinite(problem, new Float64Array(problem.dim));
  }
  await checkSimplexes(problem, start);
}

async function report<R extends Returned>(
  problem: Problem<R>,
  fit: Fit,
  { weighted: draws, chains, approximation, samples, reported, warnings = [] }: Result,
  attempts: readonly Attempt[],
): Promise<Posterior<R>> {
  const plain = problem as unknown as Problem;
  const wanted = fit.options.draws ?? 4000;
  let points: Float64Array;
  let shape: readonly [number, number];
  if (chains) {
    points = pointsOf(chains);
    shape = [chains.chains.length, chains.count];
  } else if (samples) {
    points = samples.points;
    shape = [samples.chains, samples.draws];
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
    draws: reported ?? (await reportDraws(plain, points, shape[0], shape[1], await fit.reporter())),
    unconstrained: points,
    attempts,
    seed: fit.seed,
    approximation,
    chains,
    weights: draws,
    importanceEss: draws?.ess ?? null,
    warnings,
  });
}
