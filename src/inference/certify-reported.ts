import type { Chains } from "../diagnostics/chains.ts";
import { mcseMean, mcseSd } from "../diagnostics/mcse.ts";
import { mean, variance } from "../diagnostics/moments.ts";
import { khatUnder, momentsUnder, normalised } from "../diagnostics/psis.ts";
import { rhat } from "../diagnostics/rhat.ts";
import { type Draws, elementNames } from "../posterior/draws.ts";
import { AGREEMENT, moreToAgree, TOLERANCE } from "./certificate.ts";

/** What speaks against the moments of a reported quantity. */
export interface Doubt {
  readonly reason: string;
  /** So many times the draws would do; infinite where more draws are no help. */
  readonly more: number;
}

/** Reported quantities at draws: [draws, ...shape] by name. */
export type ReportedDraws = Readonly<Record<string, { readonly shape: readonly number[]; readonly values: Float64Array }>>; // biome-ignore format: one line

/**
 * Beyond this tail index of the squared distance from the mean the sd's error cannot be told from the draws: the index of squares
 * is ½ where the fourth moment ends, and its estimates from some thousand draws scatter by 0.1.
 */
const LONGEST_TAIL = 0.6;
/** A tail that is long among the greatest of few draws may end further out: so many times the draws are worth a try. */
const LONG_TAIL_DRAWS = 3;
/** Squares have no mean beyond an index of 1, and estimates scatter: from here on there is no sd that more draws could tell. */
const ENDLESS_TAIL = 1.2;
/** Relative error of an sd, times √draws, from which on the tail is worth a look: a normal has 0.71, an exponential 1.41. */
const NOTABLE = 1.1;

const percent = (x: number): string => `${(100 * x).toFixed(1)} %`;

/** Monte Carlo errors of one element's mean and sd, in its sds. */
interface Errors {
  readonly name: string;
  readonly draws: number;
  readonly ofMean: number;
  readonly ofSd: number;
  /** What is added when the draws are drawn from once more. */
  readonly added?: { readonly ofMean: number; readonly ofSd: number };
  /** k-hat of the squared distances from the mean, looked at where the tail may be long. */
  readonly tail: () => number;
}

/** The doubt about one element; null where there is none. */
function doubtOf({ name, draws, ofMean, ofSd, added = { ofMean: 0, ofSd: 0 }, tail }: Errors): Doubt | null {
  const error = Math.max(Math.hypot(ofMean, added.ofMean), Math.hypot(ofSd, added.ofSd));
  if (error <= TOLERANCE && ofSd * Math.sqrt(draws) < NOTABLE) return null;
  const index = tail();
  if (index > LONGEST_TAIL) {
    const reason =
      `the tail of ${name} is so long (index ${index.toFixed(2)} of its squares, ${LONGEST_TAIL} at most is asked) that its sd, if it has one, ` +
      "cannot be told from draws. Its quantiles can.";
    return { reason, more: index > ENDLESS_TAIL ? Number.POSITIVE_INFINITY : LONG_TAIL_DRAWS };
  }
  if (error <= TOLERANCE) return null;
  const reason = `the moments of ${name} are uncertain by ${percent(error)} of its sd (${percent(TOLERANCE)} is asked). Draw more.`;
  const more = (own: number, rest: number) => (rest < TOLERANCE ? own ** 2 / (TOLERANCE ** 2 - rest ** 2) : Number.POSITIVE_INFINITY); // biome-ignore format: one line
  return { reason, more: Math.max(more(ofMean, added.ofMean), more(ofSd, added.ofSd)) };
}

/** Whether a quantity is a yes or no: its sd says nothing that its mean does not. */
function isIndicator(values: Float64Array): boolean {
  for (let i = 0; i < values.length; i++) if (values[i] !== 0 && values[i] !== 1) return false;
  return true;
}

/** Whether a quantity is the same in all draws, rounding apart. */
function isConstant(values: Float64Array): boolean {
  const first = values[0]!;
  const rounding = 1e-13 * Math.abs(first);
  for (let i = 1; i < values.length; i++) if (!(Math.abs(values[i]! - first) <= rounding)) return false;
  return true;
}

/** One element of a quantity of `width` elements in each draw. */
function elementOf(values: Float64Array, width: number, element: number, count: number): Float64Array {
  const own = new Float64Array(count);
  for (let d = 0, at = element; d < count; d++, at += width) own[d] = values[at]!;
  return own;
}

/** (x − centre)² of each value. */
function squaredDistances(values: Float64Array, centre: number): Float64Array {
  const out = new Float64Array(values.length);
  for (let i = 0; i < out.length; i++) out[i] = (values[i]! - centre) ** 2;
  return out;
}

function fourthMoment(weights: Float64Array, values: Float64Array, centre: number): number {
  let fourth = 0;
  for (let i = 0; i < values.length; i++) {
    const square = (values[i]! - centre) * (values[i]! - centre);
    fourth += weights[i]! * square * square;
  }
  return fourth;
}

/** The worst of the doubts about all elements that vary. */
function worstOf(
  reported: ReportedDraws,
  count: number,
  doubtAbout: (name: string, values: Float64Array) => Doubt | null,
): Doubt | null {
  let worst: Doubt | null = null;
  for (const [site, { shape, values }] of Object.entries(reported)) {
    const names = elementNames(site, shape);
    for (const [i, name] of names.entries()) {
      const own = elementOf(values, names.length, i, count);
      if (isConstant(own)) continue;
      const bad = own.findIndex((x) => !Number.isFinite(x));
      const doubt = bad < 0 ? doubtAbout(name, own) : { reason: `${name} is ${own[bad]} in some draws.`, more: Number.POSITIVE_INFINITY }; // biome-ignore format: one line
      if (doubt && !(worst && worst.more >= doubt.more)) worst = doubt;
    }
  }
  return worst;
}

/** Log weights below which nothing that a double can hold, squared, counts: far out a quantity may be infinite and its density 0. */
const WEIGHTLESS = -1500;

/** The draws with 0 in place of what is not finite, or whose fourth power is not, where the weight is none. */
function weighing(reported: ReportedDraws, logWeights: Float64Array): ReportedDraws {
  const weightless: number[] = [];
  for (let s = 0; s < logWeights.length; s++) if (!(logWeights[s]! > WEIGHTLESS)) weightless.push(s);
  if (weightless.length === 0) return reported;
  return Object.fromEntries(
    Object.entries(reported).map(([name, { shape, values }]) => {
      const width = values.length / logWeights.length;
      const own = values.slice();
      for (const s of weightless)
        for (let i = s * width; i < (s + 1) * width; i++) if (!Number.isFinite(own[i]! ** 4)) own[i] = 0;
      return [name, { shape, values: own }];
    }),
  );
}

/**
 * Judges what is reported of weighted draws: as users see it, not on the unconstrained scale, where tails are shorter.
 *
 * @param resampled  so many draws without weights will be made of them
 */
export function doubtOfWeighted(logWeights: Float64Array, reported: ReportedDraws, resampled: number): Doubt | null {
  const draws = logWeights.length;
  const weights = normalised(logWeights);
  const khat = khatUnder(logWeights);
  return worstOf(weighing(reported, logWeights), draws, (name, values) => {
    const moments = momentsUnder(weights, values);
    const { mean: centre, sd } = moments;
    const indicator = isIndicator(values);
    const fourth = fourthMoment(weights, values, centre);
    return doubtOf({
      name,
      draws,
      ofMean: moments.mcseMean / sd,
      ofSd: indicator ? 0 : moments.mcseSd / sd,
      // Of independent draws: the sd's relative error is √((kurtosis − 1) / 4n).
      added: {
        ofMean: 1 / Math.sqrt(resampled),
        ofSd: indicator ? 0 : Math.sqrt((fourth / sd ** 4 - 1) / (4 * resampled)),
      },
      tail: () => (indicator ? 0 : khat(squaredDistances(values, centre))),
    });
  });
}

/** Judges what is reported of a sampler's draws, where it is not a coordinate that the sampler moved in. */
export function doubtOfChains({ chains, draws, sites }: Draws, judged: ReadonlySet<string>): Doubt | null {
  const total = chains * draws;
  const khat = khatUnder(new Float64Array(total).fill(-Math.log(total)));
  const others = Object.fromEntries(Object.entries(sites).filter(([name]) => !judged.has(name)));
  return worstOf(others, total, (name, values) => {
    const parts: Chains = Array.from({ length: chains }, (_, c) => values.subarray(c * draws, (c + 1) * draws));
    const indicator = isIndicator(values);
    const agreement = indicator ? 1 : rhat(parts);
    if (!(agreement < AGREEMENT)) {
      const reason = `the chains do not agree: R-hat of ${name} is ${agreement.toFixed(3)} (below ${AGREEMENT} is asked). Draw more.`;
      return { reason, more: moreToAgree(agreement) };
    }
    const centre = mean(values);
    const sd = Math.sqrt(variance(values));
    return doubtOf({
      name,
      draws: total,
      ofMean: mcseMean(parts) / sd,
      ofSd: indicator ? 0 : mcseSd(parts) / sd,
      tail: () => (indicator ? 0 : khat(squaredDistances(values, centre))),
    });
  });
}
