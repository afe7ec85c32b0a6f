import { OptionError } from "../base/errors.ts";
import { showShape, sizeOf } from "../base/shape.ts";

/** Draws of one site. */
export interface SiteDraws {
  /** Shape of one draw; [] for a scalar. */
  readonly shape: readonly number[];
  /** Row-major, [chains, draws, ...shape]. */
  readonly values: Float64Array;
}

/** Draws of a posterior, in the units of the model. Independent draws (of a variational posterior) are one chain. */
export interface Draws {
  readonly chains: number;
  readonly draws: number;
  readonly sites: Readonly<Record<string, SiteDraws>>;
}

/**
 * Draws, checked: each site must hold chains × draws × the size of its shape.
 *
 * @throws OptionError when one does not
 */
export function drawsOf(chains: number, draws: number, sites: Readonly<Record<string, SiteDraws>>): Draws {
  for (const [name, { shape, values }] of Object.entries(sites)) {
    const expected = chains * draws * sizeOf(shape);
    if (values.length !== expected) {
      throw new OptionError(
        `draws of "${name}" have ${values.length} values; ${chains} chains of ${draws} draws of shape ` +
          `${showShape(shape)} need ${expected}. Give them as [chains, draws, ...shape].`,
      );
    }
  }
  return { chains, draws, sites };
}

/** One element of a site in each chain, by its row-major index from 0: one array of draws a chain. */
export function elementChains(draws: Draws, site: string, element = 0): Float64Array[] {
  const { shape, values } = siteOf(draws, site);
  const size = sizeOf(shape);
  return Array.from({ length: draws.chains }, (_, chain) => {
    const from = chain * draws.draws * size + element;
    return size === 1
      ? values.subarray(from, from + draws.draws)
      : Float64Array.from({ length: draws.draws }, (_, draw) => values[from + draw * size]!);
  });
}

/** The draws of a site. @throws OptionError naming those that there are */
export function siteOf(draws: Draws, name: string): SiteDraws {
  const site = Object.hasOwn(draws.sites, name) ? draws.sites[name] : undefined;
  if (!site) {
    throw new OptionError(`there are no draws of "${name}". Sites: ${Object.keys(draws.sites).join(", ") || "none"}.`);
  }
  return site;
}

/** The 1-based index of each element of a shape, row-major: `[[1, 1], [1, 2], …]`; `[[]]` of a scalar. */
export function elementIndices(shape: readonly number[]): number[][] {
  let indices: number[][] = [[]];
  for (const size of shape) {
    indices = indices.flatMap((index) => Array.from({ length: size }, (_, i) => [...index, i + 1]));
  }
  return indices;
}

/** Names of a site's elements as posteriordb has them: `mu`, `theta[1]`, `a[1,2]`. */
export const elementNames = (site: string, shape: readonly number[]): string[] =>
  elementIndices(shape).map((index) => (index.length > 0 ? `${site}[${index.join(",")}]` : site));
