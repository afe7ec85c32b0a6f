import { allocate, dtypes, isFloat, type TypedArray } from "../base/dtype.ts";
import { InternalError } from "../base/errors.ts";
import { sameShape, showShape, sizeOf } from "../base/shape.ts";
import { type Graph, nodesOf } from "../ir/graph.ts";
import type { Node } from "../ir/node.ts";
import { scanBatch } from "./scan/batch.ts";
import { attrsOf, bodyInputs, layoutOf, operandsOf } from "./scan/layout.ts";
import { tidyScans } from "./scan/tidy.ts";
import { scanVjp } from "./scan/vjp.ts";
import { opRow } from "./table.ts";
import type { Op } from "./vocabulary.ts";

/** The body fits the operands, and gives one float dtype. Bodies are made by the facade and by rules: a misfit is ours. */
const infer: Op["infer"] = (inputs, attrs) => {
  const node = { inputs, attrs } as Node;
  const scan = attrsOf(node);
  const complain = (what: string): never => {
    throw new InternalError(`scan: ${what}`);
  };
  const outputs = [...scan.body.graph.outputs.values()];
  const dtype = outputs[0]?.dtype ?? complain("the body has no outputs");
  if (!isFloat(dtype) || outputs.some((y) => y.dtype !== dtype)) complain("outputs of the body need one float dtype");
  const { carries, xs, captured, count } = operandsOf(node);
  const inner = bodyInputs(node);
  for (const [i, x] of carries.entries()) {
    if (x.dtype !== dtype || !sameShape(x.shape, outputs[i]!.shape)) {
      complain(
        `carry ${i} begins as ${x.dtype}${showShape(x.shape)} and goes on as ${dtype}${showShape(outputs[i]!.shape)}`,
      );
    }
  }
  for (const [i, x] of xs.entries()) {
    if (x.shape[0] !== scan.length) complain(`x ${i} is ${showShape(x.shape)}, not ${scan.length} rows`);
  }
  const check = (name: string, input: Node | null, x: Node, shape = x.shape) => {
    if (input && (input.dtype !== x.dtype || !sameShape(input.shape, shape))) {
      complain(`${name} is ${x.dtype}${showShape(shape)}, the body takes ${input.dtype}${showShape(input.shape)}`);
    }
  };
  for (const [i, x] of carries.entries()) check(`carry ${i}`, inner.carries[i]!, x);
  for (const [i, x] of xs.entries()) check(`x ${i}`, inner.xs[i]!, x, x.shape.slice(1));
  for (const [i, x] of captured.entries()) check(`captured value ${i}`, inner.captured[i]!, x);
  if (count && (count.shape.length || !isFloat(count.dtype))) complain("the number of steps is a float scalar");
  return { shape: [layoutOf(scan).size], dtype };
};

const fixed = (node: Node): TypedArray =>
  node.op === "const"
    ? allocate(node.dtype, sizeOf(node.shape)).fill(node.attrs.value as number)
    : opRow(node.op).evaluate([], node);

/** The values of a body's outputs for given inputs. */
function evaluateBody(graph: Graph, order: readonly Node[], given: ReadonlyMap<Node, TypedArray>): TypedArray[] {
  const values = new Map(given);
  for (const node of order) {
    if (!values.has(node)) values.set(node, opRow(node.op).evaluate(node.inputs.map((x) => values.get(x)!), node)); // biome-ignore format: short
  }
  return [...graph.outputs.values()].map((node) => values.get(node)!);
}

const evaluate: Op["evaluate"] = (args, node) => {
  const attrs = attrsOf(node);
  const { graph } = attrs.body;
  const layout = layoutOf(attrs);
  const values = operandsOf({ ...node, inputs: args as unknown as Node[] }) as unknown as Record<
    "carries" | "xs" | "captured",
    TypedArray[]
  > & { count: TypedArray | null };
  const inputs = bodyInputs(node);
  const out = dtypes[node.dtype].view(new ArrayBuffer(layout.size * dtypes[node.dtype].bytes), 0, layout.size);
  const order = nodesOf(graph);
  const given = new Map<Node, TypedArray>();
  for (const x of order) if (!x.inputs.length && x.op !== "input") given.set(x, fixed(x));
  const bind = (input: Node | null, value: TypedArray) => {
    if (input) given.set(input, value);
  };
  for (const [i, x] of values.captured.entries()) bind(inputs.captured[i]!, x);

  let state = values.carries;
  const limit = values.count ? Math.min(values.count[0]!, attrs.length) : attrs.length;
  let taken = 0;
  for (; taken < limit; taken++) {
    if (attrs.until >= 0 && state[attrs.until]![0] !== 0) break;
    const row = attrs.reverse ? limit - 1 - taken : taken;
    for (const [i, x] of state.entries()) bind(inputs.carries[i]!, x);
    for (const [i, x] of values.xs.entries()) {
      const width = x.length / attrs.length;
      bind(inputs.xs[i]!, x.slice(row * width, (row + 1) * width));
    }
    bind(inputs.index, Int32Array.of(row));
    const put = ({ from, size }: { from: number; size: number }, x: TypedArray) =>
      out.set(x as never, from + row * (size / attrs.length));
    for (const [i, carry] of attrs.stored.entries()) put(layout.stored[i]!, state[carry]!);
    const results = evaluateBody(graph, order, given);
    state = results.slice(0, attrs.carries);
    for (const [i, piece] of layout.ys.entries()) put(piece, results[attrs.carries + i]!);
  }
  for (const [i, piece] of layout.carries.entries()) out.set(state[i]! as never, piece.from);
  if (layout.steps) out[layout.steps.from] = taken;
  return out;
};

/**
 * A loop over rows inside a step: carries go from one step to the next, each step may give a row of results. The result is one
 * packed vector; see layout.ts.
 */
const scan: Op = { infer, vjp: scanVjp, batch: scanBatch, evaluate, tidy: tidyScans };

/** Ops that hold a body: registered by who appends them. */
export const loops: Readonly<Record<string, Op>> = { scan };
