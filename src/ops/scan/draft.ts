import { AnsatzError } from "../../base/errors.ts";
import { reachable } from "../../ir/graph.ts";
import type { Node } from "../../ir/node.ts";
import { closeOver, regionOf, writeInto } from "../../ir/region.ts";
import { opRow } from "../table.ts";
import type { Trace } from "../vocabulary.ts";
import { attrsOf, bodyInputs, operandsOf, type ScanAttrs } from "./layout.ts";

const PLACEHOLDER = "scan placeholder";
let serial = 0;

/** Throws where a placeholder is left in a whole program: it has no value there. */
export function refuseLeaks(nodes: readonly Node[]): void {
  if (nodes.some((n) => n.op === "input" && (n.attrs.name as string).startsWith(PLACEHOLDER))) {
    throw new AnsatzError(
      "a tensor of a scan's step (its carry, x, t or what was made of them) is used outside that step, where it has no value: " +
        "return it from the step, as carry or y; a rule given to customVjp gets its tensors as arguments",
    );
  }
}

/** An input that stands for something while a body is traced, under a name that nothing else has. */
export const placeholder = (b: Trace, like: Pick<Node, "dtype" | "shape">): Node =>
  b.input(`${PLACEHOLDER} ${serial++}`, like.dtype, like.shape);

/** A scan whose body is still part of the trace. */
export interface Draft extends Pick<ScanAttrs, "length" | "reverse"> {
  /** `at` stands for the value before a step, `next` is the value after it. */
  readonly carries: readonly { readonly from: Node; readonly at: Node; readonly next: Node }[];
  /** `at` stands for a row of `rows`. Those that the body does not use are left out. */
  readonly xs: readonly { readonly rows: Node; readonly at: Node }[];
  readonly ys: readonly Node[];
  readonly index: Node;
  readonly until?: number;
  readonly count?: Node | null;
  readonly stored?: readonly number[];
  /** Placeholders that the body is to be freed of before it is cut out, and what they stand for. */
  readonly standIns?: ReadonlyMap<Node, Node>;
}

/** Cuts the body out of the trace and appends the scan. */
export function appendScan(b: Trace, draft: Draft): Node {
  const { carries, ys, index, length, reverse, until = -1, count = null, stored = [] } = draft;
  const drafted = new Map<string, Node>();
  for (const [i, { next }] of carries.entries()) drafted.set(`state.${i}`, next);
  for (const [i, y] of ys.entries()) drafted.set(`y.${i}`, y);
  const outputs = draft.standIns ? writeInto(b.builder, { outputs: drafted }, draft.standIns) : drafted;
  const used = new Set(reachable([...outputs.values()], Math.min(index.id, ...draft.xs.map(({ at }) => at.id))));
  const xs = draft.xs.filter(({ at }) => used.has(at));
  const placeholders = new Map<Node, string>([[index, "index"]]);
  for (const [i, { at }] of carries.entries()) placeholders.set(at, `state.${i}`);
  for (const [i, { at }] of xs.entries()) placeholders.set(at, `x.${i}`);
  const { graph, captured } = closeOver((op) => opRow(op).infer, outputs, placeholders);
  const attrs: ScanAttrs = {
    body: regionOf(graph),
    length,
    reverse,
    carries: carries.length,
    xs: xs.length,
    until,
    counted: count !== null,
    stored,
  };
  const operands = [...carries.map((c) => c.from), ...xs.map((x) => x.rows), ...captured, ...(count ? [count] : [])];
  return b.builder.append("scan", operands, { ...attrs });
}

/** A body written into the trace again: what stands for its inputs, and its outputs. */
export interface Unpacked {
  readonly carries: readonly Node[];
  readonly xs: readonly Node[];
  readonly captured: readonly Node[];
  readonly index: Node;
  readonly next: readonly Node[];
  readonly ys: readonly Node[];
}

/**
 * Writes the body of a scan into the trace.
 *
 * @param captured  what stands for the captured values; placeholders by default
 */
export function unpack(b: Trace, node: Node, captured?: readonly Node[]): Unpacked {
  const { body, carries } = attrsOf(node);
  const operands = operandsOf(node);
  const inner = bodyInputs(node);
  const row = (x: Node) => placeholder(b, { dtype: x.dtype, shape: x.shape.slice(1) });
  const parts = {
    carries: operands.carries.map((x) => placeholder(b, x)),
    xs: operands.xs.map(row),
    captured: captured ?? operands.captured.map((x) => placeholder(b, x)),
    index: placeholder(b, { dtype: "i32", shape: [] }),
  };
  const known = new Map<Node, Node>();
  const bind = (inputs: readonly (Node | null)[], values: readonly Node[]) => {
    for (const [i, input] of inputs.entries()) if (input) known.set(input, values[i]!);
  };
  bind(inner.carries, parts.carries);
  bind(inner.xs, parts.xs);
  bind(inner.captured, parts.captured);
  bind([inner.index], [parts.index]);
  const outputs = [...writeInto(b.builder, body.graph, known).values()];
  return { ...parts, next: outputs.slice(0, carries), ys: outputs.slice(carries) };
}
