import { isLatent, type RandomSite, type Site } from "../../model/site.ts";

/** As many values of a count as one element's factor holds at most. */
export const MOST_COUNTS = 4096;

/** Whether a latent site is a count that takes values without end, as a Poisson one. */
export function isEndless(site: Site): site is RandomSite {
  if (!isLatent(site) || site.kind !== "sample" || !site.family) return false;
  const support = site.family.support(site.params);
  return support.kind === "counts" && support.high === null;
}
