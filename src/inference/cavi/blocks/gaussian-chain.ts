import { sizeOf } from "../../../base/shape.ts";
import { LOG_2PI } from "../../../distributions/normal-cdf.ts";
import { concat, full, transpose } from "../../../tensor/functions.ts";
import * as linalg from "../../../tensor/linalg.ts";
import { type Key, normal } from "../../../tensor/random.ts";
import { scan } from "../../../tensor/scan.ts";
import type { Tensor } from "../../../tensor/tensor.ts";
import type { Block } from "./block.ts";
import { type Chain, fromFront, toFront } from "./chain.ts";
import { halfSquare } from "./layout.ts";

const column = (x: Tensor): Tensor => x.reshape([...x.shape, 1]);
const times = (a: Tensor, b: Tensor): Tensor => a.matmul(b);
const apply = (a: Tensor, v: Tensor): Tensor => times(a, column(v)).reshape([...a.shape.slice(0, -1)]);

/**
 * A chain of Gaussian states with a block-tridiagonal precision: diagonal blocks [...plates, T, n, n], those to the state before, and the
 * first state's. Kalman smoothing is its solution by block elimination forwards and substitution backwards.
 */
export function gaussianChainBlock({ variable, time, initial }: Chain): Block {
  const { site, shape, events } = variable;
  const single = shape.map((_, p) => p).filter((p) => !events.includes(p));
  const batch = single.map((p) => shape[p]!);
  const own = events.map((p) => shape[p]!);
  const n = sizeOf(own);
  const order = [...single, ...events];
  const back = shape.map((_, p) => order.indexOf(p));
  const axis = single.indexOf(time);
  const firstShape = shape.toSpliced(time, 1);
  const firstBatch = batch.toSpliced(axis, 1);
  const firstOrder = order.filter((p) => p !== time).map((p) => (p > time ? p - 1 : p));
  const firstBack = firstShape.map((_, p) => firstOrder.indexOf(p));
  const steps = shape[time]!;
  const sites = "site" in initial ? [initial.site, site] : [site];
  const latentStart = "site" in initial;
  const flat = (x: Tensor) => transpose(x, order).reshape([...batch, n]);
  const whole = (x: Tensor) => transpose(x.reshape([...batch, ...own]), back);
  const firstFlat = (x: Tensor) => transpose(x, firstOrder).reshape([...firstBatch, n]);
  const firstWhole = (x: Tensor) => transpose(x.reshape([...firstBatch, ...own]), firstBack);
  const spread = (x: Tensor) => x.reshape([...x.shape.slice(0, -2), ...own, ...own]);
  const square = (x: Tensor, lead: readonly number[]) => x.reshape([...lead, n, n]);
  /** One block, and all but the last, as the states before. */
  const withFirst = (head: Tensor, all: Tensor, at: number) =>
    steps > 1
      ? concat([head.reshape(head.shape.toSpliced(at, 0, 1)), all.narrow(at, 0, steps - 1)], at)
      : head.reshape(head.shape.toSpliced(at, 0, 1));

  /** Inverses of the pivots, forwards: D_t = J_t − B_t D_{t−1}⁻¹ B_tᵀ, B_t the block to the state before. */
  const eliminate = (first: Tensor, diagonal: Tensor, off: Tensor) => {
    const invert = (s: Tensor) => {
      const root = linalg.cholesky(s);
      return { inverse: linalg.inverseFromCholesky(root), logDet: linalg.logDetCholesky(root) };
    };
    const begin = latentStart ? invert(first) : { inverse: first.mul(0), logDet: null };
    const { ys } = scan(
      { carry: begin.inverse, xs: { j: toFront(diagonal, axis), b: toFront(off, axis) }, length: steps },
      (before, { j, b }) => {
        const { inverse, logDet } = invert(j.sub(times(times(b, before), transpose(b))));
        return { carry: inverse, y: { inverse, logDet, before } };
      },
    );
    const { inverse, logDet, before } = ys as { inverse: Tensor; logDet: Tensor; before: Tensor };
    const total = begin.logDet ? begin.logDet.add(logDet.sum(0)) : logDet.sum(0);
    return { inverse, before, logDet: total, begin: begin.inverse };
  };

  return {
    name: sites.join(", "),
    sites,
    family: "gaussianChain",
    state: {
      initialMean: firstShape,
      initialPrecision: [...firstBatch, n, n],
      mean: shape,
      precision: [...batch, n, n],
      coupling: [...batch, n, n],
    },
    expected: ({ initialMean, initialPrecision, mean, precision, coupling }) => {
      const { inverse, before, logDet, begin } = eliminate(initialPrecision!, precision!, coupling!);
      // Backwards: x_{t−1} given x_t has the mean −G_t x_t and the covariance D_{t−1}⁻¹, G_t = D_{t−1}⁻¹ B_tᵀ.
      const last = inverse.narrow(0, steps - 1, 1).reshape(inverse.shape.slice(1));
      const { carry, ys } = scan(
        { carry: last, xs: { before, b: toFront(coupling!, axis) }, length: steps, reverse: true },
        (covariance, { before: pivot, b }) => {
          const gain = times(pivot, transpose(b));
          const cross = times(covariance, transpose(gain)).neg();
          return { carry: pivot.sub(times(gain, cross)), y: { covariance, cross } };
        },
      );
      const found = ys as { covariance: Tensor; cross: Tensor };
      const covariance = spread(fromFront(found.covariance, axis)).stopGradient();
      const cross = spread(fromFront(found.cross, axis)).stopGradient();
      const firstCovariance = spread(latentStart ? carry : begin).stopGradient();
      const firstMean = latentStart ? initialMean! : full(mean!, firstShape, initial.value);
      const count = (steps + (latentStart ? 1 : 0)) * n;
      return {
        sites: {
          [site]: {
            kind: "gaussian",
            mean: mean!,
            covariance,
            events,
            relativeTo: null,
            before: {
              mean: withFirst(firstMean, mean!, time),
              covariance: withFirst(firstCovariance, covariance, axis),
              cross,
            },
          },
          ...(latentStart
            ? {
                [initial.site]: {
                  kind: "gaussian",
                  mean: initialMean!,
                  covariance: firstCovariance,
                  events: events.map((p) => (p > time ? p - 1 : p)),
                  relativeTo: null,
                  before: null,
                } as const,
              }
            : {}),
        },
        wrt: { mean: mean!, covariance, cross, initialMean: firstMean, initialCovariance: firstCovariance },
        entropy: logDet.mul(-0.5).add(0.5 * count * (1 + LOG_2PI)),
      };
    },
    update: ({ mean, initialMean }, _wrt, g) => {
      const symmetric = (x: Tensor) => x.add(transpose(x)).neg();
      const precision = symmetric(square(g.covariance!, batch));
      const initialPrecision = symmetric(square(g.initialCovariance!, firstBatch));
      const coupling = square(g.cross!, batch).neg();
      const { inverse, begin } = eliminate(initialPrecision, precision, coupling);
      const b = toFront(coupling, axis);
      const slope = toFront(flat(g.mean!), axis);
      const firstSlope = firstFlat(g.initialMean!);
      const { ys } = scan(
        { carry: [firstSlope, begin], xs: { s: slope, b, d: inverse }, length: steps },
        ([y, pivot], x) => {
          const next = x.s.sub(apply(x.b, apply(pivot!, y!)));
          return { carry: [next, x.d], y: { y: next, before: y!, pivot: pivot! } };
        },
      );
      const forward = ys as { y: Tensor; before: Tensor; pivot: Tensor };
      const tail = (x: Tensor) => x.narrow(0, steps - 1, 1).reshape(x.shape.slice(1));
      const { carry, ys: found } = scan(
        { carry: apply(tail(inverse), tail(forward.y)), xs: { b, y: forward.before, pivot: forward.pivot }, length: steps, reverse: true }, // biome-ignore format: one line
        (step, x) => ({ carry: apply(x.pivot, x.y.sub(apply(transpose(x.b), step))), y: step }),
      );
      return {
        mean: mean!.add(whole(fromFront(found as Tensor, axis))),
        precision,
        coupling,
        initialMean: latentStart ? initialMean!.add(firstWhole(carry)) : initialMean!,
        initialPrecision,
      };
    },
    draw: ({ initialMean, initialPrecision, mean, precision, coupling }, key, count) => {
      const { inverse, before } = eliminate(initialPrecision!, precision!, coupling!);
      const shock = (covariance: Tensor, k: Key<Tensor>) =>
        linalg.matvec(linalg.cholesky(covariance), normal(k, [count, ...firstBatch, n], "f64"));
      const last = inverse.narrow(0, steps - 1, 1).reshape(inverse.shape.slice(1));
      // From the last step backwards: x_{t−1} = m_{t−1} − G_t (x_t − m_t) + noise of covariance D_{t−1}⁻¹.
      const { carry, ys } = scan(
        {
          carry: shock(last, key.site("last")),
          xs: { before, b: toFront(coupling!, axis) },
          length: steps,
          reverse: true,
        },
        (away, { before: pivot, b }, t) => ({
          carry: shock(pivot, key.site(site).fold(t)).sub(linalg.matvec(times(pivot, transpose(b)), away)),
          y: away,
        }),
      );
      const flatDraws = fromFront(ys as Tensor, axis + 1).add(flat(mean!));
      const rows = (x: Tensor, lead: readonly number[], to: readonly number[]) =>
        transpose(x.reshape([count, ...lead, ...own]), [0, ...to.map((p) => p + 1)]);
      return {
        ...(latentStart ? { [initial.site]: rows(carry.add(firstFlat(initialMean!)), firstBatch, firstBack) } : {}),
        [site]: rows(flatDraws, batch, back),
      };
    },
    expectedLog: null,
    averaged: null,
    logDensity: ({ initialMean, initialPrecision, mean, precision, coupling }, values) => {
      const { logDet } = eliminate(initialPrecision!, precision!, coupling!);
      const away = flat(values[site]!.sub(mean!));
      const start = latentStart ? firstFlat(values[initial.site]!.sub(initialMean!)) : null;
      const previous = withFirst(start ?? firstFlat(initialMean!).mul(0), away, axis);
      const diagonal = halfSquare(away, precision!).sum();
      const neighbours = apply(coupling!, previous).mul(away).sum().neg();
      const first = start ? halfSquare(start, initialPrecision!).sum() : diagonal.mul(0);
      const count = (sizeOf(firstBatch) * steps + (latentStart ? sizeOf(firstBatch) : 0)) * n;
      return diagonal
        .add(neighbours)
        .add(first)
        .add(logDet.sum().mul(0.5))
        .sub(0.5 * count * LOG_2PI);
    },
  };
}
