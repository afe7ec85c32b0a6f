import { OptionError, ShapeError } from "../base/errors.ts";
import { broadcastShapes, type Shape, sameShape, showShape } from "../base/shape.ts";
import { real, type Support } from "../constraints/support.ts";
import {
  asTensor,
  batchShape,
  type Distribution,
  type Params,
  type ParamValue,
  paramsOf,
} from "../distributions/distribution.ts";
import type { Trace } from "../ops/vocabulary.ts";
import { broadcastTo } from "../tensor/functions.ts";
import type { Key } from "../tensor/random.ts";
import { Tensor } from "../tensor/tensor.ts";
import { closeChain } from "./chain.ts";
import type { Frame, Tracing } from "./frame.ts";
import { closePlate } from "./plate.ts";
import type { Plate, RandomSite } from "./site.ts";
import type { Structure } from "./structure.ts";

export interface ParamOptions {
  /** A prior turns the estimate of maximum likelihood into that of maximum posterior density. */
  readonly prior?: Distribution;
  /** Where the parameter lies; default: the prior's support, or the real line. */
  readonly support?: Support;
  readonly shape?: Shape;
  /** Where an optimizer starts. */
  readonly initial?: number | readonly number[];
}

export interface PlateOptions {
  /** So many elements, drawn anew at each step of a stochastic fit, stand for the whole plate. */
  readonly batch?: number;
}

/** A value that a sampled site was given from outside: as data (`condition`), or by force (`do`: its distribution is cut off). */
export interface FixedValue {
  readonly how: "condition" | "do";
  readonly shape: Shape;
  readonly values: Float64Array;
}
export type Fixed = Readonly<Record<string, FixedValue>>;

/** What a model's text is written with. Names are those of the posterior. */
export interface Context {
  /** A latent quantity; with `shape`, so many independent ones. */
  sample(name: string, distribution: Distribution, shape?: Shape): Tensor;
  /** Data: the value's log density enters the joint one. Returns the value. */
  observe(name: string, distribution: Distribution, value: ParamValue): Tensor;
  /** A quantity θ to be estimated rather than integrated out, unless a family is put on it. */
  param(name: string, options?: ParamOptions): Tensor;
  /** `size` independent repetitions of a body that is written for one, which receives its index. Returns what it returned, stacked. */
  plate<S extends Structure>(name: string, size: number, body: (index: Tensor) => S): S;
  plate<S extends Structure>(name: string, size: number, options: PlateOptions, body: (index: Tensor) => S): S;
  /** `length` steps in time: each body receives the state before it and its step (from 0), and returns the next state. Returns all states but the initial one, stacked. */
  chain<S extends Structure>(name: string, length: number, initial: S, body: (previous: S, step: Tensor) => S): S;
  /** A named function of the others, to be reported. */
  deterministic(name: string, value: Tensor): Tensor;
  /** Adds to the log joint density. */
  factor(name: string, logWeight: Tensor): void;
}

const describe = (x: unknown): string =>
  x instanceof Tensor ? `a tensor ${showShape(x.shape)}` : typeof x === "function" ? "a function" : JSON.stringify(x) ?? String(x); // biome-ignore format: short

const isNumbers = (x: unknown): boolean => x instanceof Tensor || Array.isArray(x) || ArrayBuffer.isView(x);

const isDistribution = (d: unknown): d is Distribution => {
  const given = d as Partial<Distribution> | null;
  return !!given && typeof given === "object" && !!given.family && !!given.given;
};

/** The element of a given value that belongs to the plates and chains that are open. */
function elementOf(b: Trace, { shape, values }: FixedValue, frames: readonly Frame[], what: string): Tensor {
  const open = frames.filter((f) => f.index !== null);
  const sizes = open.map((f) => f.plate!.size);
  if (!sameShape(shape.slice(0, open.length), sizes)) {
    throw new ShapeError(`${what} has the shape ${showShape(shape)}; its site stands in plates of the sizes ${showShape(sizes)}, which come first`); // biome-ignore format: one sentence
  }
  const whole = asTensor(b, shape.length ? [...values] : values[0]!).reshape(shape);
  return open.reduce((value, f) => value.at(f.index!), whole);
}

function checkDistribution(call: string, d: unknown): asserts d is Distribution {
  if (isDistribution(d)) return;
  const hint = typeof d === "function" ? ": call it, as in normal(0, 1)" : "";
  throw new OptionError(`${call} takes a distribution, such as normal(0, 1), not ${describe(d)}${hint}`);
}

/** The context of one trace; `frame` is what it has recorded at the end. */
export function createContext(
  b: Trace,
  rng: Key<Tensor> | null,
  fixed: Fixed = {},
): { context: Context; frame: Frame } {
  const root: Frame = { plate: null, index: null, sites: [], chains: [], steps: [] };
  const frames: Frame[] = [root];
  const names = new Map<string, string>();
  const top = () => frames.at(-1)!;
  let count = 0;
  const tracing: Tracing = {
    b,
    rng,
    placeholder: (label, shape, dtype = "f64") => new Tensor(b, b.input(`${label}#${count++}`, dtype, shape)),
  };

  const claim = (kind: string, name: unknown): void => {
    if (typeof name !== "string" || name === "") {
      throw new OptionError(`${kind} takes its name first, a text that is not empty, not ${describe(name)}`);
    }
    const taken = names.get(name);
    if (taken) {
      throw new OptionError(
        `the site name "${name}" is used twice: by ${taken} and by ${kind}("${name}"). Each site needs a name of its own.`,
      );
    }
    names.set(name, `${kind}("${name}")`);
  };
  const ofTrace = (call: string, value: Tensor): Tensor => {
    if (value.trace === b) return value;
    throw new OptionError(
      `${call} was given a tensor of another model's trace. Use this body's own arguments; numbers from outside go in as data.`,
    );
  };

  const random = (
    kind: RandomSite["kind"],
    name: string,
    d: Distribution,
    place: (batch: Shape, event: Shape) => { value: Tensor; batch: Shape },
    initial: RandomSite["initial"] = null,
    restricted: Support | null = null,
  ): Tensor => {
    const call = `${kind}("${name}")`;
    checkDistribution(call, d);
    for (const value of Object.values(d.given)) if (value instanceof Tensor) ofTrace(call, value);
    const { family } = d;
    const params = located(call, () => paramsOf(b, d));
    const own = located(call, () => batchShape(family, params));
    const { value, batch } = place(own, family.eventShape(params));
    const logProb = located(call, () => family.logProb(value, params));
    top().sites.push({
      kind,
      name,
      plates: [],
      shape: value.shape,
      value,
      family,
      params: atBatch(family.params, params, batch),
      support: restricted ?? family.support(params),
      logProb,
      scale: 1,
      initial,
    });
    return value;
  };

  const latent = (call: string, name: string, shape: Shape | undefined) => (own: Shape, event: Shape) => {
    const batch = shape ?? own;
    const fits = broadcastShapes(own, batch);
    if (!fits || !sameShape(fits, batch)) {
      throw new ShapeError(
        `${call}: the shape ${showShape(batch)} was asked for, but its parameters have the batch shape ${showShape(own)}`,
      );
    }
    return { value: tracing.placeholder(`site.${name}`, [...batch, ...event]), batch };
  };

  const inside = <S>(plate: Plate, index: Tensor, body: () => S): { frame: Frame; returned: S } => {
    const frame: Frame = { plate, index, sites: [], chains: [], steps: [] };
    frames.push(frame);
    try {
      return { frame, returned: body() };
    } finally {
      frames.pop();
    }
  };
  const checkSize = (call: string, size: unknown): void => {
    if (Number.isInteger(size) && (size as number) >= 1) return;
    const hint = size instanceof Tensor ? ": take the size of a data array, as in y.shape[0]" : "";
    throw new OptionError(`${call} takes a size, an integer of at least 1, not ${describe(size)}${hint}`);
  };

  const context: Context = {
    sample(name, d, shape) {
      claim("sample", name);
      const given = Object.hasOwn(fixed, name) ? fixed[name]! : null;
      if (given) {
        const value = elementOf(b, given, frames, `the value given for "${name}"`);
        if (given.how === "do") {
          checkDistribution(`sample("${name}")`, d);
          top().sites.push({ kind: "deterministic", name, plates: [], shape: value.shape, value });
          return value;
        }
        const rank = isDistribution(d) ? d.family.eventRank : 0;
        const batch = (shape ?? []).length;
        if (shape && value.shape.length < batch + rank) {
          throw new ShapeError(
            `the value given for "${name}" has the shape ${showShape(given.shape)}, but sample("${name}") has the shape ${showShape(shape)}`,
          );
        }
        return random("observe", name, d, () => ({ value, batch: value.shape.slice(0, value.shape.length - rank) }));
      }
      return random("sample", name, d, latent(`sample("${name}")`, name, shape));
    },
    observe(name, d, given) {
      claim("observe", name);
      const call = `observe("${name}")`;
      if (given === undefined || given === null) {
        throw new OptionError(`${call} needs a value as its third argument: it was given ${describe(given)}`);
      }
      if (typeof given === "string" || (typeof given === "object" && !isNumbers(given))) {
        throw new OptionError(`${call} takes numbers or a tensor as its third argument, not ${describe(given)}`);
      }
      const value = given instanceof Tensor ? ofTrace(call, given) : asTensor(b, given);
      const f64 = value.dtype === "f64" ? value : value.cast("f64");
      return random("observe", name, d, (own, event) => {
        const rank = event.length;
        const batch = f64.shape.slice(0, f64.shape.length - rank);
        const joint = f64.shape.length >= rank ? broadcastShapes(own, batch) : null;
        if (!joint || !sameShape(f64.shape.slice(f64.shape.length - rank), event)) {
          throw new ShapeError(
            `${call}: a value of shape ${showShape(f64.shape)} for a ${d.family.name} of batch shape ${showShape(own)}` +
              `${rank ? ` and event shape ${showShape(event)}` : ""}`,
          );
        }
        return { value: broadcastTo(f64, [...joint, ...event]), batch: joint };
      });
    },
    param(name, options = {}) {
      claim("param", name);
      const { prior, support, shape, initial = null } = options;
      if (Object.hasOwn(fixed, name)) {
        const value = elementOf(b, fixed[name]!, frames, `the value given for "${name}"`);
        top().sites.push({ kind: "deterministic", name, plates: [], shape: value.shape, value });
        return value;
      }
      if (prior) {
        return random("param", name, prior, latent(`param("${name}")`, name, shape), initial, support ?? null);
      }
      const value = tracing.placeholder(`site.${name}`, shape ?? []);
      top().sites.push({
        kind: "param",
        name,
        plates: [],
        shape: value.shape,
        value,
        family: null,
        params: {},
        support: support ?? real,
        logProb: null,
        scale: 1,
        initial,
      });
      return value;
    },
    plate<S extends Structure>(name: string, size: number, ...rest: readonly unknown[]): S {
      claim("plate", name);
      const [options, body] = (rest.length > 1 ? rest : [{}, rest[0]]) as [PlateOptions, (index: Tensor) => S];
      const call = `plate("${name}")`;
      checkSize(call, size);
      if (typeof body !== "function") throw new OptionError(`${call} takes a body, (i) => …, not ${describe(body)}`);
      const { batch } = options;
      if (batch !== undefined && !(Number.isInteger(batch) && batch >= 1 && batch <= size)) {
        throw new OptionError(
          `${call}: batch is ${describe(batch)}, but it must be an integer from 1 to its size, ${size}`,
        );
      }
      const plate: Plate = { name, kind: "plate", size };
      const index = tracing.placeholder(`plate.${name}`, [], "u32");
      const { frame, returned } = inside(plate, index, () => body(index));
      return closePlate(tracing, top(), frame, { index, returned, batch: batch ?? null });
    },
    chain(name, length, initial, body) {
      claim("chain", name);
      checkSize(`chain("${name}")`, length);
      if (typeof body !== "function") {
        throw new OptionError(
          `chain("${name}") takes (name, length, initial state, body), and its body is ${describe(body)}`,
        );
      }
      const plate: Plate = { name, kind: "chain", size: length };
      return closeChain(tracing, top(), plate, initial, (previous, step) =>
        inside(plate, step, () => body(previous, step)),
      );
    },
    deterministic(name, value) {
      claim("deterministic", name);
      if (!(value instanceof Tensor))
        throw new OptionError(`deterministic("${name}") takes a tensor, not ${describe(value)}`);
      ofTrace(`deterministic("${name}")`, value);
      top().sites.push({ kind: "deterministic", name, plates: [], shape: value.shape, value });
      return value;
    },
    factor(name, logWeight) {
      claim("factor", name);
      if (!(logWeight instanceof Tensor))
        throw new OptionError(`factor("${name}") takes a tensor, not ${describe(logWeight)}`);
      const value = ofTrace(`factor("${name}")`, logWeight);
      top().sites.push({ kind: "factor", name, plates: [], shape: value.shape, value, logProb: value, scale: 1 });
    },
  };
  return { context, frame: root };
}

/** Runs what belongs to a site, and lets its errors say which. */
function located<T>(call: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof ShapeError && !error.message.startsWith(call)) error.message = `${call}: ${error.message}`;
    throw error;
  }
}

/** Parameters repeated to the site's whole batch shape, so that plates can lift them beside the value. */
function atBatch(specs: Readonly<Record<string, { rank: number }>>, params: Params, batch: Shape): Params {
  return Object.fromEntries(
    Object.entries(params).map(([name, value]) => {
      const rank = specs[name]?.rank ?? 0;
      return [name, broadcastTo(value, [...batch, ...value.shape.slice(value.shape.length - rank)])];
    }),
  );
}
