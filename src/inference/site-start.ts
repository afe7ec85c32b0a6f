import { f64, gradient, program } from "../program/program.ts";
import { full, where } from "../tensor/functions.ts";
import type { Approximation } from "./approximation.ts";
import { MemoryVector } from "./compile.ts";
import { lbfgs, type SmoothFunction } from "./lbfgs.ts";
import type { Problem } from "./problem.ts";
import { moved, pulledBack, type SiteProduct, type SiteScaling } from "./site-family.ts";
import { choleskyOf, solveLowerTransposed } from "./symmetric-solve.ts";

const DRAWS = 256;
const SCORES = 512;
/** Of a search each: after it, q has other units. */
const ROUNDS = 25;
/** Free numbers at which families are looked for that have a density: as a logarithm, 55. */
const HIGHEST = 4;
/** Elements with more free numbers than this are scaled number by number. */
const MOST_JOINT = 6;

/**
 * Where a product over sites begins, and in which units it moves. It begins where it is nearest to a Gaussian of the unconstrained
 * coordinates, in KL(Gaussian ‖ q), or where the user says; the units make the Fisher information of each element the identity.
 */
export async function siteStart(
  problem: Problem,
  product: SiteProduct,
  near: Pick<Approximation, "mean" | "sd" | "draw">,
  seed: number,
): Promise<SiteScaling> {
  const { dim, runtime, deterministic } = problem;
  const { rawSize, sites } = product;
  const row = f64([rawSize]);
  const [given, fit, scored] = await Promise.all([
    program({
      runtime,
      deterministic,
      inputs: { raw: row },
      body: ({ inputs: { raw } }) => ({
        outputs: Object.fromEntries(sites.flatMap((s) => {
          const start = s.start(raw);
          return start ? [[s.name, start]] : [];
        })), // biome-ignore format: one record
      }),
    }),
    program({
      runtime,
      deterministic,
      inputs: { raw: row, u: f64([DRAWS, dim]) },
      body: ({ inputs: { raw, u } }) => {
        const logQ = sites.map((s) =>
          s.logProb(raw.narrow(0, s.from, s.elements * s.width), u.narrow(1, s.at, s.size)),
        );
        // Draws outside of what a narrower q reaches do not count.
        const cross = logQ.map((l) => where(l.eq(-Infinity), 0, l).mean()).reduce((a, b) => a.add(b)).neg(); // biome-ignore format: short
        return { outputs: { cross, slope: gradient(cross, [raw])[0]! } };
      },
    }),
    program({
      runtime,
      deterministic,
      inputs: { raw: row },
      body: ({ inputs: { raw }, rng }) => {
        const u = product.draw(raw, rng.site("scores"), SCORES).stopGradient();
        const rows = full(raw, [SCORES, rawSize], 0).add(raw);
        return { outputs: { scores: gradient(product.logProb(rows, u).sum(), [rows])[0]! } };
      },
    }),
  ]);

  const place = runtime.buffer("f64", [rawSize]);
  const points = runtime.buffer("f64", [DRAWS, dim]);
  new MemoryVector(points).values.set(near.draw(DRAWS, seed));
  fit.prepare({ raw: place, u: points });
  const at = new MemoryVector(place);
  const [value, slope] = [new MemoryVector(fit.outputs.cross), new MemoryVector(fit.outputs.slope)];
  const factorsAt = (raw: Float64Array): SiteScaling["factors"] => {
    scored.call({ raw }, seed);
    return factorsOf(product, scored.outputs.scores.read() as Float64Array);
  };
  let base = beginning(product, near, 0);
  for (let level = 1; level <= HIGHEST; level++) {
    at.values.set(base);
    fit.step();
    if (Number.isFinite(value.values[0]!) && slope.values.every(Number.isFinite)) break;
    base = beginning(product, near, level);
  }
  let before = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const scaling = { base, factors: factorsAt(base) };
    const crossEntropy: SmoothFunction = {
      dim: rawSize,
      evaluate(phi, into) {
        at.values.set(moved(product, scaling, phi));
        fit.step();
        into.set(pulledBack(product, scaling, slope.values));
        return value.values[0]!;
      },
    };
    const found = lbfgs(crossEntropy, new Float64Array(rawSize), { gradientTolerance: 1e-12, maxIterations: 30 });
    base = moved(product, scaling, found.x);
    if (!(found.value < before - 1e-6)) break;
    before = found.value;
  }
  given.call({ raw: base });
  for (const s of sites) {
    const start = (given.outputs as Record<string, { read(): ArrayLike<number> }>)[s.name];
    if (start) base.set(start.read(), s.from);
  }
  return { base, factors: factorsAt(base) };
}

/**
 * Gaussians where they belong; families of the user's with all their free numbers 0, from where the search leads them, or higher where
 * there is no such member: a Wishart of n rows has more than n − 1 degrees of freedom.
 */
function beginning(
  { sites, rawSize }: SiteProduct,
  near: Pick<Approximation, "mean" | "sd">,
  level: number,
): Float64Array {
  // biome-ignore format: one line
  const raw = new Float64Array(rawSize).fill(level);
  for (const { family, from, at, size } of sites) {
    if (family !== "normal (unconstrained)") continue;
    for (let j = 0; j < size; j++) raw.set([near.mean[at + j]!, Math.log(near.sd[at + j]!)], from + 2 * j);
  }
  return raw;
}

/**
 * C with Cᵀ F C = I, F the mean outer product of the scores [n, rawSize] of one element. Numbers without a unit have 1 added to their
 * information: where q begins it may hardly depend on them, and a step in such units would lead to where it does not at all.
 */
function factorsOf({ sites, rawSize }: SiteProduct, scores: Float64Array): SiteScaling["factors"] {
  const n = scores.length / rawSize;
  return sites.map(({ from, elements, width, unitless }) => {
    const diagonal = width > MOST_JOINT;
    const values = new Float64Array(elements * width * (diagonal ? 1 : width));
    for (let e = 0; e < elements; e++) {
      const entry = (i: number, k: number) => {
        let sum = i === k && unitless[i] ? 1 : 0;
        for (let s = 0; s < n; s++) {
          const product = scores[s * rawSize + from + e * width + i]! * scores[s * rawSize + from + e * width + k]!;
          if (Number.isFinite(product)) sum += product / n;
        }
        return sum;
      };
      const unit = (f: number) => (f > 1e-12 && f < 1e300 ? 1 / Math.sqrt(f) : 1);
      if (diagonal) for (let i = 0; i < width; i++) values[e * width + i] = unit(entry(i, i));
      else values.set(inverseRoot(width, entry, unit), e * width * width);
    }
    return { values, diagonal };
  });
}

/** L⁻ᵀ of F = L Lᵀ, or the scales of its diagonal where it has no factor. */
function inverseRoot(n: number, entry: (i: number, k: number) => number, unit: (f: number) => number): Float64Array {
  const scales = Float64Array.from({ length: n }, (_, i) => unit(entry(i, i)));
  // Correlations, a little less than they are: the draws are few.
  const correlation = Float64Array.from({ length: n * n }, (_, at) => {
    const [i, k] = [Math.floor(at / n), at % n];
    return i === k ? 1 : 0.999 * entry(i, k) * scales[i]! * scales[k]!;
  });
  const lower = choleskyOf(correlation, n);
  const out = new Float64Array(n * n);
  for (let k = 0; k < n; k++) {
    const column = new Float64Array(n);
    column[k] = 1;
    if (lower) solveLowerTransposed(lower, column);
    for (let i = 0; i < n; i++) out[i * n + k] = scales[i]! * column[i]!;
  }
  return out;
}
