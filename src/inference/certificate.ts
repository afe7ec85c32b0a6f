import { pooled, sortedDraws } from "../diagnostics/chains.ts";
import { ebfmi } from "../diagnostics/energy.ts";
import { essTail } from "../diagnostics/ess.ts";
import { mcseMean, mcseSd } from "../diagnostics/mcse.ts";
import { variance } from "../diagnostics/moments.ts";
import { importanceEss, khatThreshold, khatUnlessEqual, momentsUnder, normalised, psis } from "../diagnostics/psis.ts";
import { rhatAndEssBulk } from "../diagnostics/rhat.ts";
import type { Approximation } from "./approximation.ts";
import type { LogDensity } from "./log-density.ts";
import type { ChainsResult } from "./mcmc/chains.ts";
import type { Slice } from "./slicer.ts";
import { defended } from "./student-t.ts";

/** Whether the reported moments are vouched for, and why: of draws by a sampler from R-hat, of weighted draws from k-hat. */
export interface Certificate {
  readonly trusted: boolean;
  /** One or two sentences for people. */
  readonly reason: string;
  /** Tail index of the joint importance weights; null where there are none. */
  readonly khat: number | null;
}

/** One rung of the ladder that `infer` climbed, or the one method that was asked for. */
export interface Attempt extends Certificate {
  readonly method: string;
  readonly seconds: number;
}

/** Draws with the logarithms of their smoothed weights: p over the density they are from. */
export interface WeightedDraws {
  /** [count, dim] */
  readonly points: Float64Array;
  readonly count: number;
  readonly logWeights: Float64Array;
  /** The weights as they were before their tail was smoothed. */
  readonly rawLogWeights: Float64Array;
  readonly khat: number;
  readonly ess: number;
}

/** So many draws tell whether the rest are worth their time: beyond this k-hat they are not. */
const SCREENED = 1000;
const HOPELESS = 0.8;

/** Between so many draws the host may have its turn. */
const AT_ONCE = 25;

/** log p − log q of the rows of x [n, dim]; −∞ where the density is not a number. */
export async function rawLogWeights(
  density: LogDensity,
  x: Float64Array,
  logQ: Float64Array,
  slice: Slice,
): Promise<Float64Array> {
  const out = new Float64Array(logQ.length);
  for (let from = 0; from < out.length; from += AT_ONCE) {
    weighRows(density, x, logQ, out, from, Math.min(from + AT_ONCE, out.length));
    await slice();
  }
  return out;
}

function weighRows(
  density: LogDensity,
  x: Float64Array,
  logQ: Float64Array,
  out: Float64Array,
  from: number,
  to: number,
): void {
  const { dim } = density;
  const gradient = new Float64Array(dim);
  const point = new Float64Array(dim);
  for (let s = from; s < to; s++) {
    for (let j = 0; j < dim; j++) point[j] = x[s * dim + j]!;
    const logP = density.evaluate(point, gradient);
    out[s] = Number.isNaN(logP) ? Number.NEGATIVE_INFINITY : logP - logQ[s]!;
  }
}

/**
 * Draws from an approximation and a wider one beside it, weighted by Pareto smoothed importance sampling; few of them where those show
 * that it is hopeless.
 */
export async function weigh(
  q: Approximation,
  density: LogDensity,
  count: number,
  seed: number,
  slice: Slice,
): Promise<WeightedDraws> {
  const proposal = defended(q);
  const weights = async (rows: Float64Array) => {
    await slice();
    const logQ = proposal.logDensityOf(rows);
    await slice();
    return rawLogWeights(density, rows, logQ, slice);
  };
  const head = proposal.draw(Math.min(SCREENED, count), seed);
  const first = await weights(head);
  const judged = smoothed(head, first);
  if (judged.count === count || judged.khat > HOPELESS) return judged;
  await slice();
  const rest = proposal.draw(count - judged.count, seed + 1);
  return smoothed(joined(head, rest), joined(first, await weights(rest)));
}

function joined(a: Float64Array, b: Float64Array): Float64Array {
  const out = new Float64Array(a.length + b.length);
  out.set(a);
  out.set(b, a.length);
  return out;
}

function smoothed(points: Float64Array, raw: Float64Array): WeightedDraws {
  const { logWeights, khat } = psis(raw);
  const own = { logWeights, khat: khatUnlessEqual({ logWeights, khat }), ess: importanceEss(logWeights) };
  return { points, count: raw.length, rawLogWeights: raw, ...own };
}

/** Draws without weights: each is taken about as often as its weight says (systematic resampling, Kitagawa 1996). */
export function resample({ points, count, logWeights }: WeightedDraws, wanted: number, offset: number): Float64Array {
  const dim = points.length / count;
  const out = new Float64Array(wanted * dim);
  let sum = 0;
  for (let i = 0, taken = 0; i < count && taken < wanted; i++) {
    sum += Math.exp(logWeights[i]!);
    while (taken < wanted && (i === count - 1 || (taken + offset) / wanted < sum)) {
      out.set(points.subarray(i * dim, (i + 1) * dim), taken++ * dim);
    }
  }
  return out;
}

/** Effective draws, in bulk and tails, without which no error can be told (Vehtari et al. 2021). */
export const ENOUGH = 400;
/**
 * Greatest Monte Carlo error of a reported mean, and of an sd, in units of the sd: a third of what a certificate promises (a tenth), so
 * that a chance of one in some hundreds is left that the worst of them is off by more.
 */
export const TOLERANCE = 0.035;
/** The same on the unconstrained scale, which is not reported. */
const UNCONSTRAINED = 0.1;

const percent = (x: number): string => `${(100 * x).toFixed(x < 0.1 ? 1 : 0)} %`;

/**
 * The largest k-hat that weights of so many draws may have. Up to ½ they have a variance, and their errors can be told from the draws;
 * up to 0.7 they only converge.
 */
export const khatLimit = (count: number): number => Math.min(0.5, khatThreshold(count));

/** Judges the moments that weighted draws give of each coordinate. */
export function certifyWeighted(
  draws: WeightedDraws,
  names: readonly string[],
  otherModes: string | null,
  modes = 1,
): Certificate {
  const { points, count, logWeights, khat, ess } = draws;
  const dim = points.length / count;
  const limit = khatLimit(count);
  const about = `k-hat is ${khat.toFixed(2)}`;
  if (!(khat <= limit)) {
    const reason = `${about}, above ${limit.toFixed(2)}: the approximation misses too much of the posterior for its draws to be corrected by weighting.`;
    return { trusted: false, khat, reason };
  }
  if (otherModes) return { trusted: false, khat, reason: `${about}, but ${otherModes}` };
  let worst = 0;
  let at = 0;
  const weights = normalised(logWeights);
  for (let j = 0; j < dim; j++) {
    const moments = momentsUnder(weights, column(points, count, dim, j));
    const error = Math.max(moments.mcseMean, moments.mcseSd) / moments.sd;
    if (!(error <= worst)) [worst, at] = [error, j];
  }
  if (!(worst <= UNCONSTRAINED) || !(ess >= ENOUGH)) {
    const reason =
      `${about}, but the weights leave only ${Math.round(ess)} effective draws of ${count}: the moments of ${names[at]} are ` +
      `uncertain by ${percent(worst)} of its sd.`;
    return { trusted: false, khat, reason };
  }
  const found = ["no mode, but no mass beyond what it covers", "one mode"][modes] ?? `${modes} modes, all of which it covers`; // biome-ignore format: one line
  const reason =
    `${about}, so that weighting corrects the draws; the ${Math.round(ess)} effective ones leave errors below ` +
    `${percent(worst)} of each sd, and searches from dispersed starts found ${found}.`;
  return { trusted: true, khat, reason };
}

function column(rows: Float64Array, count: number, width: number, at: number): Float64Array {
  const out = new Float64Array(count);
  for (let i = 0; i < count; i++) out[i] = rows[i * width + at]!;
  return out;
}

/** R-hat below which chains agree. */
export const AGREEMENT = 1.01;

/** So many times the draws may bring R-hat below its limit: of chains that mix, R̂² − 1 falls as one over their length. */
export const moreToAgree = (rhat: number): number => Math.min(Math.max((rhat ** 2 - 1) / (AGREEMENT ** 2 - 1), 2), 4);

/** Transitions that diverged, of those that are kept. */
export const divergencesOf = ({ chains }: Pick<ChainsResult, "chains">): number =>
  chains.reduce((sum, { stats }) => stats.divergent.reduce((a, b) => a + b, sum), 0);

/**
 * Judges a sampler's chains by the coordinates that it moved in (Vehtari et al. 2021; Betancourt 2017). `more`: so many times the
 * draws would be enough, 1 where it is not for want of draws.
 */
export function certifyChains(
  { chains, count }: ChainsResult,
  names: readonly string[],
): { readonly certificate: Certificate; readonly more: number } {
  const { dim } = chains[0]!;
  let rhat = 0;
  let ess = Number.POSITIVE_INFINITY;
  let error = 0;
  let [rhatAt, essAt, errorAt] = [0, 0, 0];
  for (let j = 0; j < dim; j++) {
    const values = chains.map(({ draws }) => column(draws, count, dim, j));
    const sorted = sortedDraws(values);
    const found = rhatAndEssBulk(values, sorted);
    const smaller = Math.min(found.essBulk, essTail(values, sorted));
    if (!(found.rhat <= rhat)) [rhat, rhatAt] = [found.rhat, j];
    if (!(smaller >= ess)) [ess, essAt] = [smaller, j];
    const uncertain = Math.max(mcseMean(values), mcseSd(values)) / Math.sqrt(variance(pooled(values)));
    if (!(uncertain <= error)) [error, errorAt] = [uncertain, j];
  }
  const divergences = divergencesOf({ chains });
  const energy = Math.min(...chains.map(({ stats }) => ebfmi(stats.energy)));
  const khat = null;
  const refused = (reason: string, more = 1) => ({ certificate: { trusted: false, khat, reason }, more });
  const all = `${chains.length} chains of ${count} draws`;
  if (divergences > 0) {
    const one = divergences === 1;
    const reason =
      `${divergences} of the ${chains.length * count} transitions diverged: there ${one ? "is a region" : "are regions"} of the posterior that the ` +
      "sampler cannot enter, often the neck of a funnel. In a hierarchical model, write the groups' effects as mean + sd · z with " +
      "z ~ normal(0, 1) (non-centred), or raise targetAcceptance.";
    return refused(reason);
  }
  if (!(rhat < AGREEMENT)) {
    const reason = `the chains do not agree: R-hat of ${names[rhatAt]} is ${rhat.toFixed(3)} (below ${AGREEMENT} is asked). Draw more, or look for several modes.`;
    return refused(reason, moreToAgree(rhat));
  }
  if (!(ess >= ENOUGH)) {
    const reason = `${names[essAt]} has only ${Math.round(ess)} effective draws (${ENOUGH} are asked). Draw more.`;
    return refused(reason, ENOUGH / ess);
  }
  if (!(error <= UNCONSTRAINED)) {
    const reason = `the moments of ${names[errorAt]} are uncertain by ${percent(error)} of its sd (${percent(UNCONSTRAINED)} is asked): its tail is long. Draw more.`;
    return refused(reason, (error / UNCONSTRAINED) ** 2);
  }
  if (!(energy > 0.2)) {
    const reason = `the energy mixes slowly (E-BFMI ${energy.toFixed(2)}, above 0.2 is asked): tails may be missed. Reparameterise heavy tails.`;
    return refused(reason);
  }
  const reason = `${all} agree: R-hat is at most ${rhat.toFixed(3)}, at least ${Math.round(ess)} draws are effective, none diverged.`;
  return { certificate: { trusted: true, khat, reason }, more: 1 };
}
