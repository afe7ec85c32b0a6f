import { type Shape, sizeOf } from "../../base/shape.ts";
import { LOG_2PI } from "../../distributions/normal-cdf.ts";
import { full, transpose, where } from "../../tensor/functions.ts";
import * as linalg from "../../tensor/linalg.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { multivariateLogGamma } from "./densities.ts";
import type { SiteStatistics } from "./moments.ts";
import { aligned, newAxis } from "./named.ts";

export type State = Readonly<Record<string, Tensor>>;

/** What a factor's state says of its sites. */
export interface Expected {
  readonly sites: Readonly<Record<string, SiteStatistics>>;
  /** The statistics by which the expected log joint is differentiated, by the names that `update` has for them. */
  readonly wrt: State;
  /** In nats, []. */
  readonly entropy: Tensor;
}

/** Some latent sites that q holds in one factor: an exponential family. */
export interface Block {
  readonly name: string;
  readonly sites: readonly string[];
  readonly family: string;
  /** The arrays that are kept of it. */
  readonly state: Readonly<Record<string, Shape>>;
  expected(state: State): Expected;
  /** The optimal factor: natural parameters from the gradient of the expected log joint by the expected statistics. */
  update(state: State, wrt: State, gradients: State): State;
}

/** A latent site as it stands in memory: axes [...plates, ...own]; `events` are those that one factor holds jointly. */
export interface Variable {
  readonly site: string;
  readonly shape: Shape;
  readonly events: readonly number[];
}

const total = (x: Tensor): Tensor => x.sum();

/** The axes of a site in the order [...single, events], and back. */
function layoutOf({ shape, events }: Variable) {
  const single = shape.map((_, p) => p).filter((p) => !events.includes(p));
  const order = [...single, ...events];
  const batch = single.map((p) => shape[p]!);
  const own = events.map((p) => shape[p]!);
  const n = sizeOf(own);
  const back = shape.map((_, p) => order.indexOf(p));
  return {
    single,
    batch,
    own,
    n,
    /** [...shape] → [...batch, n] */
    flat: (x: Tensor) => transpose(x, order).reshape([...batch, n]),
    /** [...batch, n] → [...shape] */
    whole: (x: Tensor) => transpose(x.reshape([...batch, ...own]), back),
    /** [...batch, n, n] ↔ [...batch, ...own, ...own] */
    square: (x: Tensor) => x.reshape([...batch, n, n]),
    spread: (x: Tensor) => x.reshape([...batch, ...own, ...own]),
  };
}

const symmetric = (x: Tensor): Tensor => x.add(transpose(x)).mul(0.5);

/** Solves and inverts S [..., n, n], by division where n is 1. */
function inverseOf(s: Tensor, n: number): { inverse: Tensor; logDet: Tensor } {
  if (n === 1) return { inverse: s.mul(0).add(1).div(s), logDet: s.log().sum([-2, -1]) };
  const root = linalg.cholesky(s);
  return { inverse: linalg.inverseFromCholesky(root), logDet: linalg.logDetCholesky(root) };
}

/**
 * N(mean, precision⁻¹). In (m, V) the expected log joint is quadratic: with S = −(G_V + G_Vᵀ) its maximum is at m + S⁻¹ g_m and
 * V = S⁻¹; nothing cancels, wherever the data lie.
 */
export function gaussianBlock(variable: Variable): Block {
  const { site, shape } = variable;
  const { batch, n, flat, whole, square, spread } = layoutOf(variable);
  return {
    name: site,
    sites: [site],
    family: "gaussian",
    state: { mean: shape, precision: [...batch, n, n] },
    expected: ({ mean, precision }) => {
      const { inverse, logDet } = inverseOf(precision!, n);
      const covariance = spread(inverse);
      const entropy = total(logDet).mul(-0.5).add(0.5 * n * sizeOf(batch) * (1 + LOG_2PI));
      const { events } = variable;
      return {
        sites: { [site]: { kind: "gaussian", mean: mean!, covariance, events, relativeTo: null, before: null } },
        wrt: { mean: mean!, covariance },
        entropy,
      };
    },
    update: ({ mean }, _wrt, gradients) => {
      const precision = symmetric(square(gradients.covariance!)).mul(-2);
      return { mean: mean!.add(whole(solve(precision, flat(gradients.mean!), n))), precision };
    },
  };
}

function solve(s: Tensor, g: Tensor, n: number): Tensor {
  const column = g.reshape([...g.shape, 1]);
  return (n === 1 ? column.div(s) : linalg.choleskySolve(linalg.cholesky(s), column)).reshape(g.shape);
}

interface GammaParts {
  readonly mean: Tensor;
  readonly log: Tensor;
  readonly entropy: Tensor;
}

/** E x, E log x and the entropy relative to dx / x, −E log(x q(x)), of Gamma(shape a, rate b). */
function gammaParts(a: Tensor, b: Tensor): GammaParts {
  const log = a.digamma().sub(b.log());
  const entropy = a.add(a.lgamma()).sub(a.mul(a.digamma()));
  return { mean: a.div(b), log, entropy: total(entropy) };
}

/** Gamma(shape, rate), statistics x and log x; or inverse gamma, 1/x and log x. */
export function gammaBlock({ site, shape }: Variable, inverse: boolean): Block {
  return {
    name: site,
    sites: [site],
    family: inverse ? "inverseGamma" : "gamma",
    state: { shape, rate: shape },
    expected: ({ shape: a, rate: b }) => {
      const { mean, log, entropy } = gammaParts(a!, b!);
      const own = inverse ? log.neg() : log;
      return {
        sites: { [site]: { kind: "positive", mean, log: own, inverse } },
        wrt: { mean, log: own },
        // d(1/x) / (1/x) is dx / x but for its sign.
        entropy,
      };
    },
    update: (_state, _wrt, { mean, log }) => ({
      shape: inverse ? log!.neg() : log!,
      rate: mean!.neg(),
    }),
  };
}

export function dirichletBlock({ site, shape }: Variable): Block {
  return {
    name: site,
    sites: [site],
    family: "dirichlet",
    state: { concentration: shape },
    expected: ({ concentration: a }) => {
      const sum = a!.sum(-1);
      const column = sum.reshape([...sum.shape, 1]);
      const log = a!.digamma().sub(column.digamma());
      const norm = total(a!.lgamma()).sub(total(sum.lgamma()));
      const entropy = norm.add(total(sum.mul(sum.digamma()))).sub(total(a!.mul(a!.digamma())));
      return { sites: { [site]: { kind: "simplex", log } }, wrt: { log }, entropy };
    },
    update: (_state, _wrt, { log }) => ({ concentration: log! }),
  };
}

export function betaBlock({ site, shape }: Variable): Block {
  return {
    name: site,
    sites: [site],
    family: "beta",
    state: { a: shape, b: shape },
    expected: ({ a, b }) => {
      const sum = a!.add(b!);
      const [log, log1m] = [a!.digamma().sub(sum.digamma()), b!.digamma().sub(sum.digamma())];
      const entropy = total(
        a!.lgamma().add(b!.lgamma()).sub(sum.lgamma()).sub(a!.mul(a!.digamma())).sub(b!.mul(b!.digamma())).add(sum.mul(sum.digamma())), // biome-ignore format: the formula
      );
      return { sites: { [site]: { kind: "unit", log, log1m } }, wrt: { log, log1m }, entropy };
    },
    update: (_state, _wrt, { log, log1m }) => ({ a: log!, b: log1m! }),
  };
}

interface WishartParts {
  readonly mean: Tensor;
  readonly logDet: Tensor;
  readonly entropy: Tensor;
}

/** E Λ, E log |Λ| and the entropy of W(df, B⁻¹), B [..., n, n]. */
function wishartParts(df: Tensor, b: Tensor, n: number): WishartParts {
  const { inverse, logDet: logDetB } = inverseOf(b, n);
  const perMatrix = df.reshape([...df.shape, 1, 1]);
  let logDet = logDetB.neg().add(n * Math.LN2);
  for (let i = 0; i < n; i++) logDet = logDet.add(df.sub(i).mul(0.5).digamma());
  const norm = df.mul(logDetB).mul(0.5).sub(df.mul(0.5 * n * Math.LN2)).sub(multivariateLogGamma(df.mul(0.5), n)); // biome-ignore format: the formula
  const entropy = norm.add(df.sub(n + 1).mul(0.5).mul(logDet)).sub(df.mul(0.5 * n)).neg(); // biome-ignore format: the formula
  return { mean: perMatrix.mul(inverse), logDet, entropy: total(entropy) };
}

/** Wishart(df, scale), kept with the inverse of its scale, which the data are added to. */
export function wishartBlock({ site, shape }: Variable): Block {
  const n = shape.at(-1)!;
  return {
    name: site,
    sites: [site],
    family: "wishart",
    state: { df: shape.slice(0, -2), inverseScale: shape },
    expected: ({ df, inverseScale }) => {
      const { mean, logDet, entropy } = wishartParts(df!, inverseScale!, n);
      return { sites: { [site]: { kind: "matrix", mean, logDet } }, wrt: { mean, logDet }, entropy };
    },
    update: (_state, _wrt, { mean, logDet }) => ({
      df: logDet!.mul(2).add(n + 1),
      inverseScale: symmetric(mean!).mul(-2),
    }),
  };
}

/** Σ p log p with 0 log 0 = 0. */
const negEntropy = (p: Tensor, logP: Tensor): Tensor => total(where<Tensor>(p.gt(0), p.mul(logP), 0));

/** Probabilities of each state, [...shape, states], by their logarithms. */
export function discreteBlock({ site, shape }: Variable, states: number): Block {
  return {
    name: site,
    sites: [site],
    family: "categorical",
    state: { logProbs: [...shape, states] },
    expected: ({ logProbs }) => {
      const probs = logProbs!.exp();
      return {
        sites: { [site]: { kind: "discrete", probs, before: null } },
        wrt: { probs },
        entropy: negEntropy(probs, logProbs!).neg(),
      };
    },
    update: (_state, _wrt, { probs }) => ({ logProbs: normalised(probs!) }),
  };
}

const normalised = (logits: Tensor): Tensor => {
  const sum = logits.logsumexp(-1);
  return logits.sub(sum.reshape([...sum.shape, 1]));
};

/**
 * Normal–Gamma: q(x | τ) = N(mean, (precision · τ)⁻¹), q(τ) = Gamma(shape, rate), in one factor. `positions` are the axes of x that
 * those of τ are. The rate is taken at the new mean: with δ the step of the mean, −g_τ − ½ δᵀ S δ, so that data far from 0 cancel
 * nothing.
 */
export function normalGammaBlock(x: Variable, tau: Variable, positions: readonly number[], inverse: boolean): Block {
  const layout = layoutOf(x);
  const { single, batch, n, flat, whole, square, spread } = layout;
  const axes = batch.map(newAxis);
  const mine = positions.map((p) => axes[single.indexOf(p)]!);
  const perElement = (t: Tensor): Tensor => aligned({ tensor: t, axes: mine }, axes).broadcastTo(batch);
  /** Sums over the elements that share a precision. */
  const perTau = (t: Tensor): Tensor => {
    const gone = axes.map((a, i) => (mine.includes(a) ? -1 : i)).filter((i) => i >= 0);
    const summed = gone.length ? t.sum(gone) : t;
    const left = axes.filter((a) => mine.includes(a));
    return aligned({ tensor: summed, axes: left }, mine);
  };
  const share = sizeOf(batch) / sizeOf(tau.shape);
  return {
    name: `${x.site}, ${tau.site}`,
    sites: [x.site, tau.site],
    family: "normalGamma",
    state: { mean: x.shape, precision: [...batch, n, n], shape: tau.shape, rate: tau.shape },
    expected: ({ mean, precision, shape: a, rate: b }) => {
      const { inverse: c, logDet } = inverseOf(precision!, n);
      const covariance = spread(c);
      const gamma = gammaParts(a!, b!);
      const log = inverse ? gamma.log.neg() : gamma.log;
      const gaussian = total(logDet).mul(-0.5).add(0.5 * n * sizeOf(batch) * (1 + LOG_2PI)).sub(total(gamma.log).mul(0.5 * n * share)); // biome-ignore format: the formula
      return {
        sites: {
          [x.site]: {
            kind: "gaussian",
            mean: mean!,
            covariance,
            events: x.events,
            relativeTo: { site: tau.site, positions },
            before: null,
          },
          [tau.site]: { kind: "positive", mean: gamma.mean, log, inverse },
        },
        wrt: { mean: mean!, covariance, tau: gamma.mean, log },
        entropy: gaussian.add(gamma.entropy),
      };
    },
    update: ({ mean }, wrt, gradients) => {
      const precision = symmetric(square(gradients.covariance!)).mul(-2);
      const slope = flat(gradients.mean!);
      const tauMean = perElement(wrt.tau!);
      const step = solve(precision, slope, n).div(tauMean.reshape([...batch, 1]));
      const drop = perTau(step.mul(slope).sum(-1).div(tauMean)).mul(0.5);
      const log = inverse ? gradients.log!.neg() : gradients.log!;
      return {
        mean: mean!.add(whole(step)),
        precision,
        shape: log.sub(0.5 * n * share),
        rate: gradients.tau!.neg().sub(drop),
      };
    },
  };
}

/**
 * Normal–Wishart: q(x | Λ) = N(mean, (kappa Λ)⁻¹), q(Λ) = W(df, inverseScale⁻¹). The scale is centred at the new mean in the same way.
 */
export function normalWishartBlock(x: Variable, lambda: Variable): Block {
  const n = lambda.shape.at(-1)!;
  const batch = lambda.shape.slice(0, -2);
  return {
    name: `${x.site}, ${lambda.site}`,
    sites: [x.site, lambda.site],
    family: "normalWishart",
    state: { mean: x.shape, kappa: batch, df: batch, inverseScale: lambda.shape },
    expected: ({ mean, kappa, df, inverseScale }) => {
      const parts = wishartParts(df!, inverseScale!, n);
      const spread = full(kappa!, kappa!.shape, 1).div(kappa!);
      const gaussian = total(kappa!.log()).mul(-0.5 * n).sub(total(parts.logDet).mul(0.5)).add(0.5 * n * sizeOf(batch) * (1 + LOG_2PI)); // biome-ignore format: the formula
      return {
        sites: {
          [x.site]: {
            kind: "gaussian",
            mean: mean!,
            covariance: spread,
            events: x.events,
            relativeTo: { site: lambda.site, positions: batch.map((_, p) => p) },
            before: null,
          },
          [lambda.site]: { kind: "matrix", mean: parts.mean, logDet: parts.logDet },
        },
        wrt: { mean: mean!, spread, lambda: parts.mean, logDet: parts.logDet },
        entropy: gaussian.add(parts.entropy),
      };
    },
    update: ({ mean }, wrt, gradients) => {
      const kappa = gradients.spread!.mul(-2 / n);
      const each = kappa.reshape([...batch, 1]);
      const step = solve(wrt.lambda!, gradients.mean!, n).div(each);
      const outer = linalg.outer(step, step).mul(kappa.reshape([...batch, 1, 1]));
      return {
        mean: mean!.add(step),
        kappa,
        df: gradients.logDet!.mul(2).add(n),
        inverseScale: symmetric(gradients.lambda!).mul(-2).sub(outer),
      };
    },
  };
}
