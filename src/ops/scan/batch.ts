import { nodesOf } from "../../ir/graph.ts";
import type { Node } from "../../ir/node.ts";
import type { Op, Trace } from "../vocabulary.ts";
import { appendScan, placeholder, unpack } from "./draft.ts";
import { attrsOf, bodyInputs, layoutOf, operandsOf, type Piece, takePiece } from "./layout.ts";

const grow = (b: Trace, x: Node, size: number): Node => b.broadcast(x, [size, ...x.shape], x.shape.map((_, d) => d + 1)); // biome-ignore format: short
const range = (n: number, from: number): number[] => Array.from({ length: n }, (_, i) => i + from);

/** The condition, spread over the axes of `like` behind its own. */
const spread = (b: Trace, condition: Node, like: Node): Node =>
  b.broadcast(condition, like.shape, condition.shape.map((_, axis) => axis)); // biome-ignore format: short

/** Which carries and ys have the new axis, and whether each element decides for itself how many steps it takes. */
function spreadOfBatch(node: Node, flags: readonly boolean[]) {
  const { until, carries: count } = attrsOf(node);
  const marks = operandsOf({ ...node, inputs: flags as unknown as Node[] }) as unknown as Record<
    "carries" | "xs" | "captured",
    boolean[]
  > & { count: boolean | null };
  const inputs = bodyInputs(node);
  const { graph } = attrsOf(node).body;
  const outputs = [...graph.outputs.values()];
  const carries = [...marks.carries];
  for (;;) {
    const reached = new Set<Node>();
    const mark = (list: readonly (Node | null)[], on: readonly boolean[]) => {
      for (const [i, x] of list.entries()) if (x && on[i]) reached.add(x);
    };
    mark(inputs.carries, carries);
    mark(inputs.xs, marks.xs);
    mark(inputs.captured, marks.captured);
    for (const n of nodesOf(graph)) if (n.inputs.some((x) => reached.has(x))) reached.add(n);
    const single = Boolean(marks.count) || (until >= 0 && carries[until]!);
    const next = carries.map((on, i) => on || single || reached.has(outputs[i]!));
    if (next.every((on, i) => on === carries[i])) {
      return { marks, carries, ys: outputs.slice(count).map((y) => single || reached.has(y)), single };
    }
    carries.splice(0, count, ...next);
  }
}

/**
 * The body is vectorised; only what depends on a batched operand gets the new axis. Rows keep time as their first axis, so that a
 * step still reads one contiguous row. Where the number of steps differs between elements, all take as many as the longest and those
 * that are done keep what they have.
 */
export const scanBatch: Op["batch"] = (b, args, flags, node, size, vmap) => {
  const attrs = attrsOf(node);
  const { until, length } = attrs;
  const layout = layoutOf(attrs);
  const operands = operandsOf({ ...node, inputs: args });
  const { marks, carries, ys, single } = spreadOfBatch(node, flags);

  const captured = operands.captured.map((x, i) => (marks.captured[i] ? placeholder(b, { dtype: x.dtype, shape: x.shape.slice(1) }) : x)); // biome-ignore format: short
  const body = unpack(b, node, captured);
  const replacements = new Map<Node, Node>();
  const grown = (at: Node, on: boolean): Node => {
    if (!on) return at;
    const wide = placeholder(b, { dtype: at.dtype, shape: [size, ...at.shape] });
    replacements.set(at, wide);
    return wide;
  };
  const stateAt = body.carries.map((at, i) => grown(at, carries[i]!));
  const rowAt = body.xs.map((at, i) => grown(at, marks.xs[i]!));
  for (const [i, x] of operands.captured.entries()) if (marks.captured[i]) replacements.set(captured[i]!, x);
  const wide = vmap(b, [...body.next, ...body.ys], replacements, size);
  let next = body.next.map((x, i) => (carries[i] ? wide[i]! : x));
  let made = body.ys.map((x, i) => (ys[i] ? wide[next.length + i]! : x));

  const rows = operands.xs.map((x, i) => (marks.xs[i] ? b.transpose(x, [1, 0, ...range(x.shape.length - 2, 2)]) : x));
  const start = operands.carries.map((x, i) => (carries[i] && !marks.carries[i] ? grow(b, x, size) : x));
  const own: { from: Node; at: Node; next: Node }[] = [];
  let count = operands.count;
  if (single) {
    const running = (flag: Node) => b.cast(b.eq(flag, 0), node.dtype);
    const active = count
      ? b.lt(b.broadcast(b.cast(body.index, count.dtype), [size], []), count)
      : b.eq(stateAt[until]!, 0);
    next = next.map((x, i) => b.select(spread(b, active, x), x, stateAt[i]!));
    made = made.map((y) => b.select(spread(b, active, y), y, 0));
    if (count) count = b.max(count, [0]);
    else {
      // All are done when none is running; each counts its own steps.
      const done = (flags: Node) => b.sub(1, b.max(running(flags), [0]));
      own.push({
        from: done(start[until]!),
        at: placeholder(b, { dtype: node.dtype, shape: [] }),
        next: done(next[until]!),
      });
      const taken = placeholder(b, { dtype: node.dtype, shape: [size] });
      own.push({ from: b.fill(taken, 0), at: taken, next: b.add(taken, b.cast(active, node.dtype)) });
    }
  }
  const lanewise = single && until >= 0;
  const batched = appendScan(b, {
    length,
    reverse: attrs.reverse,
    carries: [...start.map((from, i) => ({ from, at: stateAt[i]!, next: next[i]! })), ...own],
    xs: rows.map((r, i) => ({ rows: r, at: rowAt[i]! })),
    ys: made,
    index: body.index,
    until: lanewise ? start.length : until,
    count,
    stored: attrs.stored,
  });

  const result = layoutOf(attrsOf(batched));
  const flat = (piece: Piece, old: Piece, on: boolean, isRows: boolean): Node => {
    const x = takePiece(b, batched, piece);
    if (!on) return grow(b, b.reshape(x, [old.size]), size);
    const first = isRows ? b.transpose(x, [1, 0, ...range(x.shape.length - 2, 2)]) : x;
    return b.reshape(first, [size, old.size]);
  };
  const parts = [
    ...layout.carries.map((old, i) => flat(result.carries[i]!, old, carries[i]!, false)),
    ...layout.ys.map((old, i) => flat(result.ys[i]!, old, ys[i]!, true)),
    ...(layout.steps
      ? [flat(lanewise ? result.carries[start.length + 1]! : result.steps!, layout.steps, lanewise, false)]
      : []),
    ...layout.stored.map((old, i) => flat(result.stored[i]!, old, carries[attrs.stored[i]!]!, true)),
  ];
  return b.concat(parts, 1);
};
