import type { Buffer } from "../engine/runtime.ts";
import type { AffineMap } from "../families/variational-family.ts";
import { f64 } from "../program/program.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { diagonalOf } from "./symmetric-solve.ts";
import type { Target } from "./target.ts";

/** log |det| of the map. */
export const logDeterminant = ({ location, factor, diagonal }: AffineMap): number =>
  (diagonal ? factor : diagonalOf(factor, location.length)).reduce((sum, s) => sum + Math.log(s), 0);

const [LOCATION, FACTOR, LOG_DETERMINANT] = ["affine.location", "affine.factor", "affine.logDeterminant"];

/** The map's numbers as inputs of a program. */
export function affineInputs({ runtime, dim }: Target, map: AffineMap) {
  const shape = map.diagonal ? [dim] : [dim, dim];
  const data: Record<string, Buffer> = {
    [LOCATION]: runtime.buffer("f64", [dim], map.location),
    [FACTOR]: runtime.buffer("f64", shape, map.factor),
  };
  return { inputs: { [LOCATION]: f64([dim]), [FACTOR]: f64(shape) }, data };
}

/** The rows of y [n, dim] mapped. */
export function mapRows(y: Tensor, inputs: Readonly<Record<string, Tensor>>): Tensor {
  const [location, factor] = [inputs[LOCATION]!, inputs[FACTOR]!];
  const scaled = factor.shape.length === 1 ? y.mul(factor) : y.matmul(factor.transpose());
  return scaled.add(location);
}

/**
 * The density of y where x = location + factor · y has the target's: in units in which it is easier to fit. All numbers of the map are
 * inputs, so that other data compile nothing anew.
 */
export function affineTarget(target: Target, map: AffineMap): Target {
  const { inputs, data } = affineInputs(target, map);
  const constant = target.runtime.buffer("f64", [], [logDeterminant(map)]);
  return {
    ...target,
    inputs: { ...target.inputs, ...inputs, [LOG_DETERMINANT]: f64([]) },
    data: { ...target.data, ...data, [LOG_DETERMINANT]: constant },
    logDensity: (y, given, rng) => {
      const x = mapRows(y.reshape([1, target.dim]), given).reshape([target.dim]);
      return target.logDensity(x, given, rng).add(given[LOG_DETERMINANT]!);
    },
  };
}
