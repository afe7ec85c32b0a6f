import { OptionError } from "../base/errors.ts";
import { showShape } from "../base/shape.ts";
import { concat, gather, iota, pad, where } from "../tensor/functions.ts";
import { cholesky, cumsum, diagonal, identity, tril } from "../tensor/linalg.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Bijector } from "./bijection.ts";

const order = (x: Tensor): number => x.shape.at(-1)!;
const triangular = (n: number): number => (n * (n + 1)) / 2;

const sizeOfMatrix = (shape: readonly number[]): number => {
  const [m, n] = shape.slice(-2);
  if (shape.length < 2 || m !== n) {
    throw new OptionError(`${showShape(shape)} is not the shape of a square matrix: the support needs [..., n, n]`);
  }
  return n!;
};

/** n from n (n + 1) / 2 */
const orderOf = (size: number): number => Math.round((Math.sqrt(8 * size + 1) - 1) / 2);

/** [..., n, n] from the lower triangle by rows [..., n (n + 1) / 2], zeros above the diagonal. */
function fromTriangle(u: Tensor): Tensor {
  const n = orderOf(order(u));
  const lead = u.shape.slice(0, -1);
  const [i, j] = [iota(u, [n, n], 0, "i32"), iota(u, [n, n], 1, "i32")];
  const at = i.mul(i.add(1)).cast("f64").mul(0.5).cast("i32").add(j);
  const axes = lead.map((_, axis) => axis);
  const first = lead.length ? u.transpose([lead.length, ...axes]) : u;
  const picked = gather(first, at.cast("u32"));
  const square = lead.length ? picked.transpose([...axes.map((axis) => axis + 2), 0, 1]) : picked;
  return where(j.le(i), square, 0);
}

/** The lower triangle by rows, from [..., n, n]. `below` leaves the diagonal out. */
function toTriangle(x: Tensor, below = 0): Tensor {
  const n = order(x);
  const rows: Tensor[] = [];
  for (let i = below; i < n; i++) {
    rows.push(x.narrow(-2, i, 1).narrow(-1, 0, i + 1 - below).reshape([...x.shape.slice(0, -2), i + 1 - below])); // biome-ignore format: short
  }
  return concat(rows, -1);
}

const onDiagonal = (x: Tensor): Tensor => iota(x, [order(x), order(x)], 0).eq(iota(x, [order(x), order(x)], 1));

/** L_ij = u_ij below the diagonal, e^{u_ii} on it. log |det| = Σ u_ii. */
export const choleskyFactor: Bijector = {
  eventRank: 2,
  unconstrainedShape: (shape) => [...shape.slice(0, -2), triangular(sizeOfMatrix(shape))],
  forward: (u) => {
    const x = fromTriangle(u);
    const eye = onDiagonal(x);
    return where(eye, where(eye, x, 0).exp(), x);
  },
  inverse: (x) => {
    const eye = onDiagonal(x);
    return toTriangle(where(eye, where(eye, x, 1).log(), x));
  },
  logJacobian: (u) => diagonal(fromTriangle(u)).sum(-1),
};

/** Products of this many powers of e and more are left at it: the diagonal of a correlation factor stays positive. */
const LOWEST = -700;

/** log(1 − tanh² u) = 2 (log 2 − |u| − log(1 + e^−2|u|)) */
function logSechSquared(u: Tensor): Tensor {
  const a = where(u.gt(0), u.neg(), u);
  return a.sub(a.mul(2).softplus()).add(Math.LN2).mul(2);
}

/** The strictly lower triangle [..., n, n] of partial correlations' arguments. */
function partial(u: Tensor): Tensor {
  const inner = fromTriangle(u);
  const none = u.shape.slice(1).map(() => 0);
  return pad(inner, [...none, 1, 0], [...none, 0, 1]);
}

/**
 * Row i: L_ij = z_ij √Π_{k<j} (1 − z_ik²) for j < i and what is left of length one on the diagonal, with partial
 * correlations z = tanh u (Lewandowski, Kurowicka and Joe 2009). log |det| = Σ_{k<i} (1 + (i − 1 − k) / 2) log(1 −
 * z_ik²), rows and columns from 0.
 */
export const correlationFactor: Bijector = {
  eventRank: 2,
  unconstrainedShape: (shape) => [...shape.slice(0, -2), triangular(sizeOfMatrix(shape) - 1)],
  forward: (u) => {
    const v = partial(u);
    const left = cumsum(logSechSquared(v).mul(0.5), -1, { exclusive: true });
    return tril(v.tanh().add(identity(v, order(v)))).mul(left.maximum(LOWEST).exp());
  },
  // sinh u_ij = L_ij / √Σ_{k>j} L_ik², which subtracts nothing.
  inverse: (x) => {
    const rest = cumsum(x.square(), -1, { reverse: true, exclusive: true });
    return asinh(toTriangle(x, 1).div(toTriangle(rest, 1).sqrt()));
  },
  logJacobian: (u) => {
    const v = partial(u);
    const n = order(v);
    const [i, k] = [iota(v, [n, n], 0).cast("f64"), iota(v, [n, n], 1).cast("f64")];
    return logSechSquared(v).mul(i.sub(k).add(1).mul(0.5)).sum([-2, -1]);
  },
};

/** log(r + √(r² + 1)), odd. */
function asinh(r: Tensor): Tensor {
  const a = r.abs();
  const root = a.square().add(1).sqrt();
  return a
    .add(a.div(root.add(1)).mul(a))
    .log1p()
    .mul(where(r.lt(0), a.mul(0).sub(1), 1));
}

/** L Lᵀ. log |det| = n log 2 + Σ_i (n + 1 − i) log L_ii, rows from 0, L_ii = e^{u_ii}. */
export const covariance: Bijector = {
  eventRank: 2,
  unconstrainedShape: choleskyFactor.unconstrainedShape,
  forward: (u) => {
    const l = choleskyFactor.forward(u);
    return l.matmul(l.transpose());
  },
  inverse: (x) => choleskyFactor.inverse(cholesky(x)),
  logJacobian: (u) => {
    const logs = diagonal(fromTriangle(u));
    const n = order(logs);
    const i = iota(u, [n], 0).cast("f64");
    return logs.mul(i.neg().add(n + 1)).sum(-1).add(n * Math.LN2); // biome-ignore format: the formula
  },
};
