import { OptionError, ShapeError } from "../base/errors.ts";
import { type Shape, sizeOf } from "../base/shape.ts";
import { bijectorTo } from "../constraints/bijector.ts";
import { isDiscrete, type Support } from "../constraints/support.ts";
import type { Buffer, Runtime, TensorSpec } from "../engine/runtime.ts";
import { checkEscapes } from "../model/check-escapes.ts";
import { type ArrayData, arrayData, type DataFor, isArray } from "../model/data.ts";
import { sumOut } from "../model/enumerate.ts";
import type { TraceOptions } from "../model/frame.ts";
import { type Model, type Returned, traceModel } from "../model/model.ts";
import { plateSizes, type RandomSite, type TracedModel } from "../model/site.ts";
import { Assignment, latentSites, sumTerms, type Term, termsOf } from "../model/terms.ts";
import { createTrace } from "../ops/trace.ts";
import { f32, f64 } from "../program/program.ts";
import { full } from "../tensor/functions.ts";
import type { Key } from "../tensor/random.ts";
import { Tensor } from "../tensor/tensor.ts";
import { checkFactors } from "./check-factors.ts";
import { checkIndices } from "./check-indices.ts";
import { indexText } from "./index-text.ts";
import { withoutMissing } from "./missing.ts";
import { runtimeOf } from "./runtime.ts";
import type { Target } from "./target.ts";

/** Where a continuous latent site lies in the unconstrained vector. */
export interface Coordinates {
  readonly name: string;
  readonly kind: "sample" | "param";
  readonly offset: number;
  readonly size: number;
  readonly unconstrainedShape: Shape;
  /** Of the site's value, plates included. */
  readonly shape: Shape;
  readonly support: Support;
  readonly initial: number | readonly number[] | null;
}

export type Inputs = Readonly<Record<string, Tensor>>;

/** A model traced at some data, with values for its latent sites. */
export interface Realised {
  readonly model: TracedModel;
  /** The addends of the log joint, discrete sites summed out. */
  readonly terms: readonly Term[];
  readonly assignment: Assignment;
  /** Σ log |d constrained / d unconstrained| over the sampled sites, and over the parameters. */
  readonly logJacobian: Tensor;
  readonly paramLogJacobian: Tensor;
  /** Values of the continuous latent sites. */
  readonly values: Readonly<Record<string, Tensor>>;
}

/** A model with its data: what all methods of inference start from. */
export interface Problem<R extends Returned = Returned> extends Target {
  readonly model: Model<never, R>;
  readonly coordinates: readonly Coordinates[];
  /** The sites as they were traced for the layout; their tensors belong to no program. */
  readonly layout: TracedModel;
  readonly arrays: Readonly<Record<string, ArrayData>>;
  /**
   * log p(x, z; θ) for estimating θ: θ counts on its own scale, without a Jacobian; by "ml" without its prior, by "map" with it.
   */
  logJoint(unconstrained: Tensor, inputs: Inputs, estimate: "ml" | "map"): Tensor;
  /** Of the traced model. */
  readonly dtype: "f32" | "f64";
  /** The model's text run in the trace of `like`. */
  trace(like: Tensor, inputs: Inputs, options?: Pick<TraceOptions, "rng" | "rows">): TracedModel;
  /** The model's text run in the trace of `unconstrained`, and its latent sites given the values that this stands for. */
  realise(unconstrained: Tensor, inputs: Inputs, rng?: Key<Tensor>): Realised;
}

export interface ProblemOptions {
  readonly runtime?: Runtime;
  /** The same bits on every machine. */
  readonly deterministic?: boolean;
  /** Of the arithmetic inside the model. Sums over its terms, and what is estimated of them, are f64 all the same. Default f64. */
  readonly dtype?: "f32" | "f64";
}

/**
 * Reads the data, traces the model once to learn its sites, and lays them out as one unconstrained vector.
 *
 * @param options.skipMissing  whether observed values that are NaN count for nothing in the log density
 * @throws OptionError, ShapeError, DataError, SupportError as the model's text or the data have it
 */
export async function problemOf<D, R extends Returned>(
  model: Model<D, R>,
  given: DataFor<D>,
  options: ProblemOptions & { readonly skipMissing?: boolean } = {},
): Promise<Problem<R>> {
  if ((model as Partial<Model> | null)?.kind !== "model") {
    throw new OptionError("this takes a model first: model(({ sample, observe }, data) => …)");
  }
  const fields = new DataFields((given ?? {}) as Readonly<Record<string, unknown>>);
  const { dtype = "f64" } = options;
  const b = createTrace();
  const record = fields.record((name, { shape }) => new Tensor(b, b.input(`data.${name}`, dtype, shape)));
  let layout: TracedModel;
  try {
    layout = traceModel(b, model as Model<unknown>, record, { dtype });
  } catch (error) {
    throw fields.explained(error);
  }
  checkEscapes(layout);
  checkFactors(layout);
  checkIndices(layout, fields.arrays);
  const coordinates = coordinatesOf(layout);
  const runtime = options.runtime ?? (await runtimeOf(layout));
  const { arrays } = fields;
  const inputs: Record<string, TensorSpec> = {};
  const data: Record<string, Buffer> = {};
  for (const [name, { shape, values }] of Object.entries(arrays)) {
    inputs[`data.${name}`] = (dtype === "f32" ? f32 : f64)(shape);
    data[`data.${name}`] = runtime.buffer(dtype, shape, values);
  }
  const dim = coordinates.reduce((n, c) => n + c.size, 0);

  const trace: Problem["trace"] = (like, all, given = {}) =>
    traceModel(
      like.trace,
      model as Model<unknown>,
      fields.record((name) => all[`data.${name}`]!),
      { ...given, dtype },
    );

  const realise = (unconstrained: Tensor, all: Inputs, rng?: Key<Tensor>): Realised => {
    const raw = trace(unconstrained, all, { rng });
    const traced = options.skipMissing ? withoutMissing(raw, arrays, all) : raw;
    const terms = sumOut(unconstrained.trace, traced, termsOf(traced));
    const assignment = new Assignment(traced);
    const values: Record<string, Tensor> = {};
    const jacobians = { sample: [] as Tensor[], param: [] as Tensor[] };
    const sites = new Map(latentSites(traced).map((site) => [site.name, site]));
    for (const { name, kind, offset, size, unconstrainedShape, shape } of coordinates) {
      const site = sites.get(name)!;
      const u = unconstrained.narrow(0, offset, size).reshape(unconstrainedShape).cast(dtype);
      const bijector = bijectorTo(boundedBy(site, assignment));
      const value = bijector.forward(u).broadcastTo(shape);
      if (site.support.kind !== "real") jacobians[kind].push(bijector.logJacobian(u, value).sum());
      assignment.set(site, value);
      values[name] = value;
    }
    assignment.closeChains();
    const total = (parts: readonly Tensor[]) =>
      parts.reduce((sum, x) => sum.add(x.cast("f64")), full(unconstrained, [], 0));
    const [logJacobian, paramLogJacobian] = [total(jacobians.sample), total(jacobians.param)];
    return { model: traced, terms, assignment, logJacobian, paramLogJacobian, values };
  };

  let names: readonly string[] | null = null;
  return {
    dim,
    // Made when they are asked for: there may be a million.
    get names() {
      names ??= coordinates.flatMap(coordinateNames);
      return names;
    },
    runtime,
    deterministic: options.deterministic ?? false,
    dtype,
    inputs,
    data,
    model: model as unknown as Model<never, R>,
    coordinates,
    layout,
    arrays,
    trace,
    realise,
    logDensity: (unconstrained, all, rng) => {
      const realised = realise(unconstrained, all, rng);
      return sumOfTerms(realised, unconstrained).add(realised.logJacobian).add(realised.paramLogJacobian);
    },
    logJoint: (unconstrained, all, estimate) => {
      const realised = realise(unconstrained, all);
      const terms = estimate === "map" ? realised.terms : realised.terms.filter((t) => t.kind !== "param");
      return sumOfTerms({ ...realised, terms }, unconstrained).add(realised.logJacobian);
    },
  };
}

/** The log joint at the values of a realised model. */
export function sumOfTerms({ terms, assignment }: Pick<Realised, "terms" | "assignment">, like: Tensor): Tensor {
  const logProbs = assignment.of(terms.map((t) => t.logProb));
  return sumTerms(terms.map((t, i) => ({ ...t, logProb: logProbs[i]! })), like); // biome-ignore format: one line
}

/** A site's support with its bounds at the values that earlier sites have. */
export function boundedBy({ support }: RandomSite, assignment: Assignment): Support {
  const changed = Object.entries(support).map(([key, part]) => [
    key,
    part instanceof Tensor ? assignment.of([part])[0]! : part,
  ]);
  return Object.fromEntries(changed) as unknown as Support;
}

/** The data as the model's text reads it; arrays are converted when they are read, and only those become inputs. */
class DataFields {
  readonly arrays: Record<string, ArrayData> = Object.create(null);
  private readonly given: Readonly<Record<string, unknown>>;

  constructor(given: Readonly<Record<string, unknown>>) {
    this.given = given;
  }

  /** What the model's text stumbled over may be a field that is no array. */
  explained(error: unknown): unknown {
    const single = Object.entries(this.given).filter(([, value]) => value === null || (typeof value !== "object" && typeof value !== "function")); // biome-ignore format: one line
    if (!(error instanceof TypeError) || !/of undefined|of null|is not a function/.test(error.message) || !single.length) return error; // biome-ignore format: one line
    const shown = single.map(([name, value]) => `${name} = ${JSON.stringify(value)}`).join(", ");
    error.message += `. Of the data these are no arrays, and are given to the model as they are: ${shown}. Where it wants an array, give one.`;
    return error;
  }

  record(tensor: (name: string, array: ArrayData) => Tensor): never {
    return new Proxy(this.given, {
      get: (given, key) => {
        if (typeof key === "symbol") return undefined;
        if (!Object.hasOwn(given, key)) {
          const known = Object.keys(given).join(", ") || "nothing";
          throw new OptionError(
            `the model reads data.${key}, but the data hold ${known}. Give it, or rename it in the model.`,
          );
        }
        const value = given[key];
        if (!isArray(value)) {
          if (typeof value === "number" && Number.isNaN(value)) throw new OptionError(`data.${key} is NaN`);
          return typeof value === "boolean" ? Number(value) : value;
        }
        this.arrays[key] ??= arrayData(key, value);
        return tensor(key, this.arrays[key]);
      },
    }) as never;
  }
}

function coordinatesOf(layout: TracedModel): Coordinates[] {
  let offset = 0;
  return latentSites(layout)
    .filter((site) => !isDiscrete(site.support))
    .map((site) => {
      const { name, support, initial } = site;
      const shape = [...plateSizes(site.plates), ...site.shape];
      const { eventRank, unconstrainedShape } = bijectorTo(support);
      const at = shape.length - eventRank;
      if (at < 0) {
        throw new ShapeError(
          `${site.kind}("${name}") is a single number, but its support (${support.kind}) is one of ${eventRank === 1 ? "vectors" : "matrices"}: give it a shape`,
        );
      }
      const own = [...shape.slice(0, at), ...unconstrainedShape(shape.slice(at))];
      const size = sizeOf(own);
      const made = {
        name,
        kind: site.kind as "sample" | "param",
        offset,
        size,
        unconstrainedShape: own,
        shape,
        support,
        initial,
      };
      offset += size;
      return made;
    });
}

const prefixes: Partial<Record<Support["kind"], string>> = { positive: "log ", above: "log ", below: "log ", unitInterval: "logit ", interval: "logit " }; // biome-ignore format: a table

/** `log tau`, `theta[3]`: names of a site's unconstrained coordinates, counted from 1. */
function coordinateNames({ name, size, unconstrainedShape, support }: Coordinates): string[] {
  const prefix = prefixes[support.kind] ?? "";
  if (unconstrainedShape.length === 0) return [prefix + name];
  return Array.from({ length: size }, (_, i) => `${prefix}${name}[${indexText(i, unconstrainedShape)}]`);
}
