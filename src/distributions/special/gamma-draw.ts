import type { Shape } from "../../base/shape.ts";
import type { CustomRule } from "../../ops/vocabulary.ts";
import { argmax, full, iota, where } from "../../tensor/functions.ts";
import { type Key, normal, uniform } from "../../tensor/random.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { gammaDrawSlope } from "./gamma-tail.ts";

/** Each try is taken with probability 0.95 or more (shape 1), so that all fail with probability below 1e-13. */
const TRIES = 10;

const slope: CustomRule = (b, g, y, [a]) => [
  new Tensor(b, g).mul(gammaDrawSlope(new Tensor(b, a!), new Tensor(b, y).exp())).node,
];

/** Of tries along the last axis, the value of the first that is taken (bool); of none, the first. */
export function firstTaken(value: Tensor, taken: Tensor): Tensor {
  const rank = value.shape.length;
  const chosen = argmax(taken.cast("f64"), rank - 1);
  const place = iota(value, value.shape, rank - 1);
  return where(place.eq(chosen.reshape([...chosen.shape, 1])), value, 0).sum(-1);
}

/**
 * Logarithms of independent Gamma(a, 1) draws, [...batch], to which a > 0 broadcasts: by Marsaglia and Tsang 2000, "A
 * simple method for generating gamma variables", from shapes a ≥ 1; below, log G(a) = log G(a + 1) + log(u) / a, which
 * cannot underflow. The gradient by a is implicit in the first and explicit in the second.
 */
export function logGammaDraw(key: Key<Tensor>, shape: Tensor, batch: Shape): Tensor {
  const a = shape.broadcastTo(batch);
  const small = a.lt(1);
  const raised = where(small, a.add(1), a);
  const draw = logDrawFromOne(key, raised, batch);
  // A constant shape of 1 or more needs no power.
  const { node } = shape;
  if (node.op === "const" && (node.attrs.value as number) >= 1) return draw;
  const power = uniform(key.site("power"), batch, "f64").log().div(where(small, a, 1)); // biome-ignore format: short
  return draw.add(where(small, power, 0));
}

/**
 * d (1 + c x)³ with x from N(0, 1), d = a − 1/3, c = 1 / √(9d), taken if log u < ½ x² + d (1 − v + log v), v = (1 + c
 * x)³.
 */
function logDrawFromOne(key: Key<Tensor>, a: Tensor, batch: Shape): Tensor {
  const tries = [...batch, TRIES];
  const d = a.sub(1 / 3);
  const inner = d.reshape([...batch, 1]);
  const x = normal(key.site("normal"), tries, "f64");
  const u = uniform(key.site("accept"), tries, "f64");
  const step = x.div(inner.mul(9).sqrt());
  const inside = step.gt(-1);
  const logV = where(inside, step, 0).log1p().mul(3);
  const bound = x
    .square()
    .mul(0.5)
    .add(inner.mul(logV.sub(logV.exp()).add(1)));
  const taken = where(inside, u.log(), full(x, tries, Infinity)).lt(bound);
  const value = d.log().add(firstTaken(logV, taken));
  return a.of(a.trace.customVjp(value.node, [a.node], slope));
}
