import { Generator } from "../base/generator.ts";
import { essMean } from "../diagnostics/ess.ts";
import { type CompiledTarget, negLogDensity, startingPoint } from "./compiled-target.ts";
import { Components } from "./components.ts";
import { findMode, type Mode } from "./laplace.ts";
import { dot, lbfgsSliced } from "./lbfgs.ts";
import type { ChainsResult } from "./mcmc/chains.ts";
import type { Coordinates } from "./problem.ts";
import type { Slice } from "./slicer.ts";
import { diagonalOf, inverseDiagonal } from "./symmetric-solve.ts";

/** Starts besides the first that are uniform on (−2, 2), and on the wider (−10, 10). */
const NEAR = 3;
const WIDE = 2;
/** Distances, in a mode's sds, of starts that lie opposite each other about it; the farthest in two directions. */
const FAR = [6, 25, 100, 400, 400];
/**
 * In at most FEW dimensions so many points about the first mode, from CLOUD[0] to CLOUD[1] sds away, are looked at: where the density
 * falls towards that mode there is another one, whose basin may be too narrow for the starts above. Searches go out from the highest.
 */
const FEW = 4;
const POINTS = 1000;
const CLOUD = [1.5, 25] as const;
const HIGHEST = 20;
/** Where there are several modes there may be more: so many are searched about, each in turn. */
export const SEARCHED_ABOUT = 8;
/** Nats below the best density at which a search from far away is given up. */
const HOPELESS = 40;

/**
 * Where searches ended in different maxima, or parts of the posterior are alike, more go out: until the best has been found so many times by starts
 * that do not know of it, and so many of any kind, for each component, have bettered nothing; at most so many in all.
 */
const HITS = 4;
const IDLE = 4;
const MOST_MORE = 100;
/** Nats by which two ends of searches differ that are not the same mode, nor mirror images. */
const SAME = 0.01;

/** A search's end, and whether it began near 0, where a model's parameters are expected. */
export interface Found extends Mode {
  readonly near: boolean;
}

/** A maximum where Laplace's method has a Gaussian. */
export const isMaximum = (mode: Mode): mode is Mode & { readonly cholesky: Float64Array } =>
  mode.converged && mode.cholesky !== null;

/** log of the mass under a mode as its Gaussian has it, up to a constant: log p(mode) − ½ log det H. */
function logMass({ logDensity, cholesky }: Mode): number {
  if (!cholesky) return logDensity;
  const dim = Math.sqrt(cholesky.length);
  return diagonalOf(cholesky, dim).reduce((sum, pivot) => sum - Math.log(pivot), logDensity);
}

const knownSds = new WeakMap<Mode, Float64Array>();

/** sds of a mode's Gaussian, each mode's computed once; 1 where it has none. */
function sdsOf(mode: Mode): Float64Array {
  const { x, cholesky } = mode;
  const sds = knownSds.get(mode) ?? (cholesky ? inverseDiagonal(cholesky, x.length).map(Math.sqrt) : x.map(() => 1));
  knownSds.set(mode, sds);
  return sds;
}

/** Distance of two points in sds, by the coordinate in which it is greatest. */
const distance = (x: Float64Array, y: Float64Array, sd: ArrayLike<number>): number =>
  x.reduce((most, value, j) => Math.max(most, Math.abs(value - y[j]!) / sd[j]!), 0);

/**
 * The ends of searches for modes: from 0 (or where there is a finite density near it), from places dispersed around it, and from
 * places far from the first mode on both sides. Searches from far away are cut short where they lead to nothing. Between searches the
 * host has its turn.
 */
export async function dispersedModes(
  compiled: CompiledTarget,
  seed: number,
  slice: Slice,
  coordinates: readonly Coordinates[] = [],
  mixed = false,
): Promise<Found[]> {
  const { dim } = compiled.target;
  const generator = new Generator(seed, "dispersed starts");
  const gradient = new Float64Array(dim);
  const usable = (x: Float64Array) =>
    Number.isFinite(compiled.one.evaluate(x, gradient)) && gradient.every(Number.isFinite);
  const uniform = (radius: number) => Float64Array.from({ length: dim }, () => radius * (2 * generator.uniform() - 1));
  const found: Found[] = [
    { ...(await findMode(compiled, startingPoint(compiled, undefined, seed), slice)), near: true },
  ];
  const fn = negLogDensity(compiled);
  /** What is at a rough search's end, where that is not a maximum which is known. */
  const refine = async (rough: Float64Array, near: boolean): Promise<void> => {
    if (found.some((m) => isMaximum(m) && distance(rough, m.x, sdsOf(m)) < 0.1)) return;
    found.push({ ...(await findMode(compiled, rough, slice)), near });
  };
  /** Log densities at the ends of searches whose starts do not depend on modes. */
  const ends: number[] = [];
  const search = async (starts: readonly Float64Array[], around: Mode, near = false, apart = near): Promise<void> => {
    for (const start of starts) {
      await slice();
      if (!usable(start)) continue;
      // Relative to the value: nearer than that to the mode they would not be told apart.
      const valueTolerance = Math.min(1e-6, 1e-4 / Math.abs(bestOf(found).logDensity));
      const limits = { scale: sdsOf(around), maxIterations: Math.max(100, 2 * dim), valueTolerance };
      const rough = await lbfgsSliced(fn, start, limits, slice);
      if (apart) ends.push(-rough.value);
      if (near || -rough.value > bestOf(found).logDensity - HOPELESS) await refine(rough.x, near);
    }
  };
  await search(
    Array.from({ length: NEAR }, () => uniform(2)),
    found[0]!,
    true,
  );
  const about = (mode: Mode): Float64Array[] =>
    directions(generator, dim, FAR.length).flatMap((direction, k) =>
      [1, -1].map((side) => mode.x.map((m, j) => m + side * FAR[k]! * sdsOf(mode)[j]! * direction[j]!)),
    );
  const first = bestOf(found);
  await search(
    Array.from({ length: WIDE }, () => uniform(10)),
    first,
    false,
    true,
  );
  await search(about(first), first);
  if (dim <= FEW) await search(await turnedAway(compiled, first, sdsOf(first), seed, slice), first);
  const maxima = found.filter(isMaximum);
  if (mixed || maxima.some((m) => Math.abs(m.logDensity - bestOf(found).logDensity) > SAME)) {
    const parts = new Components(coordinates);
    for (let more = 0, idle = 0; more < MOST_MORE; more++) {
      const best = bestOf(found);
      const hits = ends.filter((value) => value > best.logDensity - SAME).length;
      if (hits >= HITS && idle >= IDLE * Math.max(2, parts.most)) break;
      const apart = more % 2 === 0;
      const ofParts = apart ? parts.redrawn : parts.moved;
      await search([parts.any ? ofParts.call(parts, best.x, generator) : uniform(3)], best, false, apart);
      idle = bestOf(found).logDensity > best.logDensity + SAME ? 0 : idle + 1;
    }
  }
  const searched: Mode[] = [first];
  while (searched.length < SEARCHED_ABOUT) {
    const best = bestOf(found);
    const others = [best, ...modesBeside(best, found)].filter((m) => isMaximum(m) && !searched.some((old) => distance(m.x, old.x, sdsOf(m)) < 0.5)); // biome-ignore format: one line
    if (!others.length) break;
    for (const mode of others.slice(0, SEARCHED_ABOUT - searched.length)) {
      searched.push(mode);
      await search(about(mode), mode);
    }
  }
  return found;
}

/** Of points around a mode those at which the density falls towards it, the highest first. */
async function turnedAway(
  compiled: CompiledTarget,
  { x: mode }: Mode,
  sd: Float64Array,
  seed: number,
  slice: Slice,
): Promise<Float64Array[]> {
  const generator = new Generator(seed, "points around the mode");
  const gradient = new Float64Array(mode.length);
  const found: { readonly x: Float64Array; readonly logDensity: number }[] = [];
  for (let i = 0; i < POINTS; i++) {
    await slice();
    const direction = mode.map(() => generator.normal());
    const radius = CLOUD[0] * (CLOUD[1] / CLOUD[0]) ** generator.uniform();
    const x = mode.map((m, j) => m + (radius / Math.hypot(...direction)) * sd[j]! * direction[j]!);
    const logDensity = compiled.one.evaluate(x, gradient);
    if (dot(gradient, x.map((v, j) => v - mode[j]!)) > 0) found.push({ x, logDensity }); // biome-ignore format: short
  }
  return found.sort((a, b) => b.logDensity - a.logDensity).slice(0, HIGHEST).map(({ x }) => x); // biome-ignore format: short
}

/** Directions at right angles to one another, as many as there are dimensions, then others; normal, so of length √dim or so. */
function directions(generator: Generator, dim: number, count: number): Float64Array[] {
  const all: Float64Array[] = [];
  while (all.length < count) {
    const direction = Float64Array.from({ length: dim }, () => (dim === 1 ? 1 : generator.normal()));
    const length = Math.hypot(...direction);
    for (const other of all.slice(all.length - (all.length % dim))) {
      const share = dot(direction, other) / dot(other, other);
      for (let j = 0; j < dim; j++) direction[j]! -= share * other[j]!;
    }
    const left = Math.hypot(...direction);
    if (left > 1e-3 * length) all.push(direction.map((d) => (d * length) / left));
  }
  return all;
}

/** The mode with most mass under its Gaussian; where none was reached, the highest density. */
export function bestOf(found: readonly Found[]): Found {
  const modes = found.filter(isMaximum);
  if (modes.length) return modes.reduce((a, b) => (logMass(b) > logMass(a) ? b : a));
  return found.reduce((a, b) => (b.logDensity > a.logDensity ? b : a));
}

/**
 * A mode beside another is of no weight when its share of the mass, times the square of its distance in sds, which is what it adds to
 * the variance, is below this. Both masses are Gaussian guesses, so that a power of ten is kept in hand.
 */
const NEGLIGIBLE = 2e-3;
/** The same by density, in nats, where the mass under a mode is not known. */
const NEGLIGIBLE_DENSITY = 12;

/** Modes that a posterior approximated at the best one should not leave out, each once. */
export function modesBeside(best: Mode, found: readonly Found[]): Found[] {
  const sd = sdsOf(best);
  const beside: Found[] = [];
  for (const mode of found) {
    if (!mode.converged) continue;
    const apart = distance(mode.x, best.x, sd);
    if (apart < 0.5 || beside.some((m) => distance(mode.x, m.x, sd) < 0.5)) continue;
    const matters =
      mode.cholesky && best.cholesky
        ? logMass(mode) - logMass(best) + Math.log1p(apart ** 2) > Math.log(NEGLIGIBLE)
        : mode.logDensity > best.logDensity - NEGLIGIBLE_DENSITY;
    if (matters) beside.push(mode);
  }
  return beside;
}

/** Ends of searches that began near 0, where the density is higher than at the best mode, though they are none: mostly spikes, without mass. */
export const endsAbove = (best: Mode, found: readonly Found[]): Found[] =>
  found.filter((m) => m.near && !isMaximum(m) && m.logDensity > best.logDensity + 0.01);

/** In words what speaks against there being one mode; null where nothing does. */
export function otherModes(best: Mode, found: readonly Found[]): string | null {
  if (endsAbove(best, found).length) {
    return "a search from another start found a higher density than at the mode that was approximated.";
  }
  return modesBeside(best, found).length
    ? "searches from dispersed starts ended in different modes, and one approximation sees one of them."
    : null;
}

/** Effective visits of a mode from which on its share of the mass is known well enough. */
const VISITS = 100;

/**
 * In words, that chains did not pass often enough between the modes that searches found, though each agrees with the others; null
 * where they did. A draw belongs to the mode whose Gaussian has most density there.
 *
 * @param modes  the best one and those beside it
 */
export function doubtOfModes(
  { chains, count }: ChainsResult,
  modes: readonly Mode[],
  names: readonly string[],
): string | null {
  if (modes.length < 2 || !modes.every(isMaximum)) return null;
  const { dim } = chains[0]!;
  const rest = new Float64Array(dim);
  const belongs = chains.map(({ draws }) =>
    Float64Array.from({ length: count }, (_, d) => {
      const densities = modes.map(({ x, cholesky, logDensity }) => {
        for (let j = 0; j < dim; j++) rest[j] = draws[d * dim + j]! - x[j]!;
        let square = 0;
        // |Lᵀ (u − x)|² with L Lᵀ the precision.
        for (let j = 0; j < dim; j++) {
          let sum = 0;
          for (let i = j; i < dim; i++) sum += cholesky![i * dim + j]! * rest[i]!;
          square += sum * sum;
        }
        return logDensity - square / 2;
      });
      return densities.indexOf(Math.max(...densities));
    }),
  );
  for (const [k, { x }] of modes.entries()) {
    const there = belongs.map((chain) => chain.map((at) => (at === k ? 1 : 0)));
    if (essMean(there) >= VISITS) continue;
    const apart = names.map((_, j) => Math.abs(x[j]! - modes[k === 0 ? 1 : 0]!.x[j]!) / sdsOf(modes[0]!)[j]!);
    const j = apart.indexOf(Math.max(...apart));
    return `searches found a mode at ${names[j]} = ${Number(x[j]!.toPrecision(3))} which the chains visit too rarely for its share to be known.`;
  }
  return null;
}
