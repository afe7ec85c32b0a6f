import { dtypes, type TypedArray } from "../base/dtype.ts";
import { DataError } from "../base/errors.ts";
import { sizeOf } from "../base/shape.ts";
import { reachable } from "../ir/graph.ts";
import type { Node } from "../ir/node.ts";
import type { ArrayData } from "../model/data.ts";
import type { Site, TracedModel } from "../model/site.ts";
import { opRow } from "../ops/table.ts";

/** Ops that only look at their operand in another way. */
const MOVEMENT = new Set(["broadcast", "reshape", "transpose", "slice", "cast"]);

/** Every node that a site's density or value is made of. */
const nodesOf = (site: Site): Node[] => [
  site.value.node,
  ...("logProb" in site && site.logProb ? [site.logProb.node] : []),
];

/**
 * Looks at every look-up of a traced model whose indices the data decide: programs clamp indices into their range, so that one which
 * lies outside would be answered by the first or last element and go unnoticed.
 *
 * @throws DataError naming the site, the index and its range
 */
export function checkIndices({ sites }: TracedModel, arrays: Readonly<Record<string, ArrayData>>): void {
  const all = reachable(sites.flatMap(nodesOf));
  const lookUps = all.filter((n) => n.op === "gather");
  if (!lookUps.length) return;
  const known = new Map<Node, TypedArray | null>();
  for (const node of lookUps) {
    const [from, given] = node.inputs as [Node, Node];
    const { index, rows } = ownIndex(given, from.shape[0]!);
    if (index.op === "iota" && index.shape[index.attrs.axis as number]! <= rows) continue;
    const values = valuesOf(index, arrays, known);
    const at = values?.findIndex((v) => !(v >= 0 && v < rows && Number.isInteger(v))) ?? -1;
    // What a condition discards may come from anywhere.
    if (at < 0 || onlySelected(node, all)) continue;
    throw outside(sites, node, index, values!, at, rows, arrays);
  }
}

/**
 * The index as the text has it: before it was cast, and where a plate looks up a row of its own, without the offset of that row in all
 * rows (min(max(i, 0), rows − 1) + element · rows).
 */
export function ownIndex(node: Node, rows: number): { index: Node; rows: number } {
  const [clamped, offset] = node.inputs;
  if (node.op === "add" && clamped?.op === "minimum" && offset?.op === "mul") {
    const [raised, last] = clamped.inputs as [Node, Node];
    const number = constantOf(last);
    if (raised.op === "maximum" && number !== null) return ownIndex(raised.inputs[0]!, number + 1);
  }
  return { index: node.op === "cast" ? node.inputs[0]! : node, rows };
}

function constantOf(node: Node): number | null {
  if (node.op === "const") return node.attrs.value as number;
  return node.op === "broadcast" ? constantOf(node.inputs[0]!) : null;
}

/** The values of a node that data alone decide; null of others. */
export function valuesOf(
  node: Node,
  arrays: Readonly<Record<string, ArrayData>>,
  known: Map<Node, TypedArray | null>,
): TypedArray | null {
  for (const n of reachable([node])) {
    if (known.has(n)) continue;
    if (n.op === "const") known.set(n, new dtypes[n.dtype].array(sizeOf(n.shape)).fill(n.attrs.value as number));
    else if (n.op === "input") known.set(n, arrays[(n.attrs.name as string).replace(/^data\./, "")]?.values ?? null);
    else {
      const inputs = n.inputs.map((x) => known.get(x)!);
      known.set(n, inputs.every((x) => x) ? opRow(n.op).evaluate(inputs, n) : null);
    }
  }
  return known.get(node)!;
}

/** Whether a value goes nowhere but into choices between values. */
function onlySelected(node: Node, all: readonly Node[]): boolean {
  const users = all.filter((n) => n.inputs.includes(node));
  return users.length > 0 && users.every((n) => n.op === "select" || (MOVEMENT.has(n.op) && onlySelected(n, all)));
}

function outside(
  sites: readonly Site[],
  lookUp: Node,
  index: Node,
  values: TypedArray,
  at: number,
  rows: number,
  arrays: Readonly<Record<string, ArrayData>>,
): DataError {
  const site = sites.find((s) => reachable(nodesOf(s)).includes(lookUp))!;
  let source = index;
  // A plate's own row of data is the data.
  while (MOVEMENT.has(source.op) || (source.op === "gather" && ownIndex(source.inputs[1]!, 1).index.op === "iota")) source = source.inputs[0]!; // biome-ignore format: one line
  const name = source.op === "input" ? (source.attrs.name as string).replace(/^data\./, "") : null;
  const own = name !== null && arrays[name]!.values.length === values.length;
  const value = values[at]!;
  const what = own ? `data.${name}, whose element ${at + 1} is ${value}` : `an index that is ${value}`;
  const least = Math.min(...new Set(values));
  const hint =
    own && least === 1 && value === rows
      ? " These seem to count from 1: subtract 1."
      : source.op === "iota"
        ? " A plate or chain has more elements than what it looks up."
        : "";
  const range =
    rows === 1 ? "there is 1 element, number 0" : `there are ${rows} elements, numbered from 0 to ${rows - 1}`;
  return new DataError(`${site.kind}("${site.name}") looks up by ${what}, but ${range}.${hint}`);
}
