import { Generator } from "../base/generator.ts";
import { lgamma } from "../base/special.ts";
import { type Approximation, squaredLengths } from "./approximation.ts";
import { choleskyOf, multiplyLowerRows } from "./symmetric-solve.ts";

/** Degrees of freedom: tails heavier than those of a posterior, bulk close to a Gaussian's. */
export const DEGREES = 8;

/** What can be drawn from, and its log density. */
export type Proposal = Pick<Approximation, "draw" | "logDensityOf">;

/** A multivariate Student t with location `mean` and scale matrix L Lᵀ ([dim, dim], by its factor), on the host; `degrees` is even. */
export function studentT(mean: Float64Array, factor: Float64Array, degrees = DEGREES): Proposal {
  return {
    draw: (n, seed) => drawStudentT(mean, factor, degrees, n, new Generator(seed, "student t")),
    logDensityOf: (x) => ofSquares(squaredLengths(x, mean, factor), factor, degrees),
  };
}

function drawStudentT(mean: Float64Array, factor: Float64Array, degrees: number, n: number, generator: Generator) {
  const dim = mean.length;
  const out = multiplyLowerRows(factor, generator.normals(new Float64Array(n * dim)), dim);
  for (let s = 0; s < n; s++) moveRow(out, s * dim, mean, stretchOf(degrees, generator));
  return out;
}

/** mean + stretch · row, in place of the row that begins there. */
function moveRow(rows: Float64Array, first: number, mean: Float64Array, stretch: number): void {
  for (let j = 0; j < mean.length; j++) rows[first + j] = mean[j]! + stretch * rows[first + j]!;
}

/** √(ν / χ²), of which a Student t is the product with a normal. χ² of an even ν: −2 times the logarithm of a product of ν / 2 uniforms. */
function stretchOf(degrees: number, generator: Generator): number {
  let product = 1;
  for (let k = 0; k < degrees; k += 2) product *= generator.uniform();
  return Math.sqrt(degrees / (-2 * Math.log(product)));
}

/** The t's log density where the squared lengths are these; a Gaussian's for infinite degrees. */
function ofSquares(squares: Float64Array, factor: Float64Array, degrees: number): Float64Array {
  const dim = Math.sqrt(factor.length);
  let logDeterminant = 0;
  for (let i = 0; i < dim; i++) logDeterminant += Math.log(factor[i * dim + i]!);
  const out = new Float64Array(squares.length);
  if (degrees === Infinity) {
    const constant = -(dim / 2) * Math.log(2 * Math.PI) - logDeterminant;
    for (let s = 0; s < out.length; s++) out[s] = constant - squares[s]! / 2;
    return out;
  }
  const constant =
    lgamma((degrees + dim) / 2) - lgamma(degrees / 2) - (dim / 2) * Math.log(degrees * Math.PI) - logDeterminant;
  for (let s = 0; s < out.length; s++) out[s] = constant - ((degrees + dim) / 2) * Math.log1p(squares[s]! / degrees);
  return out;
}

/** Factor of q's covariance; of its diagonal where q's family gives no more. */
export function factorOf({ dim, covariance, sd }: Approximation): Float64Array | null {
  if (covariance) return choleskyOf(covariance, dim);
  const diagonal = new Float64Array(dim * dim);
  for (let i = 0; i < dim; i++) diagonal[i * dim + i] = sd[i]!;
  return sd.every((s) => s > 0) ? diagonal : null;
}

/** Degrees of freedom of the wider t, which has no variance. */
const WIDE = 2;
/** Degrees of the part that a draw is from, by turns: three of eight from q, three from a Student t around it, two from the wider one. */
const TURNS = [Infinity, DEGREES, WIDE, Infinity, DEGREES, Infinity, DEGREES, WIDE] as const;
const LOG_SHARES = [Infinity, DEGREES, WIDE].map((d) => Math.log(TURNS.filter((turn) => turn === d).length / TURNS.length)); // biome-ignore format: one line
const OWN_TURNS = TURNS.filter((turn) => turn === Infinity).length;

/**
 * Draws by turns from q and from two Student t's of its mean and covariance: with the weights p over the mixture, no draw weighs more
 * than three times what it would under the first t, so that a q with too light a tail does not go unnoticed and is corrected (defensive
 * importance sampling: Hesterberg 1995). A moment needs weights times squares that have a variance: of a Student t with 5 degrees
 * they have none under 8, but they have under 2. The wide draws also meet what lies low and far around q.
 */
export function defended(q: Approximation): Proposal {
  const factor = factorOf(q);
  if (!factor) return q;
  const { dim, mean } = q;
  return {
    draw(n, seed) {
      const generator = new Generator(seed, "defended");
      const out = multiplyLowerRows(factor, generator.normals(new Float64Array(n * dim)), dim);
      const own = q.isGaussian ? null : q.draw(OWN_TURNS * Math.ceil(n / TURNS.length), seed);
      let taken = 0;
      for (let s = 0; s < n; s++) {
        const degrees = TURNS[s % TURNS.length]!;
        if (degrees !== Infinity) moveRow(out, s * dim, mean, stretchOf(degrees, generator));
        else if (!own) moveRow(out, s * dim, mean, 1);
        else {
          out.set(own.subarray(taken, taken + dim), s * dim);
          taken += dim;
        }
      }
      return out;
    },
    logDensityOf(x) {
      const squares = squaredLengths(x, mean, factor);
      const own = q.isGaussian ? ofSquares(squares, factor, Infinity) : q.logDensityOf(x);
      return mixed(own, ofSquares(squares, factor, DEGREES), ofSquares(squares, factor, WIDE));
    },
  };
}

/** The mixture's log density from those of its parts, in place of the first. */
function mixed(own: Float64Array, narrow: Float64Array, wide: Float64Array): Float64Array {
  const [ownShare, narrowShare, wideShare] = LOG_SHARES as [number, number, number];
  for (let s = 0; s < own.length; s++) {
    const a = own[s]! + ownShare;
    const b = narrow[s]! + narrowShare;
    const c = wide[s]! + wideShare;
    const most = Math.max(a, b, c);
    own[s] = most + Math.log(Math.exp(a - most) + Math.exp(b - most) + Math.exp(c - most));
  }
  return own;
}
