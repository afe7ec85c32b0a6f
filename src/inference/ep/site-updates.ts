import type { Slice } from "../slicer.ts";
import { choleskyOf, inverseFromCholesky, solveCholesky, symmetrised } from "../symmetric-solve.ts";
import { type Sparse, sparseRows } from "./gaussian-state.ts";
import { type JointMoments, tiltedOnGrid } from "./grid.ts";
import { type Task, tiltedByQuadrature, tiltedNearby, workspace } from "./quadrature.ts";
import type { Character, SiteBlock } from "./site-block.ts";
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

export function blockState(block: SiteBlock, dim: number): BlockState {
  const { count, k, directions } = block;
  return {
    block,
    rows: sparseRows(directions, dim),
    tau: new Float64Array(count * k * k),
    nu: new Float64Array(count * k),
    characters: block.characters,
    last: Array(count).fill(null),
    lastJoint: Array(count).fill(null),
  };
}

/** Why a site was passed over in a sweep. */
export type Fault = "its cavity has no positive variance" | "its tilted distribution has no finite moments";

/** What one visit of a site asks for: its undamped change, how large that is, and the tilted normaliser. */
export interface Update {
  readonly deltaTau: ArrayLike<number>;
  readonly deltaNu: ArrayLike<number>;
  readonly size: number;
  readonly logNormaliser: number;
  /** log ∫ cavity · (site approximation)^α: what the tilted normaliser is compared with. */
  readonly logOwn: number;
}

const room = workspace();
const tilted: Tilted = { logNormaliser: 0, mean: 0, variance: 0 };

/** Relative precision that a cavity must keep of the marginal's. */
const LEAST_CAVITY = 1e-10;

const cavity = { mean: 0, variance: 0 };

/**
 * The update of a site with one projection, whose marginal under q is N(mean, variance), where it takes no adaptive integral: null
 * where it does, with what is left without the site in `cavity`.
 */
function updateQuickly(
  state: BlockState,
  site: number,
  mean: number,
  variance: number,
  alpha: number,
): Update | Fault | null {
  const { tau, nu, last, block } = state;
  const rest = 1 - alpha * tau[site]! * variance;
  if (!(rest > LEAST_CAVITY) || !Number.isFinite(mean)) return "its cavity has no positive variance";
  cavity.variance = variance / rest;
  cavity.mean = (mean - alpha * nu[site]! * variance) / rest;
  const { form, landmarks } = state.characters![site]!;
  if (form && tiltedClosed(form, cavity.mean, cavity.variance, alpha, tilted)) {
    return updateFrom(state, site, mean, variance, cavity, tilted, alpha);
  }
  const guess = last[site];
  if (!guess || landmarks.breaks.length || !tiltedNearby(block, { site, ...cavity, guess }, alpha, tilted)) return null;
  last[site] = { ...tilted };
  return updateFrom(state, site, mean, variance, cavity, tilted, alpha);
}

/** Updates of sites with one projection, whose marginals under q are (mean, variance): integrals of all of them together. */
export async function updatesAlong(
  state: BlockState,
  sites: readonly number[],
  marginals: readonly (readonly [mean: number, variance: number])[],
  alpha: number,
  slice: Slice,
): Promise<(Update | Fault)[]> {
  const { last } = state;
  const tasks: Task[] = [];
  const places: number[] = [];
  const found: (Update | Fault)[] = [];
  for (const [i, site] of sites.entries()) {
    if (i % GROUP === GROUP - 1) await slice();
    const [mean, variance] = marginals[i]!;
    const quick = updateQuickly(state, site, mean, variance, alpha);
    found.push(quick ?? "its tilted distribution has no finite moments");
    if (quick) continue;
    tasks.push({ site, ...cavity, guess: last[site] ?? null });
    places.push(i);
  }
  // In groups, so that memory stays bounded, and the host has its turn.
  for (let first = 0; first < tasks.length; first += GROUP) {
    if (first) await slice();
    const group = places.slice(first, first + GROUP);
    const updates = byIntegrals(state, tasks.slice(first, first + GROUP), group.map((i) => marginals[i]!), alpha); // biome-ignore format: one line
    for (const [g, i] of group.entries()) found[i] = updates[g]!;
  }
  return found;
}

/** The update of one site with one projection. */
export function updateAlong(
  state: BlockState,
  site: number,
  mean: number,
  variance: number,
  alpha: number,
): Update | Fault {
  const quick = updateQuickly(state, site, mean, variance, alpha);
  return quick ?? byIntegrals(state, [{ site, ...cavity, guess: state.last[site] ?? null }], [[mean, variance]], alpha)[0]!; // biome-ignore format: one line
}

/** Updates by adaptive integrals, of all tasks together. */
function byIntegrals(
  state: BlockState,
  tasks: readonly Task[],
  marginals: readonly (readonly [mean: number, variance: number])[],
  alpha: number,
): (Update | Fault)[] {
  return tiltedByQuadrature(state.block, tasks, landmarksOf(state), alpha, room).map((moments, i) => {
    const { site } = tasks[i]!;
    const found = updateFrom(state, site, ...marginals[i]!, tasks[i]!, moments, alpha);
    state.last[site] = typeof found === "string" ? null : moments;
    return found;
  });
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
  mean: number,
  variance: number,
  { mean: cavityMean, variance: cavityVariance }: { readonly mean: number; readonly variance: number },
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
    deltaTau: [deltaTau],
    deltaNu: [deltaNu],
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
