import { OptionError } from "../base/errors.ts";
import { above, type Bound, below, interval, type Support } from "../constraints/support.ts";
import { and } from "../tensor/functions.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { asTensor, type Family, type ParamValue } from "./distribution.ts";

/** Ends that a word such as `truncated` is given. */
export interface Ends {
  readonly low?: ParamValue;
  readonly high?: ParamValue;
}

/** A family with a distribution function. */
type WithCdf = Family & Required<{ readonly [K in "logCdf" | "logSurvival"]: NonNullable<Family[K]> }>;

/** What a word that takes ends says where they do not fit. */
interface EndWords {
  /** An end, as in an example. */
  readonly example: string;
  /** Where the base has parameters called low and high. */
  readonly taken: string;
  /** Where the base has no distribution function. */
  readonly instead?: string;
}

/** @throws OptionError where no end is given, or the base has no distribution function, has ends of its own or is one of vectors */
export function requireEnds(
  word: string,
  f: Family,
  given: Ends,
  { example, taken, instead = "" }: EndWords,
): asserts f is WithCdf {
  const { low, high } = given;
  const what = `${word}(${f.name})`;
  for (const [end, value] of Object.entries(given)) {
    if ((value ?? null) === null)
      throw new OptionError(`${what}: ${end} is ${value}: leave it out where there is no end`);
  }
  if (low === undefined && high === undefined)
    throw new OptionError(`${what}: give an end, as in ${word}(${f.name}(…), ${example})`);
  if (f.eventRank > 0)
    throw new OptionError(`${word} takes a distribution of numbers, not ${f.name}, whose draws are vectors`);
  if ("low" in f.params || "high" in f.params) throw new OptionError(`${what}: ${taken}`);
  if (!f.logCdf || !f.logSurvival)
    throw new OptionError(`${word} needs a distribution function, which ${f.name} does not offer${instead}`);
  if (typeof low === "number" && typeof high === "number" && !(low < high))
    throw new OptionError(`${what}: low is ${low} and high ${high}: low must be below high`);
}

/** The ends of a support of numbers; null where it has none. */
export function endsOf(support: Support): { readonly low: Bound | null; readonly high: Bound | null } {
  switch (support.kind) {
    case "positive":
      return { low: 0, high: null };
    case "unitInterval":
      return { low: 0, high: 1 };
    case "interval":
    case "counts":
      return { low: support.low, high: support.high };
    case "above":
      return { low: support.low, high: null };
    case "below":
      return { low: null, high: support.high };
    default:
      return { low: null, high: null };
  }
}

/** The support between two ends. */
export function between(low: Bound | null, high: Bound | null, base: Support): Support {
  if (low !== null && high !== null) return interval(low, high);
  if (low !== null) return low === 0 ? { kind: "positive" } : above(low);
  return high !== null ? below(high) : base;
}

/** Whether numbers lie in a support of numbers; null where all do. */
export function contains(x: Tensor, support: Support): Tensor | null {
  const { low, high } = endsOf(support);
  const at = (bound: number | Tensor): Tensor => asTensor(x.trace, bound);
  const from = low === null ? null : support.kind === "positive" ? x.gt(0) : x.ge(at(low));
  const to = high === null ? null : x.le(at(high));
  return from && to ? and<Tensor>(from, to) : (from ?? to);
}
