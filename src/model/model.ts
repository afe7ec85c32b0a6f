import { OptionError } from "../base/errors.ts";
import type { Trace } from "../ops/vocabulary.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { Context } from "./context.ts";
import { arrayData, type Numbers } from "./data.ts";
import type { TraceOptions } from "./frame.ts";
import type { TracedModel } from "./site.ts";
import { leaves, type Structure } from "./structure.ts";
import { traceText } from "./trace-text.ts";
import { chainWord } from "./words/chain.ts";
import { type Fixed, type FixedValue, givenWords } from "./words/given.ts";
import { plateWord } from "./words/plate.ts";
import { randomWords } from "./words/random.ts";
import { termWords } from "./words/terms.ts";

/** What a body may return: its quantities of interest, by name. */
export type Returned = Readonly<Record<string, Tensor>> | void;
export type ModelBody<D, R> = (context: Context, data: D) => R;

/** A joint density p(x, z; θ) as a program. Nothing runs until a method of inference traces it. */
export interface Model<D = unknown, R extends Returned = Returned> {
  readonly kind: "model";
  readonly body: ModelBody<D, R>;
  /** Values that sampled sites were given by `condition` and `intervene`. */
  readonly fixed: Fixed;
}

/**
 * A joint density as a program: `sample` what is unknown, `observe` the data.
 *
 *     const coin = model(({ sample, observe }, { flips }: { flips: Tensor }) => {
 *       const bias = sample("bias", beta(1, 1));
 *       observe("flips", bernoulli(bias), flips);
 *       return { bias };
 *     });
 *
 * Arrays of the data come as tensors, inputs of the compiled program, so that other data of the same shapes compile nothing
 * anew; single numbers come as numbers, so that they can be sizes.
 */
export function model<D = Record<string, never>, R extends Returned = Returned>(body: ModelBody<D, R>): Model<D, R> {
  if (typeof body !== "function") throw new OptionError("model takes a function, ({ sample, observe }, data) => …");
  return { kind: "model", body, fixed: {} };
}

function withFixed<D, R extends Returned>(
  given: Model<D, R>,
  how: FixedValue["how"],
  values: Readonly<Record<string, number | Numbers>>,
): Model<D, R> {
  const fixed = Object.fromEntries(
    Object.entries(values).map(([name, value]): [string, FixedValue] => {
      const array = typeof value === "number" ? { shape: [], values: Float64Array.of(value) } : arrayData(name, value);
      return [name, { how, ...array }];
    }),
  );
  return { ...given, fixed: { ...given.fixed, ...fixed } };
}

/**
 * The model with some of its sampled sites observed: their values are data from here on, and inform the others.
 *
 * @param values  by site name, of the shape [...plates, ...site]
 */
export const condition = <D, R extends Returned>(
  given: Model<D, R>,
  values: Readonly<Record<string, number | Numbers>>,
): Model<D, R> => withFixed(given, "condition", values);

/**
 * The model with some of its sampled sites set from outside, Pearl's do(x = value): what follows from them sees the value, and what
 * they follow from learns nothing by it.
 */
export const intervene = <D, R extends Returned>(
  given: Model<D, R>,
  values: Readonly<Record<string, number | Numbers>>,
): Model<D, R> => withFixed(given, "do", values);

/** All words of the language. */
const WORDS = [randomWords, plateWord, chainWord, termWords];

/** Runs a model's text once, to find its sites. */
export function traceModel<D>(b: Trace, { body, fixed }: Model<D>, data: D, options: TraceOptions = {}): TracedModel {
  const { frame, returned } = traceText(b, body, data, [...WORDS, givenWords(fixed)], options);
  if (returned instanceof Promise) {
    throw new OptionError(
      "the model's body is async: what it needs must come as data, since it is traced once and compiled",
    );
  }
  if (returned !== undefined && (typeof returned !== "object" || returned === null || returned instanceof Tensor)) {
    throw new OptionError("the model's body must return a record of tensors, as in return { mu, tau }, or nothing");
  }
  for (const name of Object.keys(fixed)) {
    if (frame.sites.some((site) => site.name === name)) continue;
    const sampled = frame.sites.filter((s) => s.kind === "sample").map((s) => s.name);
    throw new OptionError(`a value was given for "${name}", but the model samples ${sampled.join(", ") || "nothing"}`);
  }
  const named = returned as Readonly<Record<string, Structure>> | undefined;
  return {
    sites: frame.sites,
    chains: frame.chains,
    steps: frame.steps,
    returned: named
      ? Object.fromEntries(Object.entries(named).map(([name, value]) => [name, oneTensor(name, value)]))
      : null,
  };
}

function oneTensor(name: string, value: Structure): Tensor {
  const found = leaves(value, `the model's body, as ${name},`);
  if (found.length === 1) return found[0]!;
  throw new OptionError(`the model's body returned ${found.length} tensors as ${name}: give each a name of its own`);
}
