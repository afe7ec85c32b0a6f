import type { PosteriorReport, PosteriorRow } from "./posterior-input.ts";

/** One scalar of the posterior with its draws, one array a chain. */
export interface Element {
  readonly row: PosteriorRow;
  readonly site: string;
  readonly isLatent: boolean;
  readonly chains: readonly Float64Array[];
}

/** Where an element lies: which site, and which of its elements. */
interface Place {
  readonly site: number;
  readonly element: number;
}

/**
 * Which elements to show where there are more than fit: one of each site by turns, so that a vector of a thousand does not
 * crowd out the scalars beside it. In the order of the sites.
 */
export function fairChoice(sizes: readonly number[], most: number): Place[] {
  const chosen: Place[] = [];
  const longest = Math.max(0, ...sizes);
  for (let element = 0; element < longest && chosen.length < most; element++) {
    for (let site = 0; site < sizes.length && chosen.length < most; site++) {
      if (element < sizes[site]!) chosen.push({ site, element });
    }
  }
  return chosen.sort((a, b) => a.site - b.site || a.element - b.element);
}

/** Elements of each site: of the report's rows, so many in turn belong to each. */
const sizesOf = ({ sites, chains, draws }: PosteriorReport): number[] =>
  sites.map(({ values }) => values.length / (chains * draws));

function elementAt(report: PosteriorReport, { site, element }: Place): Element {
  const { chains, draws, sites, rows } = report;
  const { name, values, isLatent } = sites[site]!;
  const sizes = sizesOf(report);
  const first = sizes.slice(0, site).reduce((a, b) => a + b, 0);
  const size = sizes[site]!;
  return {
    row: rows[first + element]!,
    site: name,
    isLatent,
    chains: Array.from({ length: chains }, (_, chain) =>
      Float64Array.from({ length: draws }, (_, draw) => values[(chain * draws + draw) * size + element]!),
    ),
  };
}

/** At most so many elements of the report's sites (or of those that are latent). */
export function chosenElements(report: PosteriorReport, most: number, latentOnly = false): Element[] {
  const sizes = sizesOf(report).map((size, site) => (latentOnly && !report.sites[site]!.isLatent ? 0 : size));
  return fairChoice(sizes, most).map((place) => elementAt(report, place));
}

/** At most so many elements: those whose chains agree least, in the order of the table. */
export function leastMixed(report: PosteriorReport, most: number): Element[] {
  const places = sizesOf(report).flatMap((size, site) =>
    Array.from({ length: size }, (_, element) => ({ site, element })),
  );
  const rhat = (row: number) => report.rows[row]!.rhat || 0;
  const worst = Array.from(places.keys()).sort((a, b) => rhat(b) - rhat(a) || a - b);
  return worst
    .slice(0, most)
    .sort((a, b) => a - b)
    .map((row) => elementAt(report, places[row]!));
}

/** All draws of an element in one array. */
export function pooledDraws({ chains }: Element): Float64Array {
  const length = chains[0]?.length ?? 0;
  const all = new Float64Array(chains.length * length);
  for (const [i, chain] of chains.entries()) all.set(chain, i * length);
  return all;
}
