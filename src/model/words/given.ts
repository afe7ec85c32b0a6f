import { ShapeError } from "../../base/errors.ts";
import { type Shape, sameShape, showShape } from "../../base/shape.ts";
import { asTensor } from "../../distributions/distribution.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Recording, Words } from "../recording.ts";
import { checkDistribution, isDistribution, randomSite } from "./random.ts";

/** A value that a sampled site was given from outside: as data (`condition`), or by force (`do`: its distribution is cut off). */
export interface FixedValue {
  readonly how: "condition" | "do";
  readonly shape: Shape;
  readonly values: Float64Array;
}
export type Fixed = Readonly<Record<string, FixedValue>>;

/** The element of a given value that belongs to the plates and chains that are open. */
function elementOf({ b, dtype, frames }: Recording, { shape, values }: FixedValue, what: string): Tensor {
  const open = frames.filter((f) => f.index !== null);
  const sizes = open.map((f) => f.plate!.size);
  if (!sameShape(shape.slice(0, open.length), sizes)) {
    throw new ShapeError(`${what} has the shape ${showShape(shape)}; its site stands in plates of the sizes ${showShape(sizes)}, which come first`); // biome-ignore format: one sentence
  }
  const whole = asTensor(b, shape.length ? [...values] : values[0]!, dtype).reshape(shape);
  return open.reduce((value, f) => value.at(f.index!), whole);
}

/** `sample` and `param` where sites have values from outside. */
export const givenWords =
  (fixed: Fixed): Words =>
  (recording, { sample, param }) => {
    const valueOf = (name: string) => elementOf(recording, fixed[name]!, `the value given for "${name}"`);
    const setTo = (name: string, value: Tensor): Tensor => {
      recording.top().sites.push({ kind: "deterministic", name, plates: [], shape: value.shape, value });
      return value;
    };
    return {
      sample(name, d, shape) {
        const given = Object.hasOwn(fixed, name) ? fixed[name]! : null;
        if (!given) return sample(name, d, shape);
        recording.claim("sample", name);
        const value = valueOf(name);
        if (given.how === "do") {
          checkDistribution(`sample("${name}")`, d);
          return setTo(name, value);
        }
        const rank = isDistribution(d) ? d.family.eventRank : 0;
        const batch = (shape ?? []).length;
        if (shape && value.shape.length < batch + rank) {
          throw new ShapeError(
            `the value given for "${name}" has the shape ${showShape(given.shape)}, but sample("${name}") has the shape ${showShape(shape)}`,
          );
        }
        const place = () => ({ value, batch: value.shape.slice(0, value.shape.length - rank) });
        return randomSite(recording, "observe", name, d, place);
      },
      param(name, options) {
        if (!Object.hasOwn(fixed, name)) return param(name, options);
        recording.claim("param", name);
        return setTo(name, valueOf(name));
      },
    };
  };
