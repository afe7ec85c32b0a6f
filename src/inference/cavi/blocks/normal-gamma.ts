import { InternalError } from "../../../base/errors.ts";
import { sizeOf } from "../../../base/shape.ts";
import { gamma as gammaFamily } from "../../../distributions/gamma.ts";
import { LOG_2PI } from "../../../distributions/normal-cdf.ts";
import type { Tensor } from "../../../tensor/tensor.ts";
import { aligned, newAxis } from "../named.ts";
import { type Block, total, type Variable } from "./block.ts";
import { expectedLogGamma, gammaParts, logGammas } from "./gamma.ts";
import { halfSquare, inverseOf, layoutOf, noiseOf, solve, symmetric } from "./layout.ts";

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
      const gaussian = perTau(logDet).mul(-0.5).add(0.5 * n * share * (1 + LOG_2PI)).sub(gamma.log.mul(0.5 * n * share)); // biome-ignore format: the formula
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
          [tau.site]: { kind: "positive", mean: gamma.mean, log, power: inverse ? -1 : 1 },
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
    draw: ({ mean, precision, shape: a, rate: b }, key, count) => {
      const drawn = gammaFamily.sample!(key.site(tau.site), { shape: a!, rate: b! }, [count, ...tau.shape]);
      const rows = newAxis(count);
      const each = aligned({ tensor: drawn, axes: [rows, ...mine] }, [rows, ...axes]).broadcastTo([count, ...batch]);
      const noise = noiseOf(precision!, key.site(x.site), count).div(each.sqrt().reshape([count, ...batch, 1]));
      return {
        [x.site]: layout.wholeRows(noise.add(flat(mean!))),
        [tau.site]: inverse ? drawn.mul(0).add(1).div(drawn) : drawn,
      };
    },
    expectedLog: ({ mean, precision, shape: a, rate: b }, q) => {
      const [own, held] = [q[x.site]!, q[tau.site]!];
      if (own.kind !== "gaussian" || held.kind !== "positive") throw new InternalError(`"${x.site}" is no Gaussian`);
      const { logDet } = inverseOf(precision!, n);
      const about = total(halfSquare(flat(own.mean.sub(mean!)), precision!).mul(perElement(held.mean)));
      const spread = total(square(own.covariance).mul(precision!)).mul(-0.5);
      const logTau = total(held.log).mul((inverse ? -0.5 : 0.5) * n * share);
      const gaussian = about
        .add(spread)
        .add(logTau)
        .add(total(logDet).mul(0.5))
        .sub(0.5 * n * sizeOf(batch) * LOG_2PI);
      return gaussian.add(expectedLogGamma(held, a!, b!));
    },
    averaged: null,
    logDensity: ({ mean, precision, shape: a, rate: b }, values) => {
      const value = values[tau.site]!;
      const each = perElement(inverse ? value.mul(0).add(1).div(value) : value);
      const { logDet } = inverseOf(precision!, n);
      const square = halfSquare(flat(values[x.site]!).sub(flat(mean!)), precision!).mul(each);
      const gaussian = total(square.add(each.log().mul(0.5 * n))).add(total(logDet).mul(0.5)).sub(0.5 * n * sizeOf(batch) * LOG_2PI); // biome-ignore format: the formula
      return gaussian.add(logGammas(value, a!, b!, inverse));
    },
  };
}
