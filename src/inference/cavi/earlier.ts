import { OptionError } from "../../base/errors.ts";
import { sizeOf } from "../../base/shape.ts";
import type { Block } from "./blocks/block.ts";
import type { StoredFit } from "./stored-fit.ts";
import { stateKey } from "./sweep.ts";

/** The factors of an earlier fit that stand for the priors of these. @throws OptionError where one cannot */
export function carriedFrom(
  { state }: Pick<StoredFit, "state">,
  blocks: readonly Block[],
  option = "after",
): Map<string, Float64Array> {
  const carried = new Map<string, Float64Array>();
  for (const block of blocks) {
    if (!block.expectedLog) {
      throw new OptionError(
        `${option}: the factor of "${block.name}" (${block.family}) cannot stand for a prior; fit all data at once`,
      );
    }
    for (const [name, shape] of Object.entries(block.state)) {
      const values = state.get(stateKey(block, name));
      if (values?.length !== sizeOf(shape)) {
        throw new OptionError(
          `${option}: the earlier fit has no factor of "${block.name}" of this shape; it must be one of the same model`,
        );
      }
      carried.set(stateKey(block, name), values);
    }
  }
  return carried;
}
