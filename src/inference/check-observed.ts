import { DataError, OptionError, SupportError } from "../base/errors.ts";
import { sizeOf } from "../base/shape.ts";
import type { Support } from "../constraints/support.ts";
import type { Node } from "../ir/node.ts";
import type { ArrayData } from "../model/data.ts";
import type { RandomSite, TracedModel } from "../model/site.ts";
import { Tensor } from "../tensor/tensor.ts";
import { ownIndex, valuesOf } from "./check-indices.ts";
import { rowsBehind } from "./check-simplexes.ts";
import { supportText } from "./diagnose.ts";
import { indexText, listed } from "./index-text.ts";

/** How far from 1 the sum of an observed vector of probabilities may be. */
const TOLERANCE = 1e-8;
/** And that of probabilities that a model is given. */
const SUM_TOLERANCE = 1e-6;

type Values = ArrayLike<number>;

/**
 * Looks at observed values, and at parameters that the data decide, before the first step of a method that works with expected
 * densities: these are formulas that stay finite outside a support, for a fractional count or a category that does not exist, and
 * answer another question. Of values that are missing (NaN) nothing is asked.
 *
 * @throws SupportError where a distribution gives a value probability zero: names site, element, value and what it takes
 * @throws DataError    where a parameter that must be positive is negative
 * @throws OptionError  where probabilities that the data decide do not sum to 1
 */
export function checkObserved({ sites }: TracedModel, arrays: Readonly<Record<string, ArrayData>>): void {
  const known = new Map<Node, ReturnType<typeof valuesOf>>();
  const read = (node: Node): Values | null => plainData(node, arrays) ?? valuesOf(node, arrays, known);
  for (const site of sites) {
    if ((site.kind !== "observe" && site.kind !== "sample") || !site.family) continue;
    checkParameters(site, read);
    checkProbabilities(site, read);
    // Of real numbers only infinite ones lie outside, and these make every bound infinite: what is not at hand need not be computed.
    if (site.kind === "observe")
      checkValues(site, site.support.kind === "real" ? (node) => plainData(node, arrays) : read);
  }
}

function checkParameters(site: RandomSite, read: (node: Node) => Values | null): void {
  for (const [name, { support, rank }] of Object.entries(site.family!.params)) {
    let node = site.params[name]?.node;
    if (!node || rank || support.kind !== "positive") continue;
    while (node.op === "broadcast" || node.op === "reshape") node = node.inputs[0]!;
    const values = read(node);
    const at = values ? firstAt(values.length, (i) => values[i]! < 0) : -1;
    if (at < 0) continue;
    const where = node.shape.length ? ` at element [${indexText(at, node.shape)}]` : "";
    throw new DataError(
      `${site.kind}("${site.name}"): ${name} of its ${site.family!.name} is ${values![at]}${where}, but it must be above 0: correct the data or the ` +
        "formula that it comes from.",
    );
  }
}

/** Probabilities that the data decide, as the known moves of a chain. */
function checkProbabilities(site: RandomSite, read: (node: Node) => Values | null): void {
  for (const [name, { support }] of Object.entries(site.family!.params)) {
    const given = site.params[name]?.node;
    if (!given || support.kind !== "simplex") continue;
    const node = rowsBehind(given);
    const values = read(node);
    const size = node.shape.at(-1)!;
    for (let at = 0; values && at < values.length; at += size) {
      const row = Float64Array.from({ length: size }, (_, k) => values[at + k]!);
      const sum = row.reduce((a, b) => a + b, 0);
      if (Math.abs(sum - 1) <= SUM_TOLERANCE || Number.isNaN(sum)) continue;
      throw new OptionError(
        `${site.kind}("${site.name}"): ${name} of its ${site.family!.name} are no probabilities: ${listed(row, 0, size)} sum to ` +
          `${Number(sum.toPrecision(6))}. Divide them by their sum, or take softmax of them.`,
      );
    }
  }
}

function checkValues(site: RandomSite, read: (node: Node) => Values | null): void {
  const values = read(site.value.node);
  if (!values) return;
  const { shape } = site.value;
  const batch = shape.slice(0, shape.length - site.family!.eventRank);
  const size = sizeOf(shape.slice(batch.length));
  const ends = new Map(
    Object.values(site.support).flatMap((end) => (end instanceof Tensor ? [[end, read(end.node)] as const] : [])),
  );
  // An end that another unknown decides is looked at by the fit itself.
  if ([...ends.values()].some((end) => !end)) return;
  const endAt = (end: unknown, i: number): number =>
    end instanceof Tensor ? ends.get(end)![ends.get(end)!.length === 1 ? 0 : i]! : (end as number);
  const event = new Float64Array(size);
  const isOutside = (i: number): boolean => {
    for (let e = 0; e < size; e++) event[e] = values[i * size + e]!;
    return (
      !event.some(Number.isNaN) &&
      !isInside(event, site.support, (end) => endAt(end, i), site.family!.holdsZero ?? false)
    );
  };
  const at = firstAt(values.length / size, isOutside);
  if (at < 0) return;
  const own = Float64Array.from({ length: size }, (_, e) => values[at * size + e]!);
  const shown = size > 1 ? listed(own, 0, size) : String(Number(own[0]!.toPrecision(10)));
  const takes = supportText(site.support, (end) => String(endAt(end, at)));
  throw new SupportError(
    `${site.kind}("${site.name}"): element ${batch.length ? `[${indexText(at, batch)}]` : "(a single number)"} is ${shown}, which a ` +
      `${site.family!.name} gives probability zero. It takes ${takes}. Correct the data, or choose a distribution that has them in its support.`,
  );
}

/** Whether one event lies in a support; of ordered vectors and matrices only whether it is finite. */
function isInside(x: Float64Array, support: Support, endOf: (end: unknown) => number, holdsZero: boolean): boolean {
  if (!x.every(Number.isFinite)) return false;
  const isCount = (v: number) => Number.isInteger(v) && v >= 0;
  switch (support.kind) {
    case "binary":
      return x.every((v) => v === 0 || v === 1);
    case "unitInterval":
      return x.every((v) => v >= 0 && v <= 1);
    case "categories":
      return x.every((v) => isCount(v) && v < support.count);
    case "positive":
      return x.every((v) => v > 0 || (holdsZero && v === 0));
    case "interval":
      return x.every((v) => v >= endOf(support.low) && v <= endOf(support.high));
    case "above":
      return x.every((v) => v >= endOf(support.low));
    case "below":
      return x.every((v) => v <= endOf(support.high));
    case "circle":
      return x.every((v) => Math.abs(v) <= Math.PI);
    case "counts":
      return x.every((v) => isCount(v) && v >= support.low && (support.high === null || v <= endOf(support.high)));
    case "countVector":
      return x.every(isCount) && x.reduce((a, b) => a + b, 0) === endOf(support.total);
    case "simplex":
      return x.every((v) => v >= 0) && Math.abs(x.reduce((a, b) => a + b, 0) - 1) <= TOLERANCE;
    case "real":
    case "ordered":
    case "positiveOrdered":
    case "cholesky":
    case "correlationCholesky":
    case "positiveDefinite":
      return true;
  }
}

function firstAt(count: number, holds: (i: number) => boolean): number {
  for (let i = 0; i < count; i++) if (holds(i)) return i;
  return -1;
}

/** A field of the data that a node is as it stands, or the own rows of plates in it: it need not be copied. Null of other nodes. */
function plainData(node: Node, arrays: Readonly<Record<string, ArrayData>>): Values | null {
  let at = node;
  while (at.op === "reshape" || (at.op === "gather" && isOwnRows(at))) at = at.inputs[0]!;
  return at.op === "input" && at.dtype === "f64" ? (arrays[(at.attrs.name as string).replace(/^data\./, "")]?.values ?? null) : null; // biome-ignore format: one line
}

/** Whether a look-up gives every row, in order: by a plate's index, or by that of the innermost of nested ones. */
function isOwnRows({ inputs }: Node): boolean {
  const [from, given] = inputs as [Node, Node];
  const { index, rows } = ownIndex(given, from.shape[0]!);
  const isInnermost = index.op === "broadcast" && String(index.attrs.dims) === String(index.shape.length - 1);
  const count = isInnermost ? index.inputs[0]! : index;
  return count.op === "iota" && count.shape.length === 1 && count.shape[0] === rows && sizeOf(given.shape) === from.shape[0]; // biome-ignore format: one line
}
