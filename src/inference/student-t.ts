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
  for (let s = 0; s < n; s++) {
    // χ² of an even number of degrees: −2 times the logarithm of a product of half as many uniforms.
    let product = 1;
    for (let k = 0; k < degrees; k += 2) product *= generator.uniform();
    const stretch = Math.sqrt(degrees / (-2 * Math.log(product)));
    for (let i = s * dim, j = 0; j < dim; i++, j++) out[i] = mean[j]! + stretch * out[i]!;
  }
  return out;
}

/** The t's log density where the squared lengths are these. */
function ofSquares(squares: Float64Array, factor: Float64Array, degrees: number): Float64Array {
  const dim = Math.sqrt(factor.length);
  let logDeterminant = 0;
  for (let i = 0; i < dim; i++) logDeterminant += Math.log(factor[i * dim + i]!);
  const constant =
    lgamma((degrees + dim) / 2) - lgamma(degrees / 2) - (dim / 2) * Math.log(degrees * Math.PI) - logDeterminant;
  const out = new Float64Array(squares.length);
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

/** Which part a draw is from, by turns: three of eight from q, three from a Student t around it, two from a wider one. */
const TURNS = [0, 1, 2, 0, 1, 0, 1, 2] as const;
const SHARES = [0, 1, 2].map((part) => TURNS.filter((turn) => turn === part).length / TURNS.length);
/** Degrees of freedom of the wider one, which has no variance. */
const WIDE = 2;

/**
 * Draws by turns from q and from two Student t's of its mean and covariance: with the weights p over the mixture, no draw weighs more
 * than three times what it would under the first t, so that a q with too light a tail does not go unnoticed and is corrected (defensive
 * importance sampling: Hesterberg 1995). A moment needs weights times squares that have a variance: of a Student t with 5 degrees
 * they have none under 8, but they have under 2. The wide draws also meet what lies low and far around q.
 */
export function defended(q: Approximation): Proposal {
  const factor = factorOf(q);
  if (!factor) return q;
  const { dim } = q;
  const parts: readonly Proposal[] = [q, studentT(q.mean, factor), studentT(q.mean, factor, WIDE)];
  return {
    draw(n, seed) {
      const rounds = Math.ceil(n / TURNS.length);
      return byTurns(
        parts.map((part, k) => part.draw(rounds * SHARES[k]! * TURNS.length, seed + 7 * k)),
        n,
        dim,
      );
    },
    logDensityOf(x) {
      const squares = squaredLengths(x, q.mean, factor);
      return mixed(q.logDensityOf(x), ofSquares(squares, factor, DEGREES), ofSquares(squares, factor, WIDE));
    },
  };
}

/** n rows [n, dim], of each part's rows the next one when its turn comes. */
function byTurns(parts: readonly Float64Array[], n: number, dim: number): Float64Array {
  const out = new Float64Array(n * dim);
  const taken = parts.map(() => 0);
  for (let s = 0; s < n; s++) {
    const part = TURNS[s % TURNS.length]!;
    const from = taken[part]!++ * dim;
    const rows = parts[part]!;
    for (let i = 0; i < dim; i++) out[s * dim + i] = rows[from + i]!;
  }
  return out;
}

/** The mixture's log density from those of its parts, in place of the first. */
function mixed(own: Float64Array, narrow: Float64Array, wide: Float64Array): Float64Array {
  const [ownShare, narrowShare, wideShare] = SHARES.map(Math.log) as [number, number, number];
  for (let s = 0; s < own.length; s++) {
    const a = own[s]! + ownShare;
    const b = narrow[s]! + narrowShare;
    const c = wide[s]! + wideShare;
    const most = Math.max(a, b, c);
    own[s] = most + Math.log(Math.exp(a - most) + Math.exp(b - most) + Math.exp(c - most));
  }
  return own;
}
