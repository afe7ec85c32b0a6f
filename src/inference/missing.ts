import { DataError } from "../base/errors.ts";
import type { ArrayData } from "../model/data.ts";
import type { Site, TracedModel } from "../model/site.ts";
import { substitute } from "../model/substitute.ts";
import { full, where } from "../tensor/functions.ts";
import { Tensor } from "../tensor/tensor.ts";
import { indexText } from "./index-text.ts";

/** Inside the supports of numbers, probabilities and counts alike: the density there is finite, and so is its gradient. */
const FILLING = 0.5;

/** Data with some number in place of what is missing. */
export const filled = (raw: Tensor): Tensor => where(raw.eq(raw), raw, full(raw, raw.shape, FILLING));

/** 1 where an observed value is there, and 0 where any of its event's elements is missing. */
export function presence(value: Tensor, eventRank: number): Tensor {
  const known = value.eq(value).cast("f64");
  const events = value.shape.map((_, p) => p).slice(value.shape.length - eventRank);
  return eventRank ? known.neg().max(events).neg() : known;
}

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
  const raws = holes.map((name) => inputs[`data.${name}`]!);
  const fillings = new Map(raws.map((raw) => [raw.node, filled(raw).node]));
  const fill = (x: Tensor) => new Tensor(x.trace, substitute(x.trace, [x.node], fillings)[0]!);
  const skip = (site: Site): Site => {
    if (site.kind !== "observe" || !site.logProb) return site;
    const logProb = fill(site.logProb);
    return logProb.node === site.logProb.node
      ? site
      : { ...site, logProb: where(presence(site.value, site.family!.eventRank).gt(0), logProb, 0) };
  };
  return { ...model, sites: model.sites.map(skip) };
}
