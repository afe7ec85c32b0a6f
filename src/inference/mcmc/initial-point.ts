import { NonFiniteError, OptionError } from "../../base/errors.ts";
import { Generator } from "../../base/generator.ts";
import type { LogDensity } from "../log-density.ts";

const TRIES = 100;
/** Starting values are uniform on (−RADIUS, RADIUS), as Stan's. */
const RADIUS = 2;
/** A recursion that explodes is finite and yet no place to start from: the first of a few points whose −log density is not absurd beside the least. */
const CANDIDATES = 8;
const ABSURD = 1000;

export interface InitialPointOptions {
  readonly seed: number;
  readonly chain: number;
  /** Unconstrained coordinates to start from, [dim]. */
  readonly initial?: ArrayLike<number>;
  /** Names of the coordinates, for messages. */
  readonly names?: readonly string[];
}

/** What is not finite at `u`, in words, or null. */
function fault(logDensity: LogDensity, u: Float64Array, names?: readonly string[]): string | null {
  const gradient = new Float64Array(u.length);
  const value = logDensity.evaluate(u, gradient);
  if (!Number.isFinite(value)) return `the log density is ${value}`;
  const bad = gradient.findIndex((g) => !Number.isFinite(g));
  if (bad < 0) return null;
  return `the log density is finite, but its gradient in ${names?.[bad] ?? `coordinate ${bad}`} is ${gradient[bad]}`;
}

/**
 * A point with a finite log density and gradient: the one given, or the first of up to 100 drawn uniformly on (−2, 2) in each
 * unconstrained coordinate.
 *
 * @throws OptionError when the given point has another length
 * @throws NonFiniteError when the given point, or every drawn one, is not finite; names what was not
 */
export function initialPoint(logDensity: LogDensity, options: InitialPointOptions): Float64Array {
  const { dim } = logDensity;
  const { initial, names, chain } = options;
  if (initial) {
    if (initial.length !== dim)
      throw new OptionError(`chain ${chain + 1} was given ${initial.length} initial values; the density has ${dim}`);
    const u = Float64Array.from(initial);
    const found = fault(logDensity, u, names);
    if (found === null) return u;
    throw new NonFiniteError(
      `chain ${chain + 1} cannot start from the given initial values: ${found}. Give values inside the model's support.`,
    );
  }
  const generator = new Generator(options.seed, "initial", chain);
  const u = new Float64Array(dim);
  const gradient = new Float64Array(dim);
  const found = new Map<string, number>();
  const candidates: { readonly at: Float64Array; readonly cost: number }[] = [];
  for (let attempt = 0; attempt < TRIES && candidates.length < CANDIDATES; attempt++) {
    for (let i = 0; i < dim; i++) u[i] = RADIUS * (2 * generator.uniform() - 1);
    const message = fault(logDensity, u, names);
    if (message === null) candidates.push({ at: u.slice(), cost: -logDensity.evaluate(u, gradient) });
    else found.set(message, (found.get(message) ?? 0) + 1);
  }
  if (candidates.length) {
    const least = Math.min(...candidates.map((c) => c.cost));
    return candidates.find((c) => c.cost <= least + ABSURD * (100 + Math.abs(least)))!.at;
  }
  const [commonest, times] = [...found].reduce((a, b) => (b[1] > a[1] ? b : a));
  throw new NonFiniteError(
    `chain ${chain + 1} found no point to start from in ${TRIES} tries, uniform on (-${RADIUS}, ${RADIUS}) in each unconstrained ` +
      `coordinate: ${times === TRIES ? "each time" : `${times} times`} ${commonest}. Give initial values, or look for a term of ` +
      "the model that overflows or is undefined there.",
  );
}
