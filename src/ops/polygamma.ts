import type { Node } from "../ir/node.ts";
import type { Trace } from "./vocabulary.ts";

const SHIFT = 10;
/** Coefficients B_2k of ψ′(w) ~ 1/w + 1/(2w²) + Σ B_2k / w^(2k+1) (DLMF 5.15.8). */
const SERIES = [1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510];

/** ψ′(x), the derivative of digamma, from other ops: ten steps of ψ′(x) = ψ′(x+1) + 1/x², then the series; reflection below ½. */
export function trigamma(b: Trace, x: Node): Node {
  const below = b.lt(x, 0.5);
  const positive = b.select(below, b.sub(1, x), x);
  let sum = b.fill(x, 0);
  for (let k = 0; k < SHIFT; k++) {
    const shifted = b.add(positive, k);
    sum = b.add(sum, b.div(1, b.mul(shifted, shifted)));
  }
  const inverse = b.div(1, b.add(positive, SHIFT));
  const square = b.mul(inverse, inverse);
  let series = b.fill(x, 0);
  for (const c of [...SERIES].reverse()) series = b.mul(b.add(series, c), square);
  const tail = b.add(inverse, b.add(b.mul(square, 0.5), b.mul(series, inverse)));
  const value = b.add(sum, tail);
  const sine = b.sin(b.mul(b.sub(x, b.floor(x)), Math.PI));
  return b.select(below, b.sub(b.div(Math.PI ** 2, b.mul(sine, sine)), value), value);
}
