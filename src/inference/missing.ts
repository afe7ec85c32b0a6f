import { DataError } from "../base/errors.ts";
import type { ArrayData } from "../model/data.ts";
import type { RandomSite, Site, TracedModel } from "../model/site.ts";
import { substitute } from "../model/substitute.ts";
import { full, where } from "../tensor/functions.ts";
import { Tensor } from "../tensor/tensor.ts";
import { indexText } from "./index-text.ts";

/** Inside the supports of numbers, probabilities and counts alike: the density there is finite, and so is its gradient. */
const FILLING = 0.5;

/** @throws DataError where the data hold NaN */
export function refuseMissing({ arrays }: { readonly arrays: Readonly<Record<string, ArrayData>> }): void {
  for (const [name, { shape, values }] of Object.entries(arrays)) {
    const at = values.findIndex(Number.isNaN);
    if (at < 0) continue;
    throw new DataError(
      `data.${name}: element [${indexText(at, shape)}] is NaN. Data must be finite numbers: leave out or impute what is missing, or fit by coordinate ` +
        'ascent (method: "cavi"), for which it counts for nothing.',
    );
  }
}

/** The model with log density 0 for what is NaN among its observed values: it is integrated out. */
export function withoutMissing(
  model: TracedModel,
  arrays: Readonly<Record<string, ArrayData>>,
  inputs: Readonly<Record<string, Tensor>>,
): TracedModel {
  const holes = Object.keys(arrays).filter((name) => arrays[name]!.values.some(Number.isNaN));
  if (!holes.length) return model;
  const filled = new Map(
    holes.map((name) => {
      const raw = inputs[`data.${name}`]!;
      return [raw.node, where(raw.eq(raw), raw, full(raw, raw.shape, FILLING)).node];
    }),
  );
  const fill = (x: Tensor) => new Tensor(x.trace, substitute(x.trace, [x.node], filled)[0]!);
  const there = ({ value, family }: RandomSite): Tensor => {
    const known = value.eq(value);
    const rank = family!.eventRank;
    const axes = Array.from({ length: rank }, (_, k) => value.shape.length - rank + k);
    return rank ? known.cast("f64").neg().max(axes).lt(0) : known;
  };
  const skip = (site: Site): Site => {
    if (site.kind !== "observe" || !site.logProb) return site;
    const logProb = fill(site.logProb);
    return logProb.node === site.logProb.node ? site : { ...site, logProb: where(there(site), logProb, 0) };
  };
  return { ...model, sites: model.sites.map(skip) };
}
