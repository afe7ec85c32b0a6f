import { OptionError } from "../base/errors.ts";
import { meanField } from "../families/mean-field.ts";
import type { AffineMap, VariationalFamily } from "../families/variational-family.ts";
import { elbo } from "../objectives/elbo.ts";
import {
  checkComposition,
  type GradientEstimator,
  type VariationalObjective,
} from "../objectives/variational-objective.ts";
import { adam } from "../optimizers/adam.ts";
import type { Optimizer } from "../optimizers/optimizer.ts";
import { f64, gradient, program, u32 } from "../program/program.ts";
import { where } from "../tensor/functions.ts";
import { affineTarget } from "./affine-target.ts";
import { type Approximation, negElboOf } from "./approximation.ts";
import { type CompiledTarget, compileTarget, startingPoint } from "./compiled-target.ts";
import { logDensities, logDensityOfRows } from "./density-batch.ts";
import { fixedDraws } from "./fixed-draws.ts";
import { compileFamily, symmetricKl } from "./host-family.ts";
import { IterateTrace } from "./iterate-trace.ts";
import { findMode, laplace } from "./laplace.ts";
import { linearResponse } from "./linear-response.ts";
import { slicer } from "./slicer.ts";
import { choleskyOf, diagonalOf } from "./symmetric-solve.ts";
import type { Target } from "./target.ts";

export type StochasticViEvent =
  | { readonly kind: "progress"; readonly step: number; readonly learningRate: number; readonly minimised: number }
  /** The iterates at one rate no longer drift and were averaged; `symmetricKl` is to the average at the rate before. */
  | { readonly kind: "rate"; readonly step: number; readonly learningRate: number; readonly symmetricKl: number }
  /** A step's gradient was not finite, and the step was not taken. */
  | { readonly kind: "skipped"; readonly step: number; readonly steps: number }
  /** A draw of q where the log density or its gradient is not finite; `message` names the term. */
  | { readonly kind: "nonFinite"; readonly step: number; readonly message: string };

/** Options of `stochasticVi`. */
export interface StochasticViOptions<E extends GradientEstimator = GradientEstimator> {
  /** A family of the target's dimension, or how to make one. Default the mean-field Gaussian. */
  readonly family?: VariationalFamily | ((dim: number) => VariationalFamily);
  /** Default the ELBO. */
  readonly objective?: VariationalObjective<E>;
  /** Default the path derivative where q can come close to the posterior, else the objective's first that the family allows. */
  readonly estimator?: NoInfer<E>;
  /** Independent estimates averaged for one gradient. Default 10. */
  readonly draws?: number;
  /** Default Adam. */
  readonly optimizer?: Optimizer;
  /** The first learning rate; it is halved from there on. Default the family's. */
  readonly learningRate?: number;
  /** Stops when halving the rate moves q by less than this symmetric KL, in nats per coordinate. Default 1e-3. */
  readonly tolerance?: number;
  /** Default 50,000. */
  readonly maxSteps?: number;
  /** Default 0. */
  readonly seed?: number;
  /** Where q begins, unconstrained. Default where fixed-draw fits and Laplace's approximation point to. */
  readonly start?: { readonly mean: ArrayLike<number>; readonly scale: ArrayLike<number> };
  /** Fresh draws that the ELBO, and moments without closed form, are estimated from. Default 1000. */
  readonly evaluationDraws?: number;
  readonly compiled?: CompiledTarget;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: StochasticViEvent) => void;
  /** Says why the log density is not finite at a point; asked once, when a step met such a one. */
  readonly explain?: (unconstrained: Float64Array) => Promise<Error>;
}

export interface StochasticViFit extends Approximation {
  /** Parameters of `member`. */
  readonly params: Float64Array;
  /** Null where the parameters are those of x itself; otherwise they are those of y with x = location + factor · y. */
  readonly map: AffineMap | null;
  readonly member: VariationalFamily;
  readonly steps: number;
  /** The smallest learning rate that was reached. */
  readonly learningRate: number;
}

/** Steps between two looks at the iterates. */
const BLOCK = 50;
const LEAST_BLOCKS = 12;
/** Blocks after which parameters may go on wandering, as long as q does not: some families have many parameters for one q. */
const PATIENCE = 40;
/** Blocks after which averages that still differ are left to the next, smaller rate. */
const MOST_BLOCKS = 80;
/** How often the first learning rate is divided by 4 when the fit does not get anywhere with it. */
const RETRIES = 6;
/**
 * A fit is lost when its objective has risen by more than this many nats and this many times its noise: one huge gradient may throw q far
 * off, and an optimizer that divides by past gradients then stands still there, which looks like convergence.
 */
const LOST_NATS = 10;
const LOST_NOISE = 20;
/** Averages that agree to this share of the tolerance though the objective has noise: the optimizer stands still. */
const STANDSTILL = 1e-8;
const NOISY = 1e-3;
const KL_DRAWS = 256;
/** Draws among which the one that was not finite is looked for, each time that a step was skipped, and how often. */
const SEARCHED = 512;
const SEARCHES = 8;

/**
 * The objective's first estimator that the family allows. A q that can come close to the posterior has the path derivative of the
 * ELBO: its noise vanishes there.
 */
function defaultEstimator({ estimators }: VariationalObjective, family: VariationalFamily): GradientEstimator {
  if (family.closedUnder === "affine" && estimators.includes("pathDerivative")) return "pathDerivative";
  return estimators.find((e) => !(e === "doublyReparameterised" && family.strata > 1))!;
}

/** Location and scale in which the target is about N(0, I), as far as the family can follow. */
async function standardise(
  compiled: CompiledTarget,
  family: VariationalFamily,
  { start, signal, seed = 0 }: StochasticViOptions,
): Promise<AffineMap> {
  const { dim } = family;
  if (start) {
    if (start.mean.length !== dim || start.scale.length !== dim)
      throw new OptionError(
        `start needs mean and scale of ${dim} values each, not ${start.mean.length} and ${start.scale.length}`,
      );
    return { location: Float64Array.from(start.mean), factor: Float64Array.from(start.scale), diagonal: true };
  }
  const { target } = compiled;
  const mode = await findMode(compiled, startingPoint(compiled, undefined, seed), slicer(signal));
  const meanField = await fixedDraws(target, { compiled, mode, seed, signal });
  if (family.closedUnder === "affine" && dim > 1) {
    // Of the Gaussians at hand the best in ELBO: at the mode, or with linear-response covariance.
    const candidates: Approximation[] = meanField.hessianCholesky ? [linearResponse(meanField, { seed })] : [];
    if (mode.converged && mode.cholesky)
      candidates.push(await laplace(target, { compiled, start: mode.x, seed, signal }));
    const usable = candidates.filter((fit) => fit.negElbo < meanField.negElbo);
    const best = usable.sort((a, b) => a.negElbo - b.negElbo)[0];
    const factor = best && choleskyOf(best.covariance!, dim);
    if (factor) return { location: best.mean, factor, diagonal: false };
  }
  return { location: meanField.mean, factor: meanField.sd, diagonal: true };
}

/**
 * Gradient variational inference for any combination of family, objective and estimator. Noise, gradient and the optimizer's update are
 * one compiled step.
 *
 * Step size and end are automatic, after Dhaka et al. 2020 and Welandawe et al. 2022: at a fixed learning rate until the iterates are
 * stationary (the objective no longer comes down beyond its noise, R-hat of the two halves of a window is near 1, and their averages
 * are the same q), then the average of the window; then half the rate, until the averages at two rates differ by less than `tolerance`. `converged` and `reason` say whether it came to that.
 *
 * @throws OptionError    when family, objective and estimator do not go together
 * @throws NonFiniteError when there is nowhere to start
 */
export async function stochasticVi<E extends GradientEstimator = "reparameterised" | "pathDerivative" | "score">(
  target: Target,
  options: StochasticViOptions<E> = {},
): Promise<StochasticViFit> {
  const started = performance.now();
  const {
    draws = 10,
    optimizer = adam(),
    seed = 0,
    maxSteps = 50_000,
    evaluationDraws = 1000,
    onEvent,
    explain,
  } = options;
  const { dim } = target;
  const family = typeof options.family === "function" ? options.family(dim) : (options.family ?? meanField(dim));
  if (family.dim !== dim)
    throw new OptionError(
      `the family ${family.name} has ${family.dim} coordinates and the density ${dim}: make it with ${dim}`,
    );
  const objective = (options.objective ?? elbo()) as VariationalObjective;
  const estimator = options.estimator ?? defaultEstimator(objective, family);
  checkComposition(objective, estimator, family, draws);
  const tolerance = (options.tolerance ?? 1e-3) * dim;

  const compiled = options.compiled ?? (await compileTarget(target));
  const map = await standardise(compiled, family, options as StochasticViOptions);
  const standard = affineTarget(target, map);
  const vector = f64([family.size]);
  const slots = Object.fromEntries(optimizer.slots.map((name) => [`slot.${name}`, vector]));
  const [host, fit] = await Promise.all([
    compileFamily(target, family, map),
    program({
      runtime: target.runtime,
      deterministic: target.deterministic,
      state: { params: vector, sum: vector, squares: vector, step: u32([]), ...slots },
      inputs: { ...standard.inputs, "vi.rate": f64([]) },
      body: ({ state, inputs, rng }) => {
        const { params, sum, squares, step } = state;
        const estimate = objective.estimate(estimator, {
          family,
          params: params!,
          key: rng.site("vi").fold(step!),
          draws,
          logDensity: (y) => logDensityOfRows(standard, y, inputs, rng.site("minibatch").fold(step!)),
        });
        const slope = gradient(estimate.surrogate, [params!])[0]!;
        // 0 · ∞ and 0 · NaN are NaN: one sum tells whether all of it is finite.
        const finite = slope.sum().add(estimate.minimised).mul(0).eq(0);
        const update = optimizer.update({
          parameters: params!,
          gradient: where(finite, slope, 0),
          slots: Object.fromEntries(
            optimizer.slots.map((name) => [name, (state as Record<string, typeof slope>)[`slot.${name}`]!]),
          ),
          learningRate: inputs["vi.rate"]!,
          step: step!.cast("f64").add(1),
        });
        const next = where(finite, update.parameters, params!);
        const kept = Object.entries(update.slots).map(([name, value]) => [`slot.${name}`, value]);
        return {
          state: {
            params: next,
            sum: sum!.add(next),
            squares: squares!.add(next.square()),
            step: step!.add(1),
            ...Object.fromEntries(kept),
          },
          outputs: { minimised: estimate.minimised, taken: finite.cast("f64") },
        };
      },
    }),
  ]);

  const zero = new Float64Array(dim);
  const first = family.initial(zero, zero.map(() => 1), seed); // biome-ignore format: short
  fit.state.params!.write(first);
  let rate = options.learningRate ?? family.learningRate;
  let steps = 0;
  let average: Float64Array | null = null;
  let retries = 0;
  let wasFreed = false;
  const forget = () => {
    for (const name of optimizer.slots)
      (fit.state as Record<string, typeof fit.state.params>)[`slot.${name}`]!.view().fill(0);
  };
  let best = { objective: Number.POSITIVE_INFINITY, noise: 0 };
  let address: string | null = null;
  let searches = 0;
  let verdict: { converged: boolean; reason: string } | null = null;
  while (!verdict) {
    const trace = new IterateTrace(family.size);
    let settled = false;
    let skipped = 0;
    while (!settled && steps < maxSteps) {
      for (const name of ["sum", "squares"] as const) fit.state[name]!.view().fill(0);
      const { metrics } = await fit.run({ ...standard.data, "vi.rate": rate } as never, BLOCK, {
        seed,
        signal: options.signal,
      });
      steps += BLOCK;
      const taken = metrics.taken!.reduce((a, b) => a + b, 0);
      if (taken < BLOCK) {
        skipped += BLOCK - taken;
        onEvent?.({ kind: "skipped", step: steps, steps: BLOCK - taken });
        if (explain && address === null && searches++ < SEARCHES) {
          const now = host.draw(fit.state.params!.read() as Float64Array, SEARCHED, seed + steps);
          const found = firstNonFinite(compiled, now);
          if (found) {
            address = (await explain(found)).message;
            onEvent?.({ kind: "nonFinite", step: steps, message: address });
          }
        }
      }
      trace.add(fit.state.sum!.view() as Float64Array, fit.state.squares!.view() as Float64Array, metrics.minimised!);
      onEvent?.({ kind: "progress", step: steps, learningRate: rate, minimised: trace.lastObjective });
      if (skipped > 0.5 * trace.blocks * BLOCK) break;
      if (average === null && trace.blocks === LEAST_BLOCKS && !trace.improved) break;
      // While the objective comes down the rate is good enough, however long that takes.
      if (trace.blocks < LEAST_BLOCKS || trace.blocks % 4 || trace.isImproving()) continue;
      if (trace.blocks < PATIENCE && !trace.isStationary()) continue;
      const [left, right] = trace.halves();
      settled = symmetricKl(host, left, right, KL_DRAWS, seed) <= 2 * tolerance;
      if (trace.blocks >= MOST_BLOCKS) break;
    }
    if (trace.lowest.objective < best.objective) best = trace.lowest;
    const isLost = trace.level - best.objective > Math.max(LOST_NATS, LOST_NOISE * best.noise);
    if (skipped > 0.5 * trace.blocks * BLOCK || (average === null && !trace.improved) || isLost) {
      // The steps are too long for this target: from the start (or the last average) again, with shorter ones.
      if (retries++ < RETRIES && steps < maxSteps) {
        rate /= 4;
        fit.state.params!.write(average ?? first);
        forget();
        continue;
      }
      average ??= first;
      const reason = skipped
        ? "the gradient was not finite in most steps"
        : isLost
          ? "the objective rose far above where it had been"
          : "the objective did not improve from where it began";
      const why = skipped && address ? `: ${address}` : "";
      verdict = { converged: false, reason: `${reason}, at any learning rate down to ${rate}${why}` };
      break;
    }
    const next = trace.average();
    const moved = average ? symmetricKl(host, average, next, KL_DRAWS, seed) : Number.POSITIVE_INFINITY;
    average = next;
    onEvent?.({ kind: "rate", step: steps, learningRate: rate, symmetricKl: moved });
    const shown = `at learning rates ${2 * rate} and ${rate} the averages differ by ${moved.toPrecision(2)} nats of symmetric KL`;
    const standsStill = moved <= STANDSTILL * tolerance && trace.lowest.noise > NOISY;
    if (standsStill && !wasFreed && steps < maxSteps) {
      // A gradient of long ago is in its way: it goes on without that memory.
      wasFreed = true;
      forget();
      rate /= 2;
      fit.state.params!.write(average);
    } else if (moved <= tolerance && settled) verdict = { converged: true, reason: `${shown}, within ${tolerance}` };
    else if (steps >= maxSteps)
      verdict = {
        converged: false,
        reason: `the limit of ${maxSteps} steps was reached; ${shown}, and ${tolerance} was asked for`,
      };
    else {
      rate /= 2;
      fit.state.params!.write(average);
    }
  }

  const params = average!;
  const fresh = host.draw(params, evaluationDraws, seed);
  const bound = negElboOf(host.logDensityOf(params, fresh), logDensities(compiled.batch, fresh));
  const own = family.mapped(params, map);
  const moments = mappedMoments(family, params, map) ?? sampleMoments(fresh, dim);
  return {
    family: family.name,
    member: family,
    dim,
    params: own ?? params,
    map: own ? null : map,
    ...moments,
    sd: diagonalOf(moments.covariance, dim).map(Math.sqrt),
    ...bound,
    ...verdict,
    steps,
    learningRate: rate,
    evaluations: steps * draws * objective.particles * family.strata + evaluationDraws,
    seconds: (performance.now() - started) / 1000,
    draw: (n, from) => host.draw(params, n, from),
    logDensityOf: (x) => host.logDensityOf(params, x),
  };
}

/** The first row of x at which the log density or its gradient is not finite. */
function firstNonFinite({ one }: CompiledTarget, x: Float64Array): Float64Array | null {
  const gradient = new Float64Array(one.dim);
  for (let from = 0; from < x.length; from += one.dim) {
    const row = x.slice(from, from + one.dim);
    if (!Number.isFinite(one.evaluate(row, gradient)) || !gradient.every(Number.isFinite)) return row;
  }
  return null;
}

/** Moments of location + factor · y from those of y. */
function mappedMoments(family: VariationalFamily, params: Float64Array, { location, factor, diagonal }: AffineMap) {
  const own = family.moments?.(params);
  if (!own) return null;
  const dim = location.length;
  const entry = (i: number, k: number) => (diagonal ? (i === k ? factor[i]! : 0) : factor[i * dim + k]!);
  const times = (i: number, of: (k: number) => number) => {
    let sum = 0;
    for (let k = diagonal ? i : 0; k <= i; k++) sum += entry(i, k) * of(k);
    return sum;
  };
  const half = new Float64Array(dim * dim);
  for (let i = 0; i < dim; i++)
    for (let j = 0; j < dim; j++) half[i * dim + j] = times(i, (k) => own.covariance[k * dim + j]!);
  const covariance = new Float64Array(dim * dim);
  for (let i = 0; i < dim; i++)
    for (let j = 0; j < dim; j++) covariance[i * dim + j] = times(j, (k) => half[i * dim + k]!);
  return { mean: Float64Array.from(location, (l, i) => l + times(i, (k) => own.mean[k]!)), covariance };
}

/** Mean and covariance of the rows of x. */
function sampleMoments(x: Float64Array, dim: number) {
  const n = x.length / dim;
  const mean = new Float64Array(dim);
  const covariance = new Float64Array(dim * dim);
  for (let s = 0; s < n; s++) for (let j = 0; j < dim; j++) mean[j]! += x[s * dim + j]! / n;
  for (let s = 0; s < n; s++) {
    for (let i = 0; i < dim; i++) {
      for (let j = 0; j < dim; j++)
        covariance[i * dim + j]! += ((x[s * dim + i]! - mean[i]!) * (x[s * dim + j]! - mean[j]!)) / (n - 1);
    }
  }
  return { mean, covariance };
}
