import { Generator } from "../base/generator.ts";
import { type Approximation, hostGaussian, negElboOf } from "./approximation.ts";
import { type CompiledTarget, negLogDensity } from "./compiled-target.ts";
import { block, type ConditionalMode, type Held } from "./conditional-modes.ts";
import { type DensityBatch, hessianProducts, slicedLogDensities } from "./density-batch.ts";
import type { Mode } from "./laplace.ts";
import { LaplaceMarginal } from "./laplace-marginal.ts";
import { isMaximum } from "./modes.ts";
import type { Problem } from "./problem.ts";
import { mixtureMoments, mixtureOf } from "./proposal-mixture.ts";
import type { Slice } from "./slicer.ts";
import {
  choleskyOf,
  diagonalOf,
  inverseFromCholesky,
  solveLower,
  solveLowerTransposed,
  symmetrised,
} from "./symmetric-solve.ts";

/** At most so many coordinates are held. */
const MOST_HELD = 2;
/** The lattice's spacing in the held coordinates' sds, and the sd of each point's part, in spacings. */
const SPACING = 0.5;
const WIDTH = 0.7;
/** Share of the draws that go to all points alike: far out little is known of the mass. */
const EVEN = 0.15;
/** Change of the curvature over one sd of a coordinate, as the norm of the whitened matrix, from which on a Gaussian is far from the truth. */
const BENDS = 1.5;
/** Coordinates up to which it is tried, and up to which the change of the curvature is found exactly; beyond from so many random vectors. */
const MOST_COORDINATES = 100;
const FEW_COORDINATES = 12;
const PROBES = 8;
/** Points times squared coordinates, which is what the density of one draw takes. */
const MOST_WORK = 2e5;

/**
 * Which coordinates the posterior bends along: with these held, the rest is nearly Gaussian. Null where it bends along none, or along too many.
 *
 * @param precision  at the mode
 */
async function bends(
  compiled: CompiledTarget,
  x: Float64Array,
  precision: Float64Array,
  slice: Slice,
): Promise<Held | null> {
  const dim = x.length;
  const held: number[] = [];
  let rest = Array.from(x, (_, j) => j);
  for (;;) {
    const n = rest.length;
    const lower = choleskyOf(block(precision, dim, rest, rest), n);
    if (!lower) return null;
    const sizes = await changesOfCurvature(compiled.batch, x, lower, rest, slice);
    const most = Math.max(...sizes);
    if (!(most > BENDS)) return held.length ? { held, rest } : null;
    if (held.length === MOST_HELD || n === 1) return null;
    held.push(rest[sizes.indexOf(most)]!);
    rest = rest.filter((i) => !held.includes(i));
  }
}

/** The logarithms of single scales: a density that has no mode mostly rises without end where one of them falls. Null where they are too many. */
function scales({ coordinates, dim }: Problem): Held | null {
  const held = coordinates
    .filter(({ size, support }) => size === 1 && support.kind === "positive")
    .map((c) => c.offset);
  if (held.length === 0 || held.length > MOST_HELD || held.length === dim) return null;
  return { held, rest: Array.from({ length: dim }, (_, j) => j).filter((j) => !held.includes(j)) };
}

/**
 * Of each coordinate of the rest ‖L⁻¹ C L⁻ᵀ‖, where C is how the rest's Hessian changes over one sd of it, the others going along as their
 * regression on it says. From products with all units, or with a few random vectors: E |A v|² = ‖A‖².
 *
 * @param lower  L, the Cholesky factor of the rest's precision at x
 */
async function changesOfCurvature(
  batch: DensityBatch,
  x: Float64Array,
  lower: Float64Array,
  rest: readonly number[],
  slice: Slice,
): Promise<number[]> {
  const n = rest.length;
  const dim = x.length;
  const covariance = inverseFromCholesky(lower, n);
  const isFew = n <= FEW_COORDINATES;
  const count = isFew ? n : PROBES;
  const noise = new Generator(0, "curvature");
  const probes = Array.from({ length: count }, (_, p) => Float64Array.from(rest, (_, i) => (isFew ? Number(i === p) : noise.normal()))); // biome-ignore format: one line
  /** The probes in the rest's own units. */
  const headings = probes.map((v) => solveLowerTransposed(lower, v));
  const rows = 2 * n * count;
  const [places, directions] = [new Float64Array(rows * dim), new Float64Array(rows * dim)];
  for (let j = 0, row = 0; j < n; j++) {
    const sd = Math.sqrt(covariance[j * n + j]!);
    for (const heading of headings) {
      for (const side of [1, -1]) {
        const first = row++ * dim;
        places.set(x, first);
        for (const [i, at] of rest.entries()) {
          places[first + at]! += (side * covariance[i * n + j]!) / sd;
          directions[first + at] = heading[i]!;
        }
      }
    }
  }
  const products = await hessianProducts(batch, places, directions, slice);
  return rest.map((_, j) => {
    let sum = 0;
    for (let p = 0; p < count; p++) {
      const first = 2 * (j * count + p) * dim;
      const change = Float64Array.from(rest, (at) => (products[first + at]! - products[first + dim + at]!) / 2);
      for (const v of solveLower(lower, change)) sum += v * v;
    }
    return Math.sqrt(isFew ? sum : sum / count);
  });
}

/** The parts' places in the approximation, the held coordinates first. */
function gaussianOf({ values, rest, slopes, cholesky }: ConditionalMode, axes: Float64Array) {
  const [m, n] = [values.length, rest.length];
  const dim = m + n;
  const inner = choleskyOf(inverseFromCholesky(cholesky, n), n)!;
  const factor = new Float64Array(dim * dim);
  for (let i = 0; i < m; i++) for (let j = 0; j <= i; j++) factor[i * dim + j] = WIDTH * axes[i * m + j]!;
  for (let i = 0; i < n; i++) {
    const row = (m + i) * dim;
    for (let j = 0; j < m; j++) for (let k = j; k < m; k++) factor[row + j]! += slopes[i * m + k]! * factor[k * dim + j]!; // biome-ignore format: one line
    for (let j = 0; j <= i; j++) factor[row + m + j] = inner[i * n + j]!;
  }
  return hostGaussian(Float64Array.from([...values, ...rest]), factor);
}

/** Columns of rows [·, dim] in another order: `order` says where each comes from. */
function reordered(rows: Float64Array, order: readonly number[]): Float64Array {
  const dim = order.length;
  const out = new Float64Array(rows.length);
  for (let at = 0; at < rows.length; at += dim) for (let i = 0; i < dim; i++) out[at + i] = rows[at + order[i]!]!;
  return out;
}

/**
 * Laplace's method nested (Rue, Martino and Chopin 2009): where the posterior bends along one or two coordinates, as a hierarchy does along the
 * logarithm of its scale, the others are nearly Gaussian at each value of those. The approximation is a mixture of such Gaussians over a lattice
 * of values, each weighed by its mass. It needs no mode: a hierarchy's density may rise without end where its scale falls, but the mass does not.
 *
 * @param ends  where searches ended: the best mode, and where the density is higher without being one
 * @returns     null where the posterior bends along no coordinate, along more than two, or may have mass where the density is higher
 */
export async function nestedLaplace(
  problem: Problem,
  compiled: CompiledTarget,
  { best: mode, above }: { readonly best: Mode; readonly above: readonly Mode[] },
  seed: number,
  slice: Slice,
): Promise<Approximation | null> {
  const since = performance.now();
  const { dim, names } = problem;
  if (dim > MOST_COORDINATES) return null;
  const fn = negLogDensity(compiled);
  const covariance = isMaximum(mode) ? inverseFromCholesky(mode.cholesky, dim) : null;
  const division =
    covariance && above.length === 0
      ? await bends(compiled, mode.x, symmetrised(await fn.hessian(mode.x, slice), dim), slice)
      : scales(problem);
  if (!division) return null;
  const { held, rest } = division;
  const marginal = new LaplaceMarginal(fn, division, slice);
  const unit = Float64Array.from(held, (j) => (covariance ? Math.sqrt(covariance[j * dim + j]!) : 1));
  const values = Float64Array.from(held, (j) => (covariance ? mode.x[j]! : 0));
  const first = await marginal.at(values, Float64Array.from(rest, (j) => mode.x[j]!)); // biome-ignore format: one line
  const top = first && (await marginal.climb(first, unit));
  const axes = top && (await marginal.axes(top, unit))?.map((a) => a * SPACING);
  const points = axes && (await marginal.lattice(top, axes));
  if (!points || points.length * dim ** 2 > MOST_WORK) return null;
  for (const { x } of above) {
    const there = Float64Array.from(held, (j) => x[j]!);
    if (!(await marginal.endsBefore(there, points))) return null;
  }

  const best = Math.max(...points.map(({ logMass }) => logMass));
  const masses = points.map(({ logMass }) => Math.exp(logMass - best));
  const total = masses.reduce((a, b) => a + b, 0);
  const shares = masses.map((mass) => (1 - EVEN) * (mass / total) + EVEN / points.length);
  const parts = points.map((point) => gaussianOf(point, axes));
  const mixture = mixtureOf(parts, shares, dim);
  const order = [...held, ...rest];
  const back = order.map((_, j) => order.indexOf(j));
  const draw = (n: number, from: number) => reordered(mixture.draw(n, from), back);
  const logDensityOf = (x: Float64Array) => mixture.logDensityOf(reordered(x, order));
  const moments = mixtureMoments(parts, shares);
  const covarianceOfAll = block(moments.covariance, dim, back, back);
  await slice();
  const fresh = draw(256, seed);
  return {
    family: "nested laplace",
    dim,
    params: Float64Array.from(parts.flatMap((part, k) => [shares[k]!, ...part.mean, ...part.covariance])),
    mean: reordered(moments.mean, back),
    covariance: covarianceOfAll,
    sd: diagonalOf(covarianceOfAll, dim).map(Math.sqrt),
    ...negElboOf(logDensityOf(fresh), await slicedLogDensities(compiled.batch, fresh, slice)),
    converged: true,
    reason: `${points.length} points along ${held.map((j) => names[j]).join(" and ")}`,
    evaluations: marginal.evaluations + fresh.length / dim,
    seconds: (performance.now() - since) / 1000,
    draw,
    logDensityOf,
  };
}
