import { sizeOf } from "../../../base/shape.ts";
import type { Node } from "../../../ir/node.ts";
import { matmulSizes } from "../../../ops/contract.ts";
import { keptAxes } from "../../../ops/reduce.ts";
import { scalar } from "../../../ops/scalar.ts";

/** One element of a value. */
export interface Element {
  readonly node: Node;
  readonly at: number;
}

function indexOf(at: number, { shape }: Node): number[] {
  const index = new Array<number>(shape.length);
  let rest = at;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    index[axis] = rest % shape[axis]!;
    rest = Math.floor(rest / shape[axis]!);
  }
  return index;
}
const offsetIn = ({ shape }: Node, index: readonly number[]): number =>
  shape.reduce((offset, d, axis) => offset * d + index[axis]!, 0);

const MOVES = new Set(["reshape", "broadcast", "transpose", "slice", "pad", "concat"]);

/** Ops that only say where elements come from. */
export const isMove = (node: Node): boolean => MOVES.has(node.op);

/** Where an element of a moved value comes from; null for the zeros of a pad. */
function moved({ node, at }: Element): Element | null {
  const [x] = node.inputs as [Node];
  if (node.op === "reshape") return { node: x, at };
  const index = indexOf(at, node);
  switch (node.op) {
    case "broadcast":
      return { node: x, at: offsetIn(x, (node.attrs.dims as readonly number[]).map((d) => index[d]!)) }; // biome-ignore format: short
    case "transpose": {
      const from: number[] = [];
      for (const [i, axis] of (node.attrs.permutation as readonly number[]).entries()) from[axis] = index[i]!;
      return { node: x, at: offsetIn(x, from) };
    }
    case "slice":
      return { node: x, at: offsetIn(x, index.map((i, d) => i + (node.attrs.starts as readonly number[])[d]!)) }; // biome-ignore format: short
    case "pad": {
      const from = index.map((i, d) => i - (node.attrs.low as readonly number[])[d]!);
      return from.every((i, d) => i >= 0 && i < x.shape[d]!) ? { node: x, at: offsetIn(x, from) } : null;
    }
    default: {
      const axis = node.attrs.axis as number;
      let rest = index[axis]!;
      for (const piece of node.inputs) {
        if (rest < piece.shape[axis]!) return { node: piece, at: offsetIn(piece, index.with(axis, rest)) };
        rest -= piece.shape[axis]!;
      }
      return null;
    }
  }
}

/** Through moves to where an element is made; null for a zero. */
export function sourceOf(element: Element): Element | null {
  let found: Element | null = element;
  while (found && isMove(found.node)) found = moved(found);
  return found;
}

/** The elements that an element of a sum or maximum runs over. */
export function reducedBy({ node, at }: Element): Element[] {
  const [x] = node.inputs as [Node];
  const axes = node.attrs.axes as readonly number[];
  const kept = indexOf(at, node);
  const out: Element[] = [];
  const index = x.shape.map(() => 0);
  for (const [i, axis] of keptAxes(x.shape, axes).entries()) index[axis] = kept[i]!;
  const visit = (axis: number): void => {
    if (axis === axes.length) {
      out.push({ node: x, at: offsetIn(x, index) });
      return;
    }
    for (let i = 0; i < x.shape[axes[axis]!]!; i++) {
      index[axes[axis]!] = i;
      visit(axis + 1);
    }
  };
  visit(0);
  return out;
}

/** The pairs of factors that an element of a product sums. */
export function factorsOf({ node, at }: Element): [Element, Element][] {
  const [a, b] = node.inputs as [Node, Node];
  const { m, n, k } = matmulSizes(node);
  const { transA, transB } = node.attrs as { transA: boolean; transB: boolean };
  const [p, i, j] = [Math.floor(at / (m * n)), Math.floor(at / n) % m, at % n];
  return Array.from({ length: k }, (_, l) => [
    { node: a, at: p * m * k + (transA ? l * m + i : i * k + l) },
    { node: b, at: p * k * n + (transB ? j * k + l : l * n + j) },
  ]);
}

/** Which index an element of a gather goes by, and which column of the row it is. */
export function gatherOf({ node, at }: Element): { index: Element; column: number; width: number; rows: number } {
  const [table, indices] = node.inputs as [Node, Node];
  const width = sizeOf(table.shape.slice(1));
  return { index: { node: indices, at: Math.floor(at / width) }, column: at % width, width, rows: table.shape[0]! };
}

/** An array that lies in memory while the loop runs: rows of it can be read at a computed place. */
export function arrayInMemory(table: Node): Node | null {
  let node = table;
  while (node.op === "reshape") node = node.inputs[0]!;
  return node.op === "input" && !(node.attrs.name as string).startsWith("state") && node.attrs.name !== "index"
    ? node
    : null;
}

/** For each update row of a scatterAdd: its index, and the element that may be added. */
export function updatesOf({ node, at }: Element): { row: number; updates: { index: Element; value: Element }[] } {
  const [updates, indices] = node.inputs as [Node, Node];
  const width = sizeOf(node.shape.slice(1));
  return {
    row: Math.floor(at / width),
    updates: Array.from({ length: sizeOf(indices.shape) }, (_, i) => ({
      index: { node: indices, at: i },
      value: { node: updates, at: i * width + (at % width) },
    })),
  };
}

export const isElementwise = (node: Node): boolean => node.op in scalar || node.op === "copy";

/** What an element is computed from. */
export function operandsOfElement(element: Element): Element[] {
  const { node, at } = element;
  if (isElementwise(node)) return node.inputs.map((x) => ({ node: x, at }));
  switch (node.op) {
    case "sum":
    case "max":
      return reducedBy(element);
    case "matmul":
      return factorsOf(element).flat();
    case "gather": {
      const { index, column, width, rows } = gatherOf(element);
      if (arrayInMemory(node.inputs[0]!)) return [index];
      return [index, ...Array.from({ length: rows }, (_, r) => ({ node: node.inputs[0]!, at: r * width + column }))];
    }
    case "scatterAdd":
      return updatesOf(element).updates.flatMap(({ index, value }) => [index, value]);
    default:
      return [];
  }
}
