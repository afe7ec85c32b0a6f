import { OptionError } from "../base/errors.ts";
import { type Shape, showShape } from "../base/shape.ts";
import { type Bound, type Support, simplex } from "../constraints/support.ts";
import { concat, iota, maximum, minimum, where } from "../tensor/functions.ts";
import { cumsum } from "../tensor/linalg.ts";
import { type Key, uniform } from "../tensor/random.ts";
import { Tensor } from "../tensor/tensor.ts";
import { alongAxis } from "./along-axis.ts";
import {
  checkNumbers,
  type Distribution,
  type Family,
  family,
  type ParamSpec,
  type Params,
  type ParamValue,
} from "./distribution.ts";
import { between, endsOf } from "./ends.ts";

/**
 * The components of a mixture: whatever one gives for each, with the components as the last axis before the event's.
 */
interface Components {
  readonly size: number;
  readonly family: Family;
  readonly params: Readonly<Record<string, ParamSpec>>;
  readonly given: Readonly<Record<string, ParamValue>>;
  readonly support: (params: Params) => Support;
  /**
   * `evaluate` of each component at its parameters, [...batch, size, ...rest]; `rest` axes come after the components'.
   */
  each(params: Params, rest: number, evaluate: (family: Family, params: Params, spread: Spread) => Tensor): Tensor;
}

/** How a component sees what all share: x with an axis of components, and a batch shape that has it. */
interface Spread {
  /** An element or its place: with an axis for the components where they share one evaluation. */
  readonly x: (x: Tensor, eventRank: number) => Tensor;
  readonly batch: (batch: Shape) => Shape;
  readonly key: (key: Key<Tensor>) => Key<Tensor>;
}

/** One distribution whose last batch axis is that of the components. */
function ofOneFamily(base: Distribution, size: number | null): Components {
  const along = alongAxis("mixture", base, size);
  const spread: Spread = {
    x: (x, rank) => x.reshape([...x.shape.slice(0, x.shape.length - rank), 1, ...x.shape.slice(x.shape.length - rank)]),
    batch: (batch) => [...batch, along.size],
    key: (key) => key,
  };
  return {
    ...along,
    family: base.family,
    support: (params) => hull(base.family.support(params), true),
    each: (params, _rest, evaluate) => evaluate(base.family, params, spread),
  };
}

/** Distributions of their own, whose parameters are told apart by the number of the component. */
function ofList(all: readonly Distribution[]): Components {
  const entries = <T>(read: (d: Distribution) => Readonly<Record<string, T>>): Record<string, T> =>
    Object.fromEntries(all.flatMap((d, i) => Object.entries(read(d)).map(([name, v]) => [`${name}.${i}`, v] as const)));
  const own = (params: Params, i: number): Params =>
    Object.fromEntries(Object.keys(all[i]!.family.params).map((name) => [name, params[`${name}.${i}`]!]));
  const ranks = new Set(all.map((d) => d.family.eventRank));
  if (ranks.size > 1)
    throw new OptionError("mixture: some components are distributions of numbers and some of vectors");
  return {
    size: all.length,
    family: all[0]!.family,
    params: entries((d) => d.family.params),
    given: entries((d) => d.given as Record<string, ParamValue>),
    support: (params) => all.map((d, i) => d.family.support(own(params, i))).reduce(joint),
    each: (params, rest, evaluate) => {
      const spread = (i: number): Spread => ({
        x: (x) => x,
        batch: (batch) => batch,
        key: (key) => key.site(`component ${i}`),
      });
      const parts = all.map((d, i) => evaluate(d.family, own(params, i), spread(i)));
      const zero = parts.slice(1).reduce((a, b) => a.add(b), parts[0]!);
      const at = zero.shape.length - rest;
      const column = [...zero.shape.slice(0, at), 1, ...zero.shape.slice(at)];
      return concat(parts.map((p) => p.broadcastTo(zero.shape).reshape(column)), at); // biome-ignore format: short
    },
  };
}

const least = (a: Bound, b: Bound): Bound =>
  typeof a === "number" && typeof b === "number" ? Math.min(a, b) : minimum<Tensor>(a as Tensor, b as Tensor);
const greatest = (a: Bound, b: Bound): Bound =>
  typeof a === "number" && typeof b === "number" ? Math.max(a, b) : maximum<Tensor>(a as Tensor, b as Tensor);

/** The least support of the kinds that there are which holds both. */
function joint(a: Support, b: Support): Support {
  const plain =
    a.kind === b.kind && !("low" in a) && !("high" in a) && a.kind !== "countVector" && a.kind !== "categories";
  if (plain) return a;
  const numbers = new Set(["real", "positive", "interval", "unitInterval", "above", "below"]);
  if (a.kind === "counts" && b.kind === "counts") {
    const high = a.high === null || b.high === null ? null : greatest(a.high, b.high);
    return { kind: "counts", low: Math.min(a.low, b.low), high };
  }
  if (!numbers.has(a.kind) || !numbers.has(b.kind)) {
    throw new OptionError(`mixture: a component with the support "${a.kind}" does not go with one of "${b.kind}"`);
  }
  const [p, q] = [endsOf(a), endsOf(b)];
  const low = p.low === null || q.low === null ? null : least(p.low, q.low);
  const high = p.high === null || q.high === null ? null : greatest(p.high, q.high);
  return between(low, high, { kind: "real" });
}

/** A support whose ends have an axis of components: from the least to the greatest of them. */
function hull(support: Support, overLast: boolean): Support {
  const reduced = (end: Bound | null, upper: boolean): Bound | null => {
    if (!(end instanceof Tensor) || !overLast || !end.shape.length) return end;
    return upper ? end.max(-1) : end.neg().max(-1).neg();
  };
  if (support.kind === "interval") {
    return { ...support, low: reduced(support.low, false)!, high: reduced(support.high, true)! };
  }
  if (support.kind === "above") return { ...support, low: reduced(support.low, false)! };
  if (support.kind === "below" || support.kind === "counts") {
    return { ...support, high: reduced(support.high, true) as Bound };
  }
  return support;
}

/** log w, and −∞ where w = 0 without a gradient that is not finite. */
const logWeights = (weights: Tensor): Tensor => where(weights.gt(0), where(weights.gt(0), weights, 1).log(), -Infinity);

function weightCount(weights: ParamValue): number | null {
  if (weights instanceof Tensor) return weights.shape.at(-1) ?? null;
  if (typeof weights === "number") return null;
  return Array.isArray(weights[0]) ? weights[0].length : weights.length;
}

/**
 * Σ_k weights_k p_k(x), the component summed out: either a list of distributions, or one whose parameters have the
 * components as their last axis.
 *
 *     mixture([0.3, 0.7], normal([-1, 2], [0.5, 1]))
 *     mixture(weights, [normal(0, 1), studentT(3)])
 *
 * @param weights  probabilities [..., components]
 * @throws OptionError where the numbers of weights and components differ, or supports or events do not go together
 */
export function mixture(weights: ParamValue, components: Distribution | readonly Distribution[]): Distribution {
  if ((weights ?? null) === null) throw new OptionError(`mixture: weights is ${weights}, but it must be probabilities`);
  const count = weightCount(weights);
  const list = "family" in components ? null : components;
  if (list && !list.length) throw new OptionError("mixture: there are no components");
  const all = list ? ofList(list) : ofOneFamily(components as Distribution, count);
  if (count !== all.size) {
    const shown = count === null ? "a number" : `${count} weights`;
    throw new OptionError(`mixture: ${shown} for ${all.size} components: give one weight for each, [..., ${all.size}]`);
  }
  const spec: ParamSpec = { support: simplex, rank: 1 };
  checkNumbers("mixture", "weights", spec, weights, "mixture(weights, components)");
  const { family: base } = all;
  const rank = base.eventRank;
  const families = list ? list.map((d) => d.family) : [base];
  const offered = <K extends keyof Family>(member: K): boolean => families.every((f) => f[member] !== null);
  /** Σ_k w_k f_k over the components */
  const average = (weights: Tensor, parts: Tensor): Tensor => parts.mul(weights).sum(-1);
  const logAverage = (weights: Tensor, logs: Tensor): Tensor => logs.add(logWeights(weights)).logsumexp(-1);
  const logProbability = (member: "logCdf" | "logSurvival") =>
    offered(member) && rank === 0
      ? (x: Tensor, params: Params) =>
          logAverage(
            params["weights"]!,
            all.each(params, 0, (f, p, spread) => f[member]!(spread.x(x, 0), p)),
          )
      : null;
  const means = (params: Params) => all.each(params, 0, (f, p) => f.mean!(p));
  return {
    family: family<string>({
      name: list ? "mixture" : `mixture of ${base.name}`,
      params: { weights: spec, ...all.params },
      eventRank: rank,
      eventShape: (params) => eventShapeOf(all, params),
      support: all.support,
      logProb: (x, params) =>
        logAverage(
          params["weights"]!,
          all.each(params, 0, (f, p, spread) => f.logProb(spread.x(x, rank), p)),
        ),
      // Every component is drawn, and one taken.
      sample: offered("sample")
        ? (key, params, batch) => {
            const chosen = chooseComponent(key.site("choice"), params["weights"]!, batch);
            const drawn = all.each(params, rank, (f, p, spread) =>
              f.sample!(spread.key(key.site("draw")), p, spread.batch(batch)),
            );
            const taken = chosen.reshape([...chosen.shape, ...Array<number>(rank).fill(1)]);
            return where(taken, drawn, 0).sum(batch.length);
          }
        : null,
      mean: offered("mean") && rank === 0 ? (params) => average(params["weights"]!, means(params)) : null,
      // E v + Var m
      variance:
        offered("mean") && offered("variance") && rank === 0
          ? (params) => {
              const weights = params["weights"]!;
              const m = means(params);
              const centre = average(weights, m);
              const spread = m.sub(centre.reshape([...centre.shape, 1])).square();
              return average(weights, all.each(params, 0, (f, p) => f.variance!(p)).add(spread));
            }
          : null,
      logCdf: logProbability("logCdf"),
      logSurvival: logProbability("logSurvival"),
    }),
    given: { weights, ...all.given },
  };
}

function eventShapeOf(all: Components, params: Params): Shape {
  let found: Shape | null = null;
  all.each(params, 0, (f, p) => {
    const shape = f.eventShape(p);
    if (found && showShape(found) !== showShape(shape)) {
      throw new OptionError(`mixture: events of shapes ${showShape(found)} and ${showShape(shape)} do not go together`);
    }
    found = shape;
    return params["weights"]!;
  });
  return found ?? [];
}

/** Which component each element has, as a bool of shape [...batch, components], by inverting the sum of the weights. */
function chooseComponent(key: Key<Tensor>, weights: Tensor, batch: Shape): Tensor {
  const size = weights.shape.at(-1)!;
  const upTo = cumsum(weights, -1);
  const total = upTo.narrow(-1, size - 1, 1);
  const u = uniform(key, batch, "f64")
    .reshape([...batch, 1])
    .mul(total);
  const index = u
    .ge(upTo)
    .cast("f64")
    .sum(-1)
    .minimum(size - 1);
  return iota(weights, [size], 0, "f64").eq(index.reshape([...index.shape, 1]));
}
