import type { Shape } from "../base/shape.ts";
import { type Bound, counts, isDiscrete } from "../constraints/support.ts";
import { and, where } from "../tensor/functions.ts";
import { type Key, uniform } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type Distribution, type Family, family, type ParamSpec, type Params } from "./distribution.ts";
import { between, type Ends, endsOf, requireEnds } from "./ends.ts";
import { log1mExp, logSubExp } from "./special/log1m-exp.ts";

type Found = { readonly low: Tensor | null; readonly high: Tensor | null };

/** The distribution function of a truncated family, in terms of the base's. */
interface Slice {
  /** log P(low < X ≤ high), from the side on which nothing cancels. */
  readonly logMass: Tensor;
  /** Whether that side is the upper one: probabilities are then taken above, else below. */
  readonly upper: Tensor;
  /** log of the greater and the smaller of the two. */
  readonly greater: Tensor;
  readonly smaller: Tensor | null;
}

function sliceOf(base: Family, params: Params, { low, high }: Found): Slice {
  const [cdf, survival] = [base.logCdf!, base.logSurvival!];
  if (low && high) {
    const upper = cdf(low, params).gt(-Math.LN2);
    const greater = where(upper, survival(low, params), cdf(high, params));
    const smaller = where(upper, survival(high, params), cdf(low, params));
    return { logMass: logSubExp(greater, smaller), upper, greater, smaller };
  }
  const mass = low ? survival(low, params) : cdf(high!, params);
  return { logMass: mass, upper: mass.mul(0).eq(low ? 0 : 1), greater: mass, smaller: null };
}

/** x with log P(X > x) = l or log P(X ≤ x) = l uniformly between the probabilities of the ends. */
function draw(base: Family, params: Params, ends: Found, cuts: Found, key: Key<Tensor>, batch: Shape): Tensor {
  const { logMass, upper, greater, smaller } = sliceOf(base, params, cuts);
  // log(smaller + u (greater − smaller)) = log greater + log(1 − (1 − u) mass / greater)
  const u = uniform(key, batch, "f64");
  const share = smaller ? u.log().add(logMass.sub(greater)) : u.log();
  const l = smaller ? greater.add(log1mExp(share.neg())) : greater.add(share);
  const [fromAbove, fromBelow] = [base.fromLogSurvival!, base.fromLogCdf!];
  if (!smaller) return (ends.low ? fromAbove : fromBelow)(l, params);
  const [half, side] = [l.mul(0).sub(Math.LN2), upper.broadcastTo(batch)];
  const x = where(side, fromAbove(where(side, l, half), params), fromBelow(where(side, half, l), params));
  return x.maximum(ends.low!).minimum(ends.high!);
}

/**
 * A distribution of numbers limited to [low, high] and normalised there through its distribution function. The ends
 * may be tensors of the model. Of a distribution of counts the ends are among its values.
 *
 *     truncated(normal(0, 1), { low: 0 })
 *
 * @throws OptionError where no end is given, or the base has no distribution function or is one of vectors
 */
export function truncated(base: Distribution, given: Ends): Distribution {
  const { low, high } = given;
  const f = base.family;
  const name = `truncated ${f.name}`;
  requireEnds("truncated", f, given, {
    example: "{ low: 0 }",
    taken: "it has ends already: put them in its own parameters",
    instead: ": use restricted, which does not normalise",
  });
  const end: ParamSpec = { support: { kind: "real" }, rank: 0 };
  const ends = { ...(low !== undefined && { low }), ...(high !== undefined && { high }) };
  const found = (params: Params): Found => ({ low: params["low"] ?? null, high: params["high"] ?? null });
  /** The ends between which probabilities are taken: P(X ≥ low) is P(X > low − 1) of counts. */
  const cuts = (params: Params): Found => {
    const { low, high } = found(params);
    return { low: low && isDiscrete(f.support(params)) ? low.sub(1) : low, high };
  };
  return {
    family: family<string>({
      name,
      params: { ...f.params, ...Object.fromEntries(Object.keys(ends).map((k) => [k, end])) },
      eventRank: 0,
      support: (params) => {
        const base = f.support(params);
        const own = endsOf(base);
        const { low, high } = found(params);
        const [from, to] = [asBound(low) ?? own.low, asBound(high) ?? own.high];
        return isDiscrete(base) ? counts(typeof from === "number" ? from : 0, to) : between(from, to, base);
      },
      logProb: (x, params) => {
        const { low, high } = found(params);
        const inside = low && high ? and<Tensor>(x.ge(low), x.le(high)) : low ? x.ge(low) : x.le(high!);
        const logProb = f.logProb(where(inside, x, low ?? high!), params);
        return where(inside, logProb.sub(sliceOf(f, params, cuts(params)).logMass), -Infinity);
      },
      sample:
        f.fromLogCdf && f.fromLogSurvival
          ? (key, params, batch) => draw(f, params, found(params), cuts(params), key, batch)
          : null,
      reparameterised: f.fromLogCdf && f.fromLogSurvival && f.reparameterised ? "explicit" : null,
      logCdf: null,
    }),
    given: { ...base.given, ...ends },
  };
}

/** A constant as a number. */
const asBound = (end: Tensor | null): Bound | null =>
  end?.node.op === "const" ? (end.node.attrs.value as number) : end;
