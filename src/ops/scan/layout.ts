import { type Shape, sizeOf } from "../../base/shape.ts";
import type { Node } from "../../ir/node.ts";
import { inputsOf, type Region } from "../../ir/region.ts";
import type { Trace } from "../vocabulary.ts";

/**
 * What a scan node is told. Operands: the carries at the start, the xs (each with a leading axis of `length` rows), the captured
 * values, and with `counted` the number of steps to take.
 *
 * The body has inputs `state.i`, `x.i`, `const.i` and `index` (i32, the row), and outputs `state.i` and `y.i`.
 */
export interface ScanAttrs {
  readonly body: Region;
  readonly length: number;
  /** Steps go through the rows from the last to the first. */
  readonly reverse: boolean;
  readonly carries: number;
  readonly xs: number;
  /** A carry: a step that finds it other than 0 is not taken, nor are those after it. −1 for none. */
  readonly until: number;
  /** The last operand is how many of the rows, from the first on, take part. */
  readonly counted: boolean;
  /** Carries whose values before each step are part of the result. */
  readonly stored: readonly number[];
}

export const attrsOf = (node: Node): ScanAttrs => node.attrs as unknown as ScanAttrs;

/** A part of the packed result. */
export interface Piece {
  readonly from: number;
  readonly size: number;
  readonly shape: Shape;
}

/** The packed result: final carries, rows of each y, number of steps taken (with `until` only), rows of stored carries. */
export interface Layout {
  readonly carries: readonly Piece[];
  readonly ys: readonly Piece[];
  readonly steps: Piece | null;
  readonly stored: readonly Piece[];
  readonly size: number;
}

export function layoutOf({ body, carries, length, until, stored }: ScanAttrs): Layout {
  let size = 0;
  const piece = (shape: Shape): Piece => {
    const made = { from: size, size: sizeOf(shape), shape };
    size += made.size;
    return made;
  };
  const outputs = [...body.graph.outputs.values()];
  const rows = (node: Node): Piece => piece([length, ...node.shape]);
  const finals = outputs.slice(0, carries).map((node) => piece(node.shape));
  const ys = outputs.slice(carries).map(rows);
  const steps = until >= 0 ? piece([]) : null;
  return { carries: finals, ys, steps, stored: stored.map((i) => rows(outputs[i]!)), size };
}

/** The operands of a scan by what they are. */
export function operandsOf(node: Node) {
  const { carries, xs, counted } = attrsOf(node);
  const end = node.inputs.length - (counted ? 1 : 0);
  return {
    carries: node.inputs.slice(0, carries),
    xs: node.inputs.slice(carries, carries + xs),
    captured: node.inputs.slice(carries + xs, end),
    count: counted ? node.inputs[end]! : null,
  };
}

/** A part of the packed result as a tensor. */
export const takePiece = (b: Trace, packed: Node, { from, size, shape }: Piece): Node =>
  b.reshape(b.slice(packed, [from], [size]), shape);

/** The inputs of a body, by what they are; null where the body does not use one. */
export function bodyInputs(node: Node) {
  const { body } = attrsOf(node);
  const inputs = inputsOf(body.graph);
  const { carries, xs, captured } = operandsOf(node);
  const named = (name: string) => (_: Node, i: number) => inputs.get(`${name}.${i}`) ?? null;
  return {
    carries: carries.map(named("state")),
    xs: xs.map(named("x")),
    captured: captured.map(named("const")),
    index: inputs.get("index") ?? null,
  };
}
