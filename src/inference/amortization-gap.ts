import { OptionError } from "../base/errors.ts";
import { mean, variance } from "../diagnostics/moments.ts";
import type { AmortizedFit } from "./amortized-fit.ts";

/** How much an encoder's q loses beside one that is fitted to each element by itself. */
export interface AmortizationGap {
  /** ELBO(free) − ELBO(amortized) of each element, in nats. */
  readonly gap: Float64Array;
  readonly mean: number;
  /** Of that mean, over the elements. */
  readonly standardError: number;
}

/**
 * What a network's q(z_i given element i) loses against a q(z_i) of the same form with parameters of its own for each element
 * (Cremer, Li and Duvenaud 2018): both under one model, over the data of the free fit, at the same draws.
 *
 *     const free = await amortize(model, data, { ...options, encoder: null, given: fit });
 *     const { mean } = await amortizationGap(fit, free);
 *
 * @throws OptionError when the fits are to data of different sizes
 */
export async function amortizationGap(
  amortized: AmortizedFit,
  free: AmortizedFit,
  options: { readonly draws?: number; readonly seed?: number } = {},
): Promise<AmortizationGap> {
  const seed = options.seed ?? 0;
  const [network, own] = [await amortized.score(undefined, { ...options, seed }), await free.score(undefined, { ...options, seed })]; // biome-ignore format: one line
  if (network.negElbo.length !== own.negElbo.length) {
    throw new OptionError(
      `the amortized fit has ${network.negElbo.length} elements and the free one ${own.negElbo.length}: fit both to the same data`,
    );
  }
  const gap = network.negElbo.map((x, i) => x - own.negElbo[i]!);
  return { gap, mean: mean(gap), standardError: Math.sqrt(variance(gap) / gap.length) };
}
