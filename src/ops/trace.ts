import { Builder } from "../ir/builder.ts";
import type { Node } from "../ir/node.ts";
import { binary, compare, shift, unary } from "./scalar.ts";
import { opRow } from "./table.ts";
import type { Operand, Trace } from "./vocabulary.ts";

/** A new, empty trace: methods that append nodes of every op. Rules and the tensor facade write through it. */
export function createTrace(): Trace {
  const builder = new Builder((op) => opRow(op).infer);
  const append = builder.append.bind(builder);
  const constant: Trace["constant"] = (value, dtype, shape = []) => builder.constant(value, dtype, shape);
  const fill: Trace["fill"] = (like, value) => builder.constant(value, like.dtype, like.shape);

  /** Two operands of which one may be a number. */
  const pair = (x: Operand, y: Operand): [Node, Node] => {
    if (typeof x !== "number") return [x, typeof y === "number" ? fill(x, y) : y];
    if (typeof y !== "number") return [fill(y, x), y];
    throw new TypeError("an op of two numbers has no dtype: compute it in JavaScript");
  };

  const methods: Record<string, (...args: never[]) => Node> = {};
  for (const name in unary) methods[name] = (x: Node) => append(name, [x]);
  for (const name in { ...binary, ...compare }) methods[name] = (x: Operand, y: Operand) => append(name, pair(x, y));
  for (const name in shift) methods[name] = (x: Node, bits: number) => append(name, [x], { bits });

  const structural: Omit<Trace, keyof typeof unary | keyof typeof binary | keyof typeof compare | keyof typeof shift> =
    {
      builder,
      input: (name, dtype, shape) => builder.input(name, dtype, shape),
      constant,
      fill,
      select: (condition, x, y) => {
        const typed = typeof x !== "number" ? x : typeof y !== "number" ? y : null;
        if (!typed) throw new TypeError("select between two numbers has no dtype: make one of them a constant tensor");
        return append("select", [condition, ...pair(typeof x === "number" ? fill(typed, x) : x, y)]);
      },
      cast: (x, to) => (x.dtype === to ? x : append("cast", [x], { to })),
      bitcast: (x, to) => (x.dtype === to ? x : append("bitcast", [x], { to })),
      sum: (x, axes) => (axes.length ? append("sum", [x], { axes }) : x),
      max: (x, axes) => (axes.length ? append("max", [x], { axes }) : x),
      argmax: (x, axis) => append("argmax", [x], { axis }),
      logsumexp: (x, axes) => (axes.length ? append("logsumexp", [x], { axes }) : x),
      iota: (dtype, shape, axis) => append("iota", [], { dtype, shape, axis }),
      reshape: (x, shape) => append("reshape", [x], { shape }),
      broadcast: (x, shape, dims) => append("broadcast", [x], { shape, dims }),
      transpose: (x, permutation) => append("transpose", [x], { permutation }),
      slice: (x, starts, sizes) => append("slice", [x], { starts, sizes }),
      pad: (x, low, high) => append("pad", [x], { low, high }),
      concat: (parts, axis) => (parts.length === 1 ? parts[0]! : append("concat", parts, { axis })),
      gather: (x, indices) => append("gather", [x, indices]),
      scatterAdd: (updates, indices, rows) => append("scatterAdd", [updates, indices], { rows }),
      matmul: (a, b, transA = false, transB = false) => append("matmul", [a, b], { transA, transB }),
      stopGradient: (x) => append("stopGradient", [x]),
      customVjp: (y, xs, rule) => append("customVjp", [y, ...xs], { rule }),
      shuffle: (bits) => append("shuffle", [bits]),
    };
  return Object.assign(structural, methods) as unknown as Trace;
}
