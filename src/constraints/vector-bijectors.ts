import { concat, iota, pad } from "../tensor/functions.ts";
import { cumsum } from "../tensor/linalg.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Bijector } from "./bijection.ts";

const last = (x: Tensor): number => x.shape.at(-1)!;
const head = (x: Tensor, size: number): Tensor => x.narrow(-1, 0, size);
const tail = (x: Tensor, from: number): Tensor => x.narrow(-1, from, last(x) - from);
/** Zeros in front of or behind the last axis. */
const padded = (x: Tensor, before: number, after: number): Tensor => {
  const none = x.shape.slice(1).map(() => 0);
  return pad(x, [...none, before], [...none, after]);
};
/** 1, 2, …, n */
const counting = (like: Tensor, n: number): Tensor => iota(like, [n], 0).cast("f64").add(1);

/** Below this the elements of a simplex do not go: their logarithms stay finite. */
const SMALLEST = 2 ** -1022;

/**
 * x = softmax(V u). The columns of V are an orthonormal basis of the vectors that sum to 0, column i being (1, …, 1,
 * −i, 0, …, 0) / √(i (i + 1)) with i ones (Helmert's matrix). log |det| = ½ log K + Σ_k log x_k.
 */
export const softmax: Bijector = {
  eventRank: 1,
  unconstrainedShape: (shape) => shape.with(-1, shape.at(-1)! - 1),
  forward: (u) => softmaxOf(logRatios(u)).maximum(SMALLEST),
  inverse: (x) => {
    const n = last(x) - 1;
    const logs = x.log();
    const i = counting(x, n);
    const sums = head(cumsum(logs), n);
    return sums.sub(tail(logs, 1).mul(i)).div(i.mul(i.add(1)).sqrt());
  },
  // Σ_k (y_k − log Σ e^y) with Σ_k y_k = 0
  logJacobian: (u, x) =>
    logRatios(u)
      .logsumexp(-1)
      .mul(-last(x))
      .add(0.5 * Math.log(last(x))),
};

/** V u: sums to 0. */
function logRatios(u: Tensor): Tensor {
  const n = last(u);
  const i = counting(u, n);
  const scaled = u.div(i.mul(i.add(1)).sqrt());
  return padded(cumsum(scaled, -1, { reverse: true }), 0, 1).sub(padded(scaled.mul(i), 1, 0));
}

function softmaxOf(y: Tensor): Tensor {
  return y.sub(y.logsumexp(-1).reshape([...y.shape.slice(0, -1), 1])).exp();
}

/** x₁ = u₁, x_k = x_{k−1} + e^{u_k} */
export const increasing: Bijector = {
  eventRank: 1,
  unconstrainedShape: (shape) => shape,
  forward: (u) => cumsum(concat([head(u, 1), tail(u, 1).exp()], -1)),
  inverse: (x) =>
    concat(
      [
        head(x, 1),
        tail(x, 1)
          .sub(head(x, last(x) - 1))
          .log(),
      ],
      -1,
    ),
  logJacobian: (u) => tail(u, 1).sum(-1),
};

/** x_k = Σ_{i ≤ k} e^{u_i} */
export const increasingPositive: Bijector = {
  eventRank: 1,
  unconstrainedShape: (shape) => shape,
  forward: (u) => cumsum(u.exp()),
  inverse: (x) => concat([head(x, 1), tail(x, 1).sub(head(x, last(x) - 1))], -1).log(),
  logJacobian: (u) => u.sum(-1),
};
