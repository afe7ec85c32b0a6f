import { NonFiniteError } from "../base/errors.ts";
import { autoregressiveFlow } from "../families/autoregressive-flow.ts";
import { couplingFlow } from "../families/coupling-flow.ts";
import { fullRank } from "../families/full-rank.ts";
import { gaussianMixture } from "../families/gaussian-mixture.ts";
import { lowRank } from "../families/low-rank.ts";
import { meanField } from "../families/mean-field.ts";
import type { VariationalFamily } from "../families/variational-family.ts";
import { adaptiveImportance } from "./adaptive-importance.ts";
import type { Approximation } from "./approximation.ts";
import { caviApproximation } from "./cavi/approximation.ts";
import type { CaviOptions } from "./cavi/cavi.ts";
import { certifyWeighted, ENOUGH, khatLimit, type WeightedDraws, weigh } from "./certificate.ts";
import { doubtOfChains } from "./certify-reported.ts";
import { explainNonFinite } from "./diagnose.ts";
import { epOf } from "./ep/ep.ts";
import type { Fit, Method, Result } from "./fit.ts";
import { isMaximum, SEARCHED_ABOUT } from "./modes.ts";
import { nestedLaplace } from "./nested-laplace.ts";
import { pathfinder } from "./pathfinder.ts";
import { reportDraws } from "./posterior.ts";
import { SHORTER_STEPS, sampled, sampledEnough } from "./sampled.ts";
import { severalModes } from "./several-modes.ts";
import { certifySgld } from "./sgld-certificate.ts";
import { sgldFit } from "./sgld-fit.ts";
import { chooseSites } from "./site-choice.ts";
import { siteVi } from "./site-vi.ts";
import { stochasticVi } from "./stochastic-vi.ts";
import { factorOf } from "./student-t.ts";
import { sviApproximation } from "./svi/approximation.ts";
import type { SviOptions } from "./svi/options.ts";

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

/** Null where the method says that there is nothing in it for this posterior. */
export type Rung = (fit: Fit) => Promise<Result | null>;

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
  nested: async (fit) => (await nested(fit)) ?? rungs.laplace(fit),
  meanfield: async (fit) => {
    const { others } = await fit.modes();
    return weighted(fit, await fit.linearResponse(), others);
  },
  importance: async (fit) => {
    const { others, best, beside } = await fit.modes();
    const all = [best, ...beside];
    // Beyond so many nobody has looked whether each leads to more: of 24 mirror images 17 would be certified.
    const more = all.length > SEARCHED_ABOUT ? `searches ended in ${all.length} modes, and there may be more.` : null;
    if (beside.length && all.every(isMaximum)) return weighted(fit, severalModes(all, fit.seed), more, all.length);
    const start = await fit.linearResponse();
    return weighted(fit, await adaptiveImportance(start, fit.density, fit.seed, fit.slice), others);
  },
  pathfinder: async (fit) => {
    const { others } = await fit.modes();
    return weighted(
      fit,
      await pathfinder(fit.problem, { compiled: await fit.compiled(), seed: fit.seed, signal: fit.options.signal }),
      others,
    );
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
  nuts: (fit) => sampledEnough(fit, "nuts"),
  hmc: (fit) => sampledEnough(fit, "hmc"),
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
    const judged = await certifySgld(samples, fit.density, fit.problem.names, others, fit.slice);
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

/** Null where the posterior does not bend along one or two coordinates, or has several modes. */
async function nested(fit: Fit): Promise<Result | null> {
  const { best, beside, above } = await fit.modes();
  if (beside.length) return null;
  const q = await nestedLaplace(fit.problem, await fit.compiled(), { best, above }, fit.seed, fit.slice);
  // Where the density rises without end it has been seen that there is no mass.
  return q && weighted(fit, q, null, isMaximum(best) ? 1 : 0);
}

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
  nested: "nested laplace",
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

/**
 * The ladder's target acceptance where none was asked for. What cheaper methods left to NUTS bends: at the usual 0.8 a third of the runs on eight schools
 * have a divergent transition and are made again, at 0.9 none of 25, for a fifth more time.
 */
const stepsOf = ({ options: { targetAcceptance = 0.9 } }: Fit): number => targetAcceptance;

/** How many times the usual draws the last rung may make. */
const LONGEST = 10;

/** Beyond so many coordinates a mean-field fit with its Hessian costs what NUTS does. */
const CHEAP_MEAN_FIELD = 100;
/** An approximation whose weights are as bad as that lies too far from the posterior for the next ones to mend it. */
const FAR_OFF = 1.5;

/** The rung, but where many coordinates and what the first one ended with say that it would cost as much as NUTS and come to nothing. */
const unlessFarOff =
  (run: Rung): Rung =>
  async (fit) => {
    const { dim } = fit.problem;
    const { khat } = fit;
    if (dim <= CHEAP_MEAN_FIELD || (khat !== null && khat <= FAR_OFF)) return run(fit);
    const before = khat === null ? "that there is no mode with a Gaussian" : `a k-hat of ${khat.toFixed(1)} for the approximation before it`; // biome-ignore format: one line
    const reason = `left out: in ${dim} coordinates it takes as long as NUTS, and ${before} says that it would come to nothing.`;
    const { fit: approximation } = await fit.modes();
    return { certificate: { trusted: false, khat: null, reason }, approximation, weighted: null, chains: null };
  };

/** The ladder: cheap methods first. The last goes on with what NUTS said was missing: draws, or shorter steps. */
export const ladder: readonly { readonly name: string; readonly run: Rung }[] = [
  { name: names.laplace, run: rungs.laplace },
  { name: names.nested, run: nested },
  { name: names.meanfield, run: unlessFarOff(rungs.meanfield) },
  { name: names.importance, run: unlessFarOff(rungs.importance) },
  { name: names.nuts, run: (fit) => sampled(fit, "nuts", { targetAcceptance: stepsOf(fit) }, true) },
  {
    name: "longer nuts",
    run: (fit) => {
      const { warmUp = 1000, draws = 1000 } = fit.options;
      const times = Math.min(Math.max(Math.ceil(1.3 * fit.longer), 2), LONGEST);
      // For want of draws alone the same chains go on.
      const changes = fit.longer > 1 ? { warmUp, targetAcceptance: stepsOf(fit) } : { warmUp: 2 * warmUp, targetAcceptance: SHORTER_STEPS }; // biome-ignore format: one line
      const from = fit.longer > 1 ? fit.chains?.chains : undefined;
      const bounds = { around: true, mostDraws: LONGEST * draws, from };
      return sampledEnough(fit, "nuts", { ...changes, draws: times * draws }, bounds);
    },
  },
];

/** What to run: one method, or the ladder. */
export const planFor = (method: Method): typeof ladder =>
  method === "auto" ? ladder : [{ name: names[method], run: rungs[method] }];
