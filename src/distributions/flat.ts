import { OptionError } from "../base/errors.ts";
import { type Shape, showShape } from "../base/shape.ts";
import { isDiscrete, real, type Support } from "../constraints/support.ts";
import { full } from "../tensor/functions.ts";
import { type Distribution, family } from "./distribution.ts";
import { eventRankOf } from "./event-rank.ts";

/**
 * The improper uniform density over a support: log density 0 everywhere in it. It has no draws.
 *
 * @param size  of one event, needed where the support is one of vectors or matrices: `flat(ordered, 3)`, `flat(ordered, [3])`
 * @throws OptionError for a discrete support, and for a shape that is no event of the support
 */
export function flat(...given: readonly [support?: Support, size?: number | Shape]): Distribution<never> {
  if (given.length > 0 && !given[0])
    throw new OptionError(`flat: support is ${given[0]}. Leave it out for the real line.`);
  const [support = real, size = []] = given;
  const shape = typeof size === "number" ? [size] : size;
  const rank = eventRankOf(support);
  if (isDiscrete(support)) {
    throw new OptionError(
      `flat is a density, but the support "${support.kind}" is discrete: give probabilities, as in categorical`,
    );
  }
  if (shape.length !== rank) {
    const wanted = [
      "one number, whose shape is []",
      "a vector, whose shape is [size]",
      "a matrix, whose shape is [size, size]",
    ][rank];
    throw new OptionError(`flat(${support.kind}): one event is ${wanted}, not ${showShape(shape)}`);
  }
  return {
    family: family<never>({
      name: "flat",
      params: {},
      eventRank: rank,
      eventShape: () => shape,
      support: () => support,
      logProb: (x) => full(x, x.shape.slice(0, x.shape.length - rank), 0, "f64"),
    }),
    given: {},
  };
}
