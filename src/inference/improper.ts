import { NonFiniteError } from "../base/errors.ts";
import { Generator } from "../base/generator.ts";
import { type CompiledTarget, negLogDensity } from "./compiled-target.ts";
import type { Mode } from "./laplace.ts";
import type { Slice } from "./slicer.ts";
import {
  choleskyOf,
  diagonalOf,
  inverseDiagonal,
  inverseFromCholesky,
  solveCholesky,
  symmetrised,
} from "./symmetric-solve.ts";

/** Coordinates up to which directions are looked into. */
const MOST_COORDINATES = 100;
/** Distances, in sds, at which a density that can be normalised has fallen: even Cauchy's tail loses 4 nats at the first. */
const STEPS = [10, 1e3, 1e5];
/** So far at least a direction is followed, unconstrained. */
const LEAST_REACH = 1e3;
/** What a flat density may lose to rounding, in nats. */
const FLAT = 1;

/** The direction [dim] in which a symmetric matrix with this factor of its damped form is smallest, of length 1. */
function weakest(factor: Float64Array, dim: number): Float64Array {
  const v = new Generator(0, "weakest direction").normals(new Float64Array(dim));
  for (let i = 0; i < 12; i++) {
    solveCholesky(factor, v);
    const length = Math.hypot(...v);
    for (let j = 0; j < dim; j++) v[j]! /= length;
  }
  return v;
}

/** Steps that a density is asked along: where it has curvature, one sd of each coordinate with what goes along with it. */
async function* directionsAt(
  compiled: CompiledTarget,
  { x, cholesky }: Mode,
  slice: Slice,
): AsyncIterable<Float64Array> {
  const dim = x.length;
  if (cholesky) {
    const covariance = inverseFromCholesky(cholesky, dim);
    for (let j = 0; j < dim; j++) {
      const sd = Math.sqrt(covariance[j * (dim + 1)]!);
      yield Float64Array.from({ length: dim }, (_, i) => covariance[i * dim + j]! / sd);
    }
    return;
  }
  const hessian = symmetrised(await negLogDensity(compiled).hessian(x, slice), dim);
  const greatest = diagonalOf(hessian, dim).reduce((a, h) => Math.max(a, Math.abs(h)), 0);
  if (!(greatest > 0) || !Number.isFinite(greatest)) return;
  for (let j = 0; j < dim; j++) hessian[j * (dim + 1)]! += 1e-7 * greatest;
  const factor = choleskyOf(hessian, dim);
  const far = 100 * (1 + x.reduce((a, v) => Math.max(a, Math.abs(v)), 0));
  if (factor) yield weakest(factor, dim).map((v) => far * v);
}

/** How far a coordinate is moved to see whether the density knows of it. */
const MOVES = [-1e6, -30, -1, 1, 30, 1e6];

/** Coordinates whose slope is the same wherever they are: 0 of what the model does not use, 1 of the logarithm of a scale that it does not use. */
function unused(compiled: CompiledTarget): number[] {
  const { dim } = compiled.target;
  const gradient = new Float64Array(dim);
  const at = new Generator(0, "anywhere").normals(new Float64Array(dim));
  if (!Number.isFinite(compiled.one.evaluate(at, gradient))) return [];
  const slopes = gradient.slice();
  return [...at.keys()].filter((j) =>
    MOVES.every((move) => {
      const there = at.with(j, move);
      return Number.isFinite(compiled.one.evaluate(there, gradient)) && gradient[j] === slopes[j];
    }),
  );
}

/** Distances, in sds but at least as many units, over which a density that can be normalised falls; the last two where they are finite. */
const LEDGE = [30, 60, 120, 1e4, 1e8];
/** So few nats below the mode what goes on for ever is not hidden from chains. */
const WITHIN_REACH = 20;

/** A coordinate along which the density, having fallen somewhat, falls no further: the mean of a component that may have no data. */
function endlessLedge(compiled: CompiledTarget, { x, logDensity, cholesky }: Mode): number | null {
  const sds = cholesky ? inverseDiagonal(cholesky, x.length).map(Math.sqrt) : x.map(() => 1);
  const gradient = new Float64Array(x.length);
  for (const [j, sd] of sds.entries()) {
    for (const side of [1, -1]) {
      let last = logDensity - WITHIN_REACH;
      const level = LEDGE.every((t, i) => {
        const value = compiled.one.evaluate(x.with(j, x[j]! + side * t * Math.max(1, sd)), gradient);
        const held = value >= last - 1e-6 || (i > 2 && !Number.isFinite(value));
        if (Number.isFinite(value)) last = value;
        return held;
      });
      if (level) return j;
    }
  }
  return null;
}

/**
 * Looks for a direction in which the density does not fall off, at the end of a search for a mode: the posterior cannot be normalised
 * then, as where a coefficient without a prior separates the data, or where data see the sum of two parameters alone.
 *
 * @throws NonFiniteError naming the coordinates of that direction
 */
export async function checkProper(compiled: CompiledTarget, mode: Mode, slice: Slice): Promise<void> {
  const { names, dim } = compiled.target;
  if (dim > MOST_COORDINATES || !Number.isFinite(mode.logDensity)) return;
  const idle = unused(compiled);
  if (idle.length) {
    const shown = idle.length > 4 ? [...idle.slice(0, 4).map((j) => names[j]), "…"] : idle.map((j) => names[j]);
    throw new NonFiniteError(
      `neither data nor a proper prior say anything of ${shown.join(", ")}: the posterior cannot be normalised. Give ` +
        `${idle.length > 1 ? "them proper priors" : "it a proper prior"}, or leave ${idle.length > 1 ? "them" : "it"} out.`,
    );
  }
  const ledge = endlessLedge(compiled, mode);
  if (ledge !== null) {
    throw new NonFiniteError(
      `the log density falls no further however far one goes along ${names[ledge]}, as that of a component's mean does where the component may have no ` +
        "data: the posterior cannot be normalised. Give it a proper prior.",
    );
  }
  const gradient = new Float64Array(dim);
  for await (const step of directionsAt(compiled, mode, slice)) {
    await slice();
    const most = Math.max(...step.map(Math.abs));
    // In the neck of a funnel nothing is far enough away to tell.
    if (!(most * STEPS.at(-1)! > LEAST_REACH)) continue;
    for (const side of [1, -1]) {
      const flat = STEPS.every((t) => {
        const value = compiled.one.evaluate(mode.x.map((x, j) => x + side * t * step[j]!), gradient); // biome-ignore format: short
        return Math.abs(value - mode.logDensity) < FLAT;
      });
      if (!flat) continue;
      const along = names.filter((_, j) => Math.abs(step[j]!) > 0.1 * most);
      const shown = along.length > 4 ? [...along.slice(0, 4), "…"] : along;
      throw new NonFiniteError(
        `the log density stays the same however far one goes along ${shown.join(", ")}: the posterior cannot be normalised. Give ` +
          `${along.length > 1 ? "them proper priors" : "it a proper prior"}, or data that tell ${along.length > 1 ? "them apart" : "where it ends"}.`,
      );
    }
  }
}
