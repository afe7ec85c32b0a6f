import { OptionError } from "../base/errors.ts";
import { isDiscrete } from "../constraints/support.ts";
import { logSumExp } from "../diagnostics/moments.ts";
import { khatUnlessEqual, psis } from "../diagnostics/psis.ts";
import { drawSites } from "../model/ancestral.ts";
import type { DataFor } from "../model/data.ts";
import { sumOut } from "../model/enumerate.ts";
import type { Model, Returned } from "../model/model.ts";
import { Assignment, termsOf } from "../model/terms.ts";
import { program, u32 } from "../program/program.ts";
import type { Approximation } from "./approximation.ts";
import { hostGaussian } from "./approximation.ts";
import { MemoryVector } from "./compile.ts";
import type { Posterior } from "./posterior.ts";
import { type Problem, type ProblemOptions, problemOf, sumOfTerms } from "./problem.ts";
import { choleskyOf } from "./symmetric-solve.ts";

/** An estimate of log p(x) in nats. */
export interface Evidence {
  readonly logEvidence: number;
  /** Standard error by the delta method: sd(w) / (mean(w) √n). Of weights with a heavy tail it says too little: see khat. */
  readonly standardError: number;
  /** Tail index of the weights. Above 0.7 neither the estimate nor its error can be relied on. */
  readonly khat: number;
  readonly draws: number;
}

function meanOfWeights(logWeights: Float64Array): Evidence {
  const n = logWeights.length;
  const logMean = logSumExp(logWeights) - Math.log(n);
  let square = 0;
  for (const w of logWeights) square += (Math.exp(w - logMean) - 1) ** 2;
  return {
    logEvidence: logMean,
    standardError: Math.sqrt(square / (n - 1) / n),
    khat: khatUnlessEqual(psis(logWeights)),
    draws: n,
  };
}

/**
 * log p(x) by importance sampling from q: log mean p(x, z) / q(z). From a variational posterior q is its approximation; from a
 * sampler's draws it is a Gaussian with their moments.
 */
export function logEvidence(
  posterior: Posterior,
  options: { readonly draws?: number; readonly seed?: number } = {},
): Evidence {
  const { draws = 10_000, seed = posterior.seed + 2 } = options;
  const q = posterior.approximation ?? momentsOf(posterior);
  const { dim } = posterior.problem;
  const points = q.draw(draws, seed);
  const logQ = q.logDensityOf(points);
  return meanOfWeights(logQ.map((value, i) => posterior.logDensity(points.subarray(i * dim, (i + 1) * dim)) - value));
}

function momentsOf({ unconstrained, problem: { dim } }: Posterior): Pick<Approximation, "draw" | "logDensityOf"> {
  const n = unconstrained.length / dim;
  const mean = new Float64Array(dim);
  for (let i = 0; i < n; i++) for (let j = 0; j < dim; j++) mean[j]! += unconstrained[i * dim + j]! / n;
  const covariance = new Float64Array(dim * dim);
  for (let i = 0; i < n; i++) {
    for (let a = 0; a < dim; a++) {
      for (let b = 0; b < dim; b++) {
        covariance[a * dim + b]! +=
          ((unconstrained[i * dim + a]! - mean[a]!) * (unconstrained[i * dim + b]! - mean[b]!)) / (n - 1);
      }
    }
  }
  const factor = choleskyOf(covariance, dim);
  if (!factor)
    throw new OptionError("the draws have no covariance of full rank: too few for a Gaussian to sample log p(x) from");
  return hostGaussian(mean, factor);
}

/**
 * log p(x) by the naive estimator: the mean likelihood of draws from the prior. For comparison: its error grows with the
 * distance from prior to posterior, and khat tells when it is hopeless.
 */
export async function naiveLogEvidence<D, R extends Returned>(
  model: Model<D, R>,
  data: DataFor<D>,
  options: ProblemOptions & { readonly draws?: number; readonly seed?: number } = {},
): Promise<Evidence> {
  const { draws = 10_000, seed = 0 } = options;
  const problem = (await problemOf(model, data, options)) as unknown as Problem;
  const { runtime, deterministic } = problem;
  const place = runtime.buffer("u32", []);
  const made = await program({
    inputs: { ...problem.inputs, draw: u32([]) },
    body: ({ inputs, rng }) => {
      const { draw } = inputs;
      const traced = problem.trace(draw, inputs);
      const assignment = new Assignment(traced);
      const skip = traced.sites.filter((s) => s.kind === "observe" || (s.kind === "sample" && isDiscrete(s.support)));
      drawSites(traced, rng.fold(draw), assignment, new Set(skip.map((s) => s.name)));
      assignment.closeChains();
      const terms = sumOut(draw.trace, traced, termsOf(traced)).filter(
        (t) => t.kind === "observe" || t.kind === "factor",
      );
      return { outputs: { logLikelihood: sumOfTerms({ terms, assignment }, draw.cast("f64")) } };
    },
    runtime,
    deterministic,
  });
  made.prepare({ ...problem.data, draw: place } as never, seed);
  const value = new MemoryVector(made.outputs.logLikelihood);
  const logWeights = Float64Array.from({ length: draws }, (_, d) => {
    place.write([d]);
    made.step();
    return value.values[0]!;
  });
  return meanOfWeights(logWeights);
}
