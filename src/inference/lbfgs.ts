import { type LinePoint, wolfeStep } from "./line-search.ts";
import type { Slice } from "./slicer.ts";

/** A smooth function to be minimised, on the host. */
export interface SmoothFunction {
  readonly dim: number;
  /** The value at x [dim]; writes the gradient into `gradient` [dim]. Anything not finite counts as +∞. */
  evaluate(x: Float64Array, gradient: Float64Array): number;
}

export interface LbfgsOptions {
  /** Pairs of steps and gradient changes that are kept. Default 10. */
  readonly memory?: number;
  /** Default 1000. */
  readonly maxIterations?: number;
  /** Stops when |scale_j · gradient_j| is at most this times max(1, |value|), for each j. Default 1e-9. */
  readonly gradientTolerance?: number;
  /** Stops when an iteration improves the value by less than this times max(1, |value|). Default 0: never. */
  readonly valueTolerance?: number;
  /** Typical size of each coordinate, [dim]: what is optimised is x / scale. Default ones. */
  readonly scale?: Float64Array;
  /**
   * Multiplies by an approximate inverse Hessian, in place; symmetric and positive definite. It takes the place of a multiple of
   * the identity at the start of the recursion.
   */
  readonly precondition?: (gradient: Float64Array) => void;
  /** Sees each accepted point, the first one included. The arrays are not to be kept. */
  readonly onIterate?: (x: Float64Array, gradient: Float64Array, value: number) => void;
}

export interface LbfgsResult {
  readonly x: Float64Array;
  readonly value: number;
  readonly gradient: Float64Array;
  readonly iterations: number;
  readonly evaluations: number;
  readonly converged: boolean;
  /** Why it stopped, in words. */
  readonly reason: string;
}

export function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function minus(a: Float64Array, b: Float64Array): Float64Array {
  const out = new Float64Array(a.length);
  for (let i = 0; i < a.length; i++) out[i] = a[i]! - b[i]!;
  return out;
}

interface Pair {
  readonly step: Float64Array;
  readonly change: Float64Array;
  /** 1 / stepᵀ change. */
  readonly rho: number;
}

/** H g by the two-loop recursion (Nocedal and Wright 2006, algorithm 7.4), in place of g. */
function twoLoop(g: Float64Array, pairs: readonly Pair[], initial: (g: Float64Array) => void): void {
  const alpha = new Float64Array(pairs.length);
  for (let k = pairs.length - 1; k >= 0; k--) {
    const { step, change, rho } = pairs[k]!;
    const a = rho * dot(step, g);
    alpha[k] = a;
    for (let i = 0; i < g.length; i++) g[i]! -= a * change[i]!;
  }
  initial(g);
  for (const [k, { step, change, rho }] of pairs.entries()) {
    const b = alpha[k]! - rho * dot(change, g);
    for (let i = 0; i < g.length; i++) g[i]! += b * step[i]!;
  }
}

/** The function of x / scale. A class, so that all searches run the same compiled method. */
class ScaledFunction implements SmoothFunction {
  readonly dim: number;
  evaluations = 0;
  private readonly fn: SmoothFunction;
  private readonly scale: Float64Array;
  private readonly unscaled: Float64Array;

  constructor(fn: SmoothFunction, scale: Float64Array) {
    this.dim = fn.dim;
    this.fn = fn;
    this.scale = scale;
    this.unscaled = new Float64Array(fn.dim);
  }

  /** NaN where the gradient is not finite. */
  evaluate(y: Float64Array, gradient: Float64Array): number {
    const { dim, fn, scale, unscaled } = this;
    this.evaluations++;
    for (let i = 0; i < dim; i++) unscaled[i] = y[i]! * scale[i]!;
    const value = fn.evaluate(unscaled, gradient);
    let finite = true;
    for (let i = 0; i < dim; i++) {
      const g = gradient[i]! * scale[i]!;
      gradient[i] = g;
      if (!Number.isFinite(g)) finite = false;
    }
    return finite ? value : Number.NaN;
  }
}

/**
 * Minimises by the limited-memory BFGS method (Liu and Nocedal 1989) with a strong Wolfe line search. Points where the function
 * is not finite are stepped back from.
 *
 * @param start  where to begin, [dim]; the function must be finite there, else the result says so and has not converged
 */
export function lbfgs(fn: SmoothFunction, start: ArrayLike<number>, options: LbfgsOptions = {}): LbfgsResult {
  const search = lbfgsSteps(fn, start, options);
  for (;;) {
    const { done, value } = search.next();
    if (done) return value;
  }
}

/** The same, with a pause before each iteration. */
export async function lbfgsSliced(
  fn: SmoothFunction,
  start: ArrayLike<number>,
  options: LbfgsOptions,
  slice: Slice,
): Promise<LbfgsResult> {
  const search = lbfgsSteps(fn, start, options);
  for (;;) {
    const { done, value } = search.next();
    if (done) return value;
    await slice();
  }
}

/** Yields before each iteration. */
function* lbfgsSteps(
  fn: SmoothFunction,
  start: ArrayLike<number>,
  options: LbfgsOptions,
): Generator<undefined, LbfgsResult, undefined> {
  const { memory = 10, maxIterations = 1000, gradientTolerance = 1e-9, valueTolerance = 0, precondition } = options;
  const { dim } = fn;
  const scale = options.scale ?? new Float64Array(dim).fill(1);
  /** All vectors below are in units of `scale`, so that the recursion's identity suits every coordinate. */
  const scaled = new ScaledFunction(fn, scale);
  const inScale = (g: Float64Array): void => {
    if (!precondition) return;
    for (let i = 0; i < dim; i++) g[i]! /= scale[i]!;
    precondition(g);
    for (let i = 0; i < dim; i++) g[i]! /= scale[i]!;
  };
  const { onIterate } = options;
  const report = (y: Float64Array, g: Float64Array) =>
    onIterate?.(y.map((v, i) => v * scale[i]!), g.map((v, i) => v / scale[i]!), value); // biome-ignore format: short

  let x: Float64Array = Float64Array.from({ length: dim }, (_, i) => start[i]! / scale[i]!);
  let gradient: Float64Array = new Float64Array(dim);
  let value = scaled.evaluate(x, gradient);
  let pairs: Pair[] = [];
  let iterations = 0;
  const finish = (converged: boolean, reason: string): LbfgsResult => ({
    x: x.map((v, i) => v * scale[i]!),
    value,
    gradient: gradient.map((v, i) => v / scale[i]!),
    iterations,
    evaluations: scaled.evaluations,
    converged,
    reason,
  });
  if (!Number.isFinite(value)) return finish(false, `the value at the start is ${value}`);
  report(x, gradient);
  const bottom = -1e12 * Math.max(1, Math.abs(value));
  for (; iterations < maxIterations; iterations++) {
    yield;
    let norm = 0;
    for (let i = 0; i < dim; i++) norm = Math.max(norm, Math.abs(gradient[i]!));
    if (value < bottom) return finish(false, "the value falls without end");
    if (norm <= gradientTolerance * Math.max(1, Math.abs(value))) return finish(true, "the gradient vanished");

    const direction = gradient.slice();
    const last = pairs.at(-1);
    twoLoop(direction, pairs, (g) => {
      if (precondition) inScale(g);
      else if (last) {
        const factor = 1 / (last.rho * dot(last.change, last.change));
        for (let i = 0; i < dim; i++) g[i]! *= factor;
      }
    });
    for (let i = 0; i < dim; i++) direction[i] = -direction[i]!;
    const slope = dot(direction, gradient);
    if (!(slope < 0 && Number.isFinite(slope))) {
      if (!pairs.length) return finish(false, "there is no direction of descent");
      pairs = [];
      continue;
    }
    // Without curvature the first step is at most one unit of each scale long.
    const first = pairs.length || precondition ? 1 : Math.min(1, 1 / norm);
    const points = new Map<number, { x: Float64Array; gradient: Float64Array }>();
    const at = (step: number): LinePoint => {
      const there = { x: new Float64Array(dim), gradient: new Float64Array(dim) };
      for (let i = 0; i < dim; i++) there.x[i] = x[i]! + step * direction[i]!;
      points.set(step, there);
      const found = scaled.evaluate(there.x, there.gradient);
      return { step, value: found, slope: dot(there.gradient, direction) };
    };
    const found = wolfeStep(at, { step: 0, value, slope }, first, {
      sufficient: 1e-4,
      curvature: 0.9,
      evaluations: 30,
    });
    if (!found) {
      if (!pairs.length) return finish(false, "no step along the gradient decreases the value");
      pairs = [];
      continue;
    }
    const next = points.get(found.step)!;
    const step = minus(next.x, x);
    const change = minus(next.gradient, gradient);
    const product = dot(step, change);
    // Where the curvature along the step is lost in rounding, the pair would spoil the recursion.
    if (product > 1e-12 * Math.sqrt(dot(step, step) * dot(change, change))) {
      pairs.push({ step, change, rho: 1 / product });
      if (pairs.length > memory) pairs.shift();
    }
    const improvement = value - found.value;
    [x, gradient, value] = [next.x, next.gradient, found.value];
    report(x, gradient);
    if (improvement < valueTolerance * Math.max(1, Math.abs(value))) {
      iterations++;
      return finish(true, "the value no longer changes");
    }
  }
  return finish(false, `the limit of ${maxIterations} iterations was reached`);
}
