import { choleskyOf, inverseFromCholesky, solveCholesky, symmetrised } from "../symmetric-solve.ts";
import { type Sparse, sparseRows } from "./gaussian-state.ts";
import { type JointMoments, tiltedOnGrid } from "./grid.ts";
import { type Task, tiltedByQuadrature, tiltedNearby, workspace } from "./quadrature.ts";
import { type Character, characterise } from "./recognise.ts";
import type { SiteBlock } from "./sites.ts";
import { type Tilted, tiltedClosed } from "./tilted-form.ts";

/** The sites of a block with their approximations exp(ν·t − ½ tᵀ τ t), and what is needed to update them. */
export interface BlockState {
  readonly block: SiteBlock;
  readonly rows: Sparse;
  /** [count, k, k] and [count, k] */
  readonly tau: Float64Array;
  readonly nu: Float64Array;
  readonly characters: readonly Character[] | null;
  readonly last: (Tilted | null)[];
  readonly lastJoint: (JointMoments | null)[];
}

export function blockState(block: SiteBlock, dim: number, shift: Float64Array): BlockState {
  const { count, k, directions, width, slopes, offsets } = block;
  // The projections are of z − shift from here on.
  const moved = offsets.slice();
  for (let site = 0; site < count; site++) {
    for (let j = 0; j < k; j++) {
      let along = 0;
      for (let i = 0; i < dim; i++) along += directions[(site * k + j) * dim + i]! * shift[i]!;
      for (let w = 0; w < width; w++) moved[site * width + w]! += slopes[(site * width + w) * k + j]! * along;
    }
  }
  offsets.set(moved);
  return {
    block,
    rows: sparseRows(directions, dim),
    tau: new Float64Array(count * k * k),
    nu: new Float64Array(count * k),
    characters: k === 1 ? characterise(block) : null,
    last: Array(count).fill(null),
    lastJoint: Array(count).fill(null),
  };
}

/** Why a site was passed over in a sweep. */
export type Fault = "its cavity has no positive variance" | "its tilted distribution has no finite moments";

/** What one visit of a site asks for: its undamped change, how large that is, and the tilted normaliser. */
export interface Update {
  readonly deltaTau: Float64Array;
  readonly deltaNu: Float64Array;
  readonly size: number;
  readonly logNormaliser: number;
  /** log ∫ cavity · (site approximation)^α: what the tilted normaliser is compared with. */
  readonly logOwn: number;
}

const room = workspace();
const tilted: Tilted = { logNormaliser: 0, mean: 0, variance: 0 };

/** Relative precision that a cavity must keep of the marginal's. */
const LEAST_CAVITY = 1e-10;

/** Updates of sites with one projection, whose marginals under q are (mean, variance): integrals of all of them together. */
export function updatesAlong(
  state: BlockState,
  sites: readonly number[],
  marginals: readonly (readonly [mean: number, variance: number])[],
  alpha: number,
): (Update | Fault)[] {
  const { tau, nu, characters, last, block } = state;
  const found: (Update | Fault)[] = new Array(sites.length);
  const tasks: Task[] = [];
  const places: number[] = [];
  const cavities: (readonly [number, number])[] = [];
  for (const [i, site] of sites.entries()) {
    const [mean, variance] = marginals[i]!;
    const rest = 1 - alpha * tau[site]! * variance;
    if (!(rest > LEAST_CAVITY) || !Number.isFinite(mean)) {
      found[i] = "its cavity has no positive variance";
      cavities.push([0, 0]);
      continue;
    }
    const cavityVariance = variance / rest;
    const cavityMean = (mean - alpha * nu[site]! * variance) / rest;
    cavities.push([cavityMean, cavityVariance]);
    const { form } = characters![site]!;
    if (form && tiltedClosed(form, cavityMean, cavityVariance, alpha, tilted)) {
      found[i] = updateFrom(state, site, marginals[i]!, cavities[i]!, tilted, alpha);
    } else {
      const task = { site, mean: cavityMean, variance: cavityVariance, guess: last[site] ?? null };
      if (!characters![site]!.landmarks.breaks.length && tiltedNearby(block, task, alpha, tilted)) {
        last[site] = { ...tilted };
        found[i] = updateFrom(state, site, marginals[i]!, cavities[i]!, tilted, alpha);
        continue;
      }
      tasks.push(task);
      places.push(i);
    }
  }
  // In groups, so that memory stays bounded.
  for (let first = 0; first < tasks.length; first += GROUP) {
    const group = tasks.slice(first, first + GROUP);
    const landmarks = landmarksOf(state);
    for (const [g, moments] of tiltedByQuadrature(block, group, landmarks, alpha, room).entries()) {
      const i = places[first + g]!;
      const site = sites[i]!;
      found[i] = updateFrom(state, site, marginals[i]!, cavities[i]!, moments, alpha);
      last[site] = typeof found[i] === "string" ? null : moments;
    }
  }
  return found;
}

const GROUP = 256;
const cache = new WeakMap<readonly Character[], Character["landmarks"][]>();
function landmarksOf({ characters }: BlockState): readonly Character["landmarks"][] {
  let found = cache.get(characters!);
  if (!found) {
    found = characters!.map((c) => c.landmarks);
    cache.set(characters!, found);
  }
  return found;
}

function updateFrom(
  { tau, nu }: BlockState,
  site: number,
  [mean, variance]: readonly [number, number],
  [cavityMean, cavityVariance]: readonly [number, number],
  moments: Tilted,
  alpha: number,
): Update | Fault {
  const { logNormaliser } = moments;
  if (!(moments.variance > 0) || !Number.isFinite(moments.mean) || !Number.isFinite(logNormaliser)) {
    return "its tilted distribution has no finite moments";
  }
  // (natural parameters of the tilted distribution − of the cavity) / α − those of the site
  const deltaTau = (1 / moments.variance - 1 / cavityVariance) / alpha - tau[site]!;
  const deltaNu = (moments.mean / moments.variance - cavityMean / cavityVariance) / alpha - nu[site]!;
  const [t, b] = [alpha * tau[site]!, alpha * nu[site]!];
  const grown = 1 + t * cavityVariance;
  const shifted = cavityMean + b * cavityVariance;
  return {
    deltaTau: Float64Array.of(deltaTau),
    deltaNu: Float64Array.of(deltaNu),
    size: Math.max(Math.abs(deltaTau) * variance, Math.abs(deltaNu - deltaTau * mean) * Math.sqrt(variance)),
    logNormaliser,
    logOwn:
      0.5 *
      ((shifted * shifted) / (cavityVariance * grown) - (cavityMean * cavityMean) / cavityVariance - Math.log(grown)),
  };
}

/** The update of a site with several projections, whose marginal under q is N(mean, covariance) in them. */
export function updateJoint(
  state: BlockState,
  site: number,
  mean: Float64Array,
  covariance: Float64Array,
  alpha: number,
): Update | Fault {
  const { block, tau, nu, lastJoint } = state;
  const { k } = block;
  const own = tau.subarray(site * k * k, (site + 1) * k * k);
  const linear = nu.subarray(site * k, (site + 1) * k);
  const lower = choleskyOf(covariance, k);
  const precision = lower && inverseFromCholesky(lower, k);
  const cavityPrecision = precision?.map((p, i) => p - alpha * own[i]!);
  const cavityLower = cavityPrecision && choleskyOf(cavityPrecision, k);
  if (!precision || !cavityPrecision || !cavityLower) return "its cavity has no positive variance";
  const natural = times(precision, mean, k);
  const cavityNatural = natural.map((x, i) => x - alpha * linear[i]!);
  const cavity = {
    mean: solveCholesky(cavityLower, cavityNatural.slice()),
    covariance: symmetrised(inverseFromCholesky(cavityLower, k), k),
  };
  const moments = tiltedOnGrid(block, site, cavity, alpha, lastJoint[site] ?? null);
  const tiltedLower = moments && choleskyOf(moments.covariance, k);
  lastJoint[site] = tiltedLower ? moments : null;
  if (!moments || !tiltedLower) return "its tilted distribution has no finite moments";
  const tiltedPrecision = inverseFromCholesky(tiltedLower, k);
  const tiltedNatural = times(tiltedPrecision, moments.mean, k);
  const deltaTau = own.map((t, i) => (tiltedPrecision[i]! - cavityPrecision[i]!) / alpha - t);
  const deltaNu = linear.map((b, i) => (tiltedNatural[i]! - cavityNatural[i]!) / alpha - b);
  let size = 0;
  const drift = times(deltaTau, mean, k);
  for (let i = 0; i < k; i++) {
    const sd = Math.sqrt(covariance[i * k + i]!);
    size = Math.max(size, Math.abs(deltaNu[i]! - drift[i]!) * sd);
    for (let j = 0; j < k; j++) {
      size = Math.max(size, Math.abs(deltaTau[i * k + j]!) * sd * Math.sqrt(covariance[j * k + j]!));
    }
  }
  // Cavity and approximation^α together are q again, as far as these projections go.
  const half = (l: Float64Array, h: Float64Array, m: Float64Array): number => {
    let sum = 0;
    for (let i = 0; i < k; i++) sum += 0.5 * h[i]! * m[i]! - Math.log(l[i * k + i]!);
    return sum;
  };
  const precisionLower = choleskyOf(precision, k)!;
  const logOwn = half(precisionLower, natural, mean) - half(cavityLower, cavityNatural, cavity.mean);
  return { deltaTau, deltaNu, size, logNormaliser: moments.logNormaliser, logOwn };
}

function times(a: Float64Array, x: Float64Array, k: number): Float64Array {
  const out = new Float64Array(k);
  for (let i = 0; i < k; i++) for (let j = 0; j < k; j++) out[i]! += a[i * k + j]! * x[j]!;
  return out;
}
