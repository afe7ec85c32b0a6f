import { OptionError, ShapeError } from "../../base/errors.ts";
import { showShape } from "../../base/shape.ts";
import { asTensor, type ParamValue } from "../../distributions/distribution.ts";
import { Tensor } from "../../tensor/tensor.ts";
import type { PlateOptions } from "../context.ts";
import { closePlate } from "../plate.ts";
import { describe, type Recording, type Words } from "../recording.ts";
import type { Plate } from "../site.ts";
import type { Structure } from "../structure.ts";

/** @throws OptionError unless it is one */
export function checkSize(call: string, size: unknown): void {
  if (Number.isInteger(size) && (size as number) >= 1) return;
  const hint = size instanceof Tensor || size === undefined ? ": take the size of a data array, as in y.shape[0]" : "";
  throw new OptionError(`${call} takes a size, an integer of at least 1, not ${describe(size)}${hint}`);
}

export const plateWord: Words = (recording) => ({
  plate<S extends Structure>(name: string, size: number, ...rest: readonly unknown[]): S {
    recording.claim("plate", name);
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
    const copies = options.copies === undefined ? null : copiesOf(recording, call, options.copies, size);
    const plate: Plate = { name, kind: "plate", size, batch };
    const index = recording.placeholder(`plate.${name}`, [], "u32");
    const { frame, returned } = recording.inside(plate, index, () => body(index));
    return closePlate(recording, recording.top(), frame, { index, returned, batch: batch ?? null, copies });
  },
});

/** @throws ShapeError unless there is one number an element */
function copiesOf({ b, ofTrace }: Recording, call: string, given: ParamValue, size: number): Tensor {
  const copies = asTensor(b, given instanceof Tensor ? ofTrace(call, given) : given, "f64");
  if (copies.shape.length === 1 && copies.shape[0] === size)
    return copies.dtype === "f64" ? copies : copies.cast("f64");
  throw new ShapeError(`${call}: copies has the shape ${showShape(copies.shape)}, but one number for each element, [${size}], was expected`); // biome-ignore format: one sentence
}
