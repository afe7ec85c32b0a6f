import { sizeOf } from "../../base/shape.ts";
import type { Block, FactorArray } from "./blocks/block.ts";

export type { FactorArray };

/** One factor of q: its family, the sites that it is over, and its parameters by their usual names. */
export interface Factor {
  readonly family: string;
  readonly sites: readonly string[];
  readonly parameters: Readonly<Record<string, FactorArray>>;
}

const map = ({ shape, values }: FactorArray, f: (x: number) => number): FactorArray => ({
  shape,
  values: values.map(f),
});

/**
 * The factors as the host reads them; of a joint factor each site's name gives the whole. Of Gaussian sites that were grouped each name
 * has its own mean, and the precision is that of all of them, laid end to end in the order of `sites`.
 */
export function factorsOf(
  blocks: readonly Block[],
  read: (block: Block, name: string) => Float64Array,
): Record<string, Factor> {
  const factors: Record<string, Factor> = {};
  for (const block of blocks) {
    const parameters: Record<string, FactorArray> = {};
    for (const [name, shape] of Object.entries(block.state)) parameters[name] = { shape, values: read(block, name) };
    const { logProbs } = parameters;
    if (logProbs) {
      parameters.probs = map(logProbs, Math.exp);
      delete parameters.logProbs;
    }
    // Numbers that stand alone are no matrices of one element.
    const precision = parameters.precision;
    const [mean] = [parameters.mean];
    if (precision && mean && sizeOf(precision.shape) === sizeOf(mean.shape)) {
      parameters.precision = { shape: mean.shape, values: precision.values };
    }
    const factor: Factor = { family: block.family, sites: block.sites, parameters };
    const values = Object.fromEntries(Object.keys(block.state).map((name) => [name, read(block, name)]));
    for (const site of block.sites) {
      const own = block.meanOf?.(site, values);
      factors[site] = own ? { ...factor, parameters: { ...parameters, mean: own } } : factor;
    }
  }
  return factors;
}
