import { type Chains, pooled } from "../diagnostics/chains.ts";
import { essTail } from "../diagnostics/ess.ts";
import { mcseMean } from "../diagnostics/mcse.ts";
import { mean, variance } from "../diagnostics/moments.ts";
import { quantile } from "../diagnostics/quantile.ts";
import { rhatAndEssBulk } from "../diagnostics/rhat.ts";
import { type Draws, elementChains, elementNames } from "./draws.ts";

/** What is said of one element of a site. Diagnostics are NaN where they have no meaning: a constant, or too few draws. */
export interface SummaryRow {
  /** `mu`, `theta[1]`, `a[1,2]`: indices from 1, row-major. */
  readonly name: string;
  readonly mean: number;
  readonly sd: number;
  readonly q5: number;
  readonly q50: number;
  readonly q95: number;
  readonly rhat: number;
  readonly essBulk: number;
  readonly essTail: number;
  /** Monte Carlo standard error of the mean. */
  readonly mcseMean: number;
}

/**
 * One row for each element of each site, in the order of the sites.
 *
 * @param isSampler  whether the draws are a sampler's; of independent draws R-hat says nothing and each is effective
 */
export function summary(draws: Draws, isSampler = true): SummaryRow[] {
  return Object.entries(draws.sites).flatMap(([site, { shape }]) =>
    elementNames(site, shape).map((name, element): SummaryRow => {
      const chains = elementChains(draws, site, element);
      const values = pooled(chains);
      const sorted = values.slice().sort();
      return {
        name,
        mean: mean(values),
        sd: Math.sqrt(variance(values)),
        q5: quantile(sorted, 0.05),
        q50: quantile(sorted, 0.5),
        q95: quantile(sorted, 0.95),
        ...(isSampler ? diagnostics(chains, sorted) : independent(values)),
      };
    }),
  );
}

const diagnostics = (chains: Chains, sorted: Float64Array) => ({
  ...rhatAndEssBulk(chains, sorted),
  essTail: essTail(chains, sorted),
  mcseMean: mcseMean(chains),
});

const independent = (values: Float64Array) => ({
  rhat: Number.NaN,
  essBulk: values.length,
  essTail: values.length,
  mcseMean: Math.sqrt(variance(values) / values.length),
});
