import { sizeOf } from "../../../base/shape.ts";
import { full } from "../../../tensor/functions.ts";
import * as linalg from "../../../tensor/linalg.ts";
import type { Tensor } from "../../../tensor/tensor.ts";
import type { SiteStatistics } from "../moments.ts";
import type { Block, State, Variable } from "./block.ts";
import { layoutOf, solve, symmetric } from "./layout.ts";

// Parameters that are estimated: factors whose mass is at one point. Their update is the M step of variational EM, in closed form
// wherever the family around the point has one.

interface PointKind {
  statistics(value: Tensor): { readonly site: SiteStatistics; readonly wrt: State };
  maximise(value: Tensor, gradients: State): Tensor;
  readonly averaged: Block["averaged"];
}

function pointBlock({ site, shape }: Variable, kind: PointKind): Block {
  return {
    name: site,
    sites: [site],
    family: "point",
    state: { value: shape },
    expected: ({ value }) => {
      const { site: own, wrt } = kind.statistics(value!);
      return { sites: { [site]: own }, wrt, entropy: full(value!, [], 0) };
    },
    update: ({ value }, _wrt, gradients) => ({ value: kind.maximise(value!, gradients) }),
    draw: ({ value }, _key, count) => ({ [site]: value!.broadcastTo([count, ...shape]) }),
    expectedLog: null,
    averaged: kind.averaged,
    logDensity: null,
  };
}

/** Any real numbers: the expected log joint is quadratic in them, with the curvature that a covariance would have met. */
export function realPoint(variable: Variable): Block {
  const { site, events, shape } = variable;
  const { batch, own, n, flat, whole, square } = layoutOf(variable);
  return pointBlock(variable, {
    statistics: (mean) => {
      const none = full(mean, [...batch, ...own, ...own], 0).node;
      // A node of its own: what is 0 elsewhere is not this covariance.
      const covariance = mean.of(mean.trace.builder.append("stopGradient", [none], { of: `${site}.covariance` }));
      return {
        site: { kind: "gaussian", mean, covariance, events, relativeTo: null, before: null },
        wrt: { mean, covariance },
      };
    },
    maximise: (mean, g) => {
      const precision = symmetric(square(g.covariance!)).mul(-2);
      return sizeOf(shape) ? mean.add(whole(solve(precision, flat(g.mean!), n))) : mean;
    },
    averaged: { covariance: [...batch, ...own, ...own] },
  });
}

/** A positive number that stands as x^power: with y = x^power the expected log joint is a log y − b y, greatest at a / b. */
export const positivePoint = (variable: Variable, power: number): Block =>
  pointBlock(variable, {
    statistics: (value) => {
      const mean = power === 1 ? value.mul(1) : value.pow(power);
      const log = value.log();
      return { site: { kind: "positive", mean, log, power, point: true }, wrt: { mean, log } };
    },
    maximise: (_value, { mean, log }) => {
      const best = log!.div(power).div(mean!.neg());
      return power === 1 ? best : best.pow(1 / power);
    },
    averaged: { mean: variable.shape, log: variable.shape },
  });

/** Probabilities that sum to 1: proportional to the coefficients of their logarithms. */
export const simplexPoint = (variable: Variable): Block =>
  pointBlock(variable, {
    statistics: (value) => {
      const log = value.log();
      return { site: { kind: "simplex", log, point: true }, wrt: { log } };
    },
    maximise: (_value, { log }) => {
      const sum = log!.sum(-1);
      return log!.div(sum.reshape([...sum.shape, 1]));
    },
    averaged: { log: variable.shape },
  });

/** A probability. */
export const unitPoint = (variable: Variable): Block =>
  pointBlock(variable, {
    statistics: (value) => {
      const [log, log1m] = [value.log(), value.neg().log1p()];
      return { site: { kind: "unit", log, log1m, point: true }, wrt: { log, log1m } };
    },
    maximise: (_value, { log, log1m }) => log!.div(log!.add(log1m!)),
    averaged: { log: variable.shape, log1m: variable.shape },
  });

/** A precision matrix: a log |Λ| − tr(B Λ) is greatest at a B⁻¹. */
export const matrixPoint = (variable: Variable): Block =>
  pointBlock(variable, {
    statistics: (value) => {
      const mean = value.mul(1);
      const logDet = linalg.logDetCholesky(linalg.cholesky(value));
      return { site: { kind: "matrix", mean, logDet, power: 1 }, wrt: { mean, logDet } };
    },
    maximise: (_value, { mean, logDet }) => {
      const inverse = linalg.inverseFromCholesky(linalg.cholesky(symmetric(mean!).neg()));
      return inverse.mul(logDet!.reshape([...logDet!.shape, 1, 1]));
    },
    averaged: { mean: variable.shape, logDet: variable.shape.slice(0, -2) },
  });
