import { OptionError, ShapeError } from "../base/errors.ts";
import { broadcastShapes, type Shape, showShape } from "../base/shape.ts";
import type { Support } from "../constraints/support.ts";
import type { Trace } from "../ops/vocabulary.ts";
import { concat, full, reshape, where } from "../tensor/functions.ts";
import type { Key } from "../tensor/random.ts";
import { Tensor } from "../tensor/tensor.ts";

/** What a parameter may be given as. Arrays are constants of the model; what changes from fit to fit is data. */
export type ParamValue = Tensor | number | readonly number[] | readonly (readonly number[])[];
export type Params<P extends string = string> = Readonly<Record<P, Tensor>>;
export type Given<P extends string = string> = Readonly<Record<P, ParamValue>>;

export interface ParamSpec {
  /** Where its values must lie; numbers are checked at once. */
  readonly support: Support;
  /**
   * Axes of one event's parameter: 0 for a number, 1 for a vector, 2 for a matrix; one more where a wrapper has
   * components.
   */
  readonly rank: number;
  /** Used where the call leaves it out. */
  readonly default?: number;
}

/** How a draw depends on the parameters. `implicit` gradients: Figurnov, Mohamed and Mnih 2018. */
export type Reparameterisation = "explicit" | "implicit" | null;

/**
 * One family of distributions: all that a row of it means. Parameters come as tensors of shape [...batch, ...its
 * rank]; batch shapes broadcast. `null` says "not offered".
 */
export interface Family<P extends string = string> {
  readonly name: string;
  /** In the order of the call. */
  readonly params: Readonly<Record<P, ParamSpec>>;
  /** Whether it is for data alone, because its draws pile up at places where no density can hold them. */
  readonly observedOnly?: boolean;
  /** Axes of one draw. */
  readonly eventRank: 0 | 1 | 2;
  /** Shape of one draw; [] where eventRank is 0. */
  eventShape(params: Params<P>): Shape;
  support(params: Params<P>): Support;
  /** Of positive numbers: whether the density at 0 is what it is beside 0, so that rounded data may be 0. */
  readonly holdsZero?: boolean;
  /** Log density or log probability in nats of x [...batch, ...event], shape [...batch]. */
  logProb(x: Tensor, params: Params<P>): Tensor;
  /** Independent draws, [...batch, ...event]; the parameters broadcast to `batch`. */
  readonly sample: ((key: Key<Tensor>, params: Params<P>, batch: Shape) => Tensor) | null;
  readonly reparameterised: Reparameterisation;
  readonly mean: ((params: Params<P>) => Tensor) | null;
  readonly variance: ((params: Params<P>) => Tensor) | null;
  /** log P(X ≤ x), and log P(X > x), both exact in the tails: what truncation stands on. */
  readonly logCdf: ((x: Tensor, params: Params<P>) => Tensor) | null;
  readonly logSurvival: ((x: Tensor, params: Params<P>) => Tensor) | null;
  /**
   * x with log P(X ≤ x) = l, and with log P(X > x) = l: exact where the probability itself is too small or too near to
   * 1 to be held.
   */
  readonly fromLogCdf: ((l: Tensor, params: Params<P>) => Tensor) | null;
  readonly fromLogSurvival: ((l: Tensor, params: Params<P>) => Tensor) | null;
  /** Where the distribution is a Gaussian: its mean and log sd, for divergences in closed form. */
  readonly gaussian: ((params: Params<P>) => { readonly mean: Tensor; readonly logSd: Tensor }) | null;
  /** x with P(X ≤ x) = p. */
  readonly quantile: ((p: Tensor, params: Params<P>) => Tensor) | null;
}

/** A family with its parameters: what `normal(0, 5)` gives. It belongs to no trace until it is bound to one. */
export interface Distribution<P extends string = string> {
  readonly family: Family<P>;
  readonly given: Given<P>;
}

type Row<P extends string> = Pick<Family<P>, "name" | "params" | "support" | "logProb"> &
  Partial<Family<P>> & {
    /** What is wrong with the parameters together; null where nothing is. */
    readonly check?: (given: Given<P>) => string | null;
  };
type Arguments<P extends string> = readonly ParamValue[] | readonly [Partial<Given<P>>];

const isRecord = (x: unknown): x is Record<string, ParamValue> => {
  if (typeof x !== "object" || x === null || Array.isArray(x) || x instanceof Tensor) return false;
  refuseOtherCopy(x);
  return true;
};

/** @throws OptionError where an object is a Tensor of a copy of this package that is loaded beside this one */
export function refuseOtherCopy(x: unknown): void {
  if ((x as object | undefined)?.constructor?.name === "Tensor") {
    throw new OptionError(
      "a Tensor of another copy of ansatz: two are loaded. `npm ls ansatz` shows where from; let the bundler dedupe them.",
    );
  }
}

/** A family from its row; what the row leaves out is not offered, and one draw is one number. */
export function family<P extends string>(row: Row<P>): Family<P> {
  const { check: _, ...members } = row;
  const { fromLogCdf, fromLogSurvival } = row;
  return {
    eventRank: 0,
    eventShape: () => [],
    sample: null,
    reparameterised: null,
    mean: null,
    variance: null,
    logCdf: null,
    gaussian: null,
    logSurvival: null,
    fromLogCdf: null,
    fromLogSurvival: null,
    quantile:
      fromLogCdf && fromLogSurvival
        ? (p, params) => {
            const lower = p.le(0.5);
            const below = fromLogCdf(where(lower, p, 0.5).log(), params);
            return where(lower, below, fromLogSurvival(where(lower, 0.5, p).neg().log1p(), params));
          }
        : null,
    ...members,
  };
}

export type Callable<P extends string> = Family<P> & ((...args: Arguments<P>) => Distribution<P>);

/**
 * A distribution by its row: what is returned is called with the parameters in their order or by name, and has the
 * members of the row.
 *
 *     const d = normal(0, 5);              // or normal({ mean: 0, sd: 5 })
 *
 * @throws OptionError from the call: a parameter that is missing, unknown, or outside its support
 */
export function distribution<P extends string>(row: Row<P>): Callable<P> {
  const made = family(row);
  const call = (...args: Arguments<P>): Distribution<P> => {
    const given = readParams(made, args);
    const wrong = row.check?.(given);
    if (wrong) throw new OptionError(`${row.name}: ${wrong}`);
    return { family: made, given };
  };
  const { name, ...members } = made;
  Object.defineProperty(call, "name", { value: name });
  return Object.assign(call, members) as Callable<P>;
}

/**
 * One distribution under several parameterisations: by position it takes those of the first, by name those that the
 * names belong to: `bernoulli(0.3)`, `bernoulli({ logits })`.
 */
export function parameterisations<P extends string, Q extends readonly string[]>(
  first: Callable<P>,
  ...others: { readonly [I in keyof Q]: Callable<Q[I]> }
): Callable<P> & ((args: { readonly [I in keyof Q]: Given<Q[I]> }[number]) => Distribution<Q[number]>) {
  const all = [first, ...others] as unknown as Callable<string>[];
  const call = (...args: readonly ParamValue[]): Distribution => {
    const only = (args as readonly unknown[]).find(isRecord);
    if (!only) return all[0]!(...args);
    const names = Object.keys(only);
    const fits = args.length === 1 && all.find((f) => names.every((name) => name in f.params));
    if (fits) return fits(only);
    const known = all.map((f) => `{ ${Object.keys(f.params).join(", ")} }`).join(" or ");
    const beside = args.length > 1 ? " beside others without a name: give all of" : ": give";
    throw new OptionError(`${first.name} does not take { ${names.join(", ")} }${beside} ${known}`);
  };
  const { name, ...members } = first as unknown as Record<string, unknown>;
  Object.defineProperty(call, "name", { value: first.name });
  return Object.assign(call, members) as never;
}

function readParams<P extends string>(f: Family<P>, args: Arguments<P>): Given<P> {
  const names = Object.keys(f.params) as P[];
  const usage = `${f.name}(${names.map((n) => (f.params[n].default === undefined ? n : `${n} = ${f.params[n].default}`)).join(", ")})`;
  const byName = args.length === 1 && isRecord(args[0]) ? (args[0] as Partial<Given<P>>) : null;
  if (byName) {
    for (const name of Object.keys(byName)) {
      if (!names.includes(name as P)) throw new OptionError(`${f.name} has no parameter "${name}": ${usage}`);
    }
  } else if ((args as readonly unknown[]).some(isRecord)) {
    throw new OptionError(`${f.name} takes all its parameters by position or all by name: ${usage}`);
  } else if (args.length > names.length) {
    throw new OptionError(`${f.name} takes ${names.length} parameters, not ${args.length}: ${usage}`);
  }
  const given: Partial<Record<P, ParamValue>> = {};
  for (const [i, name] of names.entries()) {
    const value = byName ? byName[name] : (args as readonly ParamValue[])[i];
    const isGiven = byName ? Object.hasOwn(byName, name) : i < args.length;
    // A default is for what the call leaves out: what is there and undefined is mostly a misspelt name.
    if (isGiven && (value ?? null) === null) throw new OptionError(`${f.name}: ${name} is ${value}. Usage: ${usage}`);
    const used = value ?? f.params[name].default;
    if (used === undefined) throw new OptionError(`${f.name} needs "${name}": ${usage}`);
    checkNumbers(f.name, name, f.params[name], used, usage);
    given[name] = used;
  }
  return given as Given<P>;
}

/** What is wrong with one number as an element of a support; null where nothing is. */
function fault(x: number, support: Support): string | null {
  if (typeof x !== "number" || Number.isNaN(x)) return "a number";
  switch (support.kind) {
    case "positive":
      return x > 0 ? null : "a number above 0";
    case "unitInterval":
      return x >= 0 && x <= 1 ? null : "a number from 0 to 1";
    case "counts":
      return Number.isInteger(x) && x >= support.low ? null : `an integer of at least ${support.low}`;
    case "above":
      return typeof support.low !== "number" || x > support.low ? null : `a number above ${support.low}`;
    default:
      return null;
  }
}

/** @throws OptionError where a number of a parameter lies outside its support */
export function checkNumbers(family: string, name: string, spec: ParamSpec, value: ParamValue, usage: string): void {
  if (value instanceof Tensor) return;
  for (const x of [value].flat(2)) {
    refuseOtherCopy(x);
    const wanted = fault(x, spec.support);
    if (wanted)
      throw new OptionError(
        `${family}: ${name} is ${typeof x === "string" ? JSON.stringify(x) : x}, but it must be ${wanted}. Usage: ${usage}`,
      );
  }
  if (spec.support.kind === "simplex" && Array.isArray(value)) {
    const rows = (Array.isArray(value[0]) ? value : [value]) as readonly (readonly number[])[];
    for (const row of rows) {
      const sum = row.reduce((a, b) => a + b, 0);
      if (Math.abs(sum - 1) > 1e-6 || row.some((p) => p < 0)) {
        throw new OptionError(`${family}: ${name} = [${row.join(", ")}] are no probabilities: they sum to ${sum}`);
      }
    }
  }
}

/** Different numbers that a text may hold: thousands compile for seconds. */
const MOST_CONSTANTS = 5000;

/** A constant of the trace from a number or (nested) array; a tensor as it is, in the given dtype. */
export function asTensor(trace: Trace, value: ParamValue, dtype: "f32" | "f64" = "f64"): Tensor {
  if (value instanceof Tensor) return value.dtype === dtype ? value : value.cast(dtype);
  const scalar = (x: number): Tensor => new Tensor(trace, trace.constant(x, dtype));
  if (typeof value === "number") return scalar(value);
  const rows = Array.from(value as ArrayLike<number | ArrayLike<number>>, (x) => (typeof x === "number" ? x : Array.from(x))); // biome-ignore format: one line
  const shape = Array.isArray(rows[0]) ? [rows.length, rows[0].length] : [rows.length];
  const flat = rows.flat();
  if (flat.length !== shape.reduce((a, b) => a * b, 1)) {
    throw new ShapeError(`a nested array whose rows have different lengths is not a matrix: [${value.join("; ")}]`);
  }
  const like = scalar(0);
  if (flat.every((x) => x === flat[0])) return full(like, shape, flat[0] ?? 0);
  if (flat.length > MOST_CONSTANTS) {
    throw new OptionError(
      `${flat.length} numbers from outside the model's data would each become a part of the program: pass them as data`,
    );
  }
  return reshape(concat(flat.map((x) => reshape(scalar(x), [1])), 0), shape); // biome-ignore format: short
}

/** A distribution's parameters as tensors of one trace. */
export function paramsOf(trace: Trace, d: Distribution, dtype?: "f32" | "f64"): Params {
  return Object.fromEntries(Object.entries(d.given).map(([name, value]) => [name, asTensor(trace, value, dtype)]));
}

/**
 * The batch shape that the parameters broadcast to.
 *
 * @throws ShapeError naming the parameters that do not go together
 */
export function batchShape(f: Family, params: Params): Shape {
  let batch: Shape = [];
  for (const [name, { rank }] of Object.entries(f.params)) {
    const { shape } = params[name]!;
    if (shape.length < rank) {
      const wanted = rank === 1 ? "a vector" : "a matrix";
      throw new ShapeError(`${f.name}: ${name} has shape ${showShape(shape)}, but one event needs ${wanted}`);
    }
    const joint = broadcastShapes(batch, shape.slice(0, shape.length - rank));
    if (!joint) {
      const shown = Object.keys(f.params).map((n) => `${n} ${showShape(params[n]!.shape)}`).join(", "); // biome-ignore format: short
      throw new ShapeError(`${f.name}: its parameters do not broadcast: ${shown}`);
    }
    batch = joint;
  }
  return batch;
}
