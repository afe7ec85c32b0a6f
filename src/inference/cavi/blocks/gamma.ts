import { InternalError } from "../../../base/errors.ts";
import { gamma as gammaFamily } from "../../../distributions/gamma.ts";
import { inverseGamma } from "../../../distributions/inverse-gamma.ts";
import type { Tensor } from "../../../tensor/tensor.ts";
import type { SiteStatistics } from "../moments.ts";
import { type Block, total, type Variable } from "./block.ts";

export interface GammaParts {
  readonly mean: Tensor;
  readonly log: Tensor;
  readonly entropy: Tensor;
}

/** E x, E log x and the entropy relative to dx / x, −E log(x q(x)), of Gamma(shape a, rate b). */
export function gammaParts(a: Tensor, b: Tensor): GammaParts {
  const log = a.digamma().sub(b.log());
  const entropy = a.add(a.lgamma()).sub(a.mul(a.digamma()));
  return { mean: a.div(b), log, entropy };
}

/** E log of Gamma(a, b), or of its inverse, relative to dx / x. */
export function expectedLogGamma(own: SiteStatistics, a: Tensor, b: Tensor): Tensor {
  if (own.kind !== "positive") throw new InternalError("a gamma factor has lost its site");
  const log = own.power < 0 ? own.log.neg() : own.log;
  return total(a.mul(log).sub(b.mul(own.mean)).add(a.mul(b.log())).sub(a.lgamma()));
}

/** log density of gamma values, or of the inverse ones. */
export const logGammas = (x: Tensor, shape: Tensor, rate: Tensor, inverse: boolean): Tensor =>
  total(inverse ? inverseGamma.logProb(x, { shape, scale: rate }) : gammaFamily.logProb(x, { shape, rate }));

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
        sites: { [site]: { kind: "positive", mean, log: own, power: inverse ? -1 : 1 } },
        wrt: { mean, log: own },
        // d(1/x) / (1/x) is dx / x but for its sign.
        entropy,
      };
    },
    update: (_state, _wrt, { mean, log }) => ({
      shape: inverse ? log!.neg() : log!,
      rate: mean!.neg(),
    }),
    draw: ({ shape: a, rate: b }, key, count) => {
      const drawn = gammaFamily.sample!(key.site(site), { shape: a!, rate: b! }, [count, ...shape]);
      return { [site]: inverse ? drawn.mul(0).add(1).div(drawn) : drawn };
    },
    expectedLog: ({ shape: a, rate: b }, q) => expectedLogGamma(q[site]!, a!, b!),
    averaged: null,
    logDensity: ({ shape: a, rate: b }, values) => logGammas(values[site]!, a!, b!, inverse),
  };
}
