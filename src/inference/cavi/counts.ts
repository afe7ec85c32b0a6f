import { NonFiniteError, OptionError } from "../../base/errors.ts";
import { counts } from "../../constraints/support.ts";
import type { TracedModel } from "../../model/site.ts";
import type { Problem } from "../problem.ts";
import type { Block } from "./blocks/block.ts";
import { isEndless, MOST_COUNTS } from "./endless.ts";
import { stateKey } from "./sweep.ts";

/** So many values of a count are held first; each time they do not suffice there are four times as many. */
const FIRST = 64;
/** Of an element's probability, what may lie beyond the values that are held. */
const BEYOND = 1e-12;

const limited = (model: TracedModel, values: number): TracedModel => ({
  ...model,
  sites: model.sites.map((site) =>
    isEndless(site) && site.support.kind === "counts"
      ? { ...site, support: counts(site.support.low, site.support.low + values - 1) }
      : site,
  ),
});

/**
 * Counts without end are held as tables over their first values, as many as leave less than 1e-12 of each element's probability beyond
 * them: q exp(E log p) on those is the optimal factor but for that, and its bound a bound of the model as it was written.
 *
 * @param run  fits with tables of so many values
 */
export async function withCounts<F extends { readonly fit: { readonly state: ReadonlyMap<string, Float64Array> } }>(
  problem: Problem,
  run: (problem: Problem) => Promise<F & { readonly setting: { readonly structure: { readonly blocks: readonly Block[] } } }>, // biome-ignore format: one line
): Promise<F> {
  const endless = problem.layout.sites.filter(isEndless).map((s) => s.name);
  if (!endless.length) return run(problem);
  for (let values = FIRST; ; values *= 4) {
    const isLast = values * 4 > MOST_COUNTS;
    const found = await run({
      ...problem,
      layout: limited(problem.layout, values),
      trace: (...given) => limited(problem.trace(...given), values),
    }).catch((error: unknown) => {
      // Perhaps what was observed needs more than these values.
      if (isLast || !(error instanceof NonFiniteError)) throw error;
      return null;
    });
    if (!found) continue;
    const { blocks } = found.setting.structure;
    const short = endless.find((name) => {
      const block = blocks.find((b) => b.sites.includes(name))!;
      if (block.sites.length > 1 || !block.state.logProbs) {
        throw new OptionError(
          `sample("${name}") takes values without end, and so has a factor of its own in each element of its plates, not one with other sites ` +
            "or steps of a chain",
        );
      }
      return beyond(found.fit.state.get(stateKey(block, "logProbs"))!, values) > BEYOND;
    });
    if (!short) return found;
    if (isLast) {
      throw new OptionError(
        `sample("${short}") has more than ${MOST_COUNTS} values that count under q, which is as many as its factor can hold: for counts so ` +
          "large a normal or gamma is as good",
      );
    }
  }
}

/** The most that any element has beyond its last value, by the ratio of the last two. */
function beyond(logProbs: Float64Array, values: number): number {
  let most = 0;
  for (let last = values - 1; last < logProbs.length; last += values) {
    const p = Math.exp(logProbs[last]!);
    if (p === 0) continue;
    const ratio = Math.exp(logProbs[last]! - logProbs[last - 1]!);
    most = Math.max(most, ratio < 1 ? (p * ratio) / (1 - ratio) : Number.POSITIVE_INFINITY);
  }
  return most;
}
