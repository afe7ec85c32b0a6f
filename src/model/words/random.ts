import { OptionError, ShapeError } from "../../base/errors.ts";
import { broadcastShapes, type Shape, sameShape, showShape } from "../../base/shape.ts";
import { real, type Support } from "../../constraints/support.ts";
import { asTensor, batchShape, type Distribution, type Params, paramsOf } from "../../distributions/distribution.ts";
import { broadcastTo } from "../../tensor/functions.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { describe, type Recording, type Words } from "../recording.ts";
import type { RandomSite } from "../site.ts";

const isNumbers = (x: unknown): boolean => x instanceof Tensor || Array.isArray(x) || ArrayBuffer.isView(x);

export const isDistribution = (d: unknown): d is Distribution => {
  const given = d as Partial<Distribution> | null;
  return !!given && typeof given === "object" && !!given.family && !!given.given;
};

export function checkDistribution(call: string, d: unknown): asserts d is Distribution {
  if (isDistribution(d)) return;
  const hint = typeof d === "function" ? ": call it, as in normal(0, 1)" : "";
  throw new OptionError(`${call} takes a distribution, such as normal(0, 1), not ${describe(d)}${hint}`);
}

/** Writes a random site down; `place` makes its value where the shapes are known. */
export function randomSite(
  recording: Recording,
  kind: RandomSite["kind"],
  name: string,
  d: Distribution,
  place: (batch: Shape, event: Shape) => { value: Tensor; batch: Shape },
  { initial = null, initialise = null }: Partial<Pick<RandomSite, "initial" | "initialise">> = {},
  restricted: Support | null = null,
): Tensor {
  const { b, dtype, ofTrace, top } = recording;
  const call = `${kind}("${name}")`;
  checkDistribution(call, d);
  for (const value of Object.values(d.given)) if (value instanceof Tensor) ofTrace(call, value);
  const { family } = d;
  const params = located(call, () => paramsOf(b, d, dtype));
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
    copies: null,
    initial,
    initialise,
  });
  return value;
}

/** The words for what is random: `sample`, `observe` and `param`. */
export const randomWords: Words = (recording) => {
  const { dtype, claim, ofTrace, placeholder, top, b } = recording;
  const latent = (call: string, name: string, shape: Shape | undefined) => (own: Shape, event: Shape) => {
    if (shape && !(Array.isArray(shape) && shape.every((n) => Number.isInteger(n) && n >= 0))) {
      throw new ShapeError(`${call} takes a shape, such as [3] or [y.shape[0]], not ${describe(shape)}`);
    }
    const batch = shape ?? own;
    const fits = broadcastShapes(own, batch);
    if (!fits || !sameShape(fits, batch)) {
      throw new ShapeError(
        `${call}: the shape ${showShape(batch)} was asked for, but its parameters have the batch shape ${showShape(own)}`,
      );
    }
    return { value: placeholder(`site.${name}`, [...batch, ...event]), batch };
  };

  return {
    sample(name, d, shape) {
      claim("sample", name);
      if (d?.family?.observedOnly)
        throw new OptionError(`sample("${name}"): a ${d.family.name} is for data: observe it`);
      return randomSite(recording, "sample", name, d, latent(`sample("${name}")`, name, shape));
    },
    observe(name, d, given) {
      claim("observe", name);
      const call = `observe("${name}")`;
      if (given === undefined || typeof given === "string" || (typeof given === "object" && !isNumbers(given))) {
        throw new OptionError(`${call} takes numbers or a tensor as its third argument, not ${describe(given)}`);
      }
      const value = asTensor(b, given instanceof Tensor ? ofTrace(call, given) : given, dtype);
      return randomSite(recording, "observe", name, d, (own, event) => {
        const rank = event.length;
        const batch = value.shape.slice(0, value.shape.length - rank);
        const joint = value.shape.length >= rank ? broadcastShapes(own, batch) : null;
        if (!joint || !sameShape(value.shape.slice(value.shape.length - rank), event)) {
          throw new ShapeError(
            `${call}: a value of shape ${showShape(value.shape)} for a ${d.family.name} of batch shape ${showShape(own)}` +
              `${rank ? ` and event shape ${showShape(event)}` : ""}`,
          );
        }
        // One number may stand for many, as in soft constraints.
        if (batch.length && !sameShape(joint, batch)) {
          throw new ShapeError(
            `${call}: a value of shape ${showShape(value.shape)} would be repeated to ${showShape([...joint, ...event])}, since its ${d.family.name} has the ` +
              `batch shape ${showShape(own)}: each observation would count several times. Bring both to the same shape.`,
          );
        }
        return { value: broadcastTo(value, [...joint, ...event]), batch: joint };
      });
    },
    param(name, options = {}) {
      claim("param", name);
      const { prior, support, shape, initial = null, initialise = null } = options;
      if (prior) {
        return randomSite(
          recording,
          "param",
          name,
          prior,
          latent(`param("${name}")`, name, shape),
          options,
          support ?? null,
        );
      }
      const value = placeholder(`site.${name}`, shape ?? []);
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
        copies: null,
        initial,
        initialise,
      });
      return value;
    },
  };
};

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
