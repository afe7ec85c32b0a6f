import { isFloat } from "../../base/dtype.ts";
import { sameShape, type Shape } from "../../base/shape.ts";
import { reachable } from "../../ir/graph.ts";
import type { Node } from "../../ir/node.ts";
import type { Op, Trace } from "../vocabulary.ts";
import { appendScan, type Draft, placeholder, unpack } from "./draft.ts";
import { attrsOf, layoutOf, operandsOf, type Piece, takePiece } from "./layout.ts";

const isZero = (node: Node): boolean => node.op === "const" && node.attrs.value === 0;

/**
 * Elements from … from + size − 1 of a vector, taken where they were made: cotangents of packed results are sums of padded
 * pieces, which need not be put together to be taken apart again.
 */
export function part(b: Trace, x: Node, from: number, size: number): Node {
  if (size === x.shape[0]) return x;
  if (x.op === "const") return b.constant(x.attrs.value as number, x.dtype, [size]);
  if (x.op === "add") {
    const [y, z] = x.inputs.map((t) => part(b, t, from, size)) as [Node, Node];
    return isZero(y) ? z : isZero(z) ? y : b.add(y, z);
  }
  if (x.op === "pad") {
    const inner = x.inputs[0]!;
    const start = from - (x.attrs.low as readonly number[])[0]!;
    if (start + size <= 0 || start >= inner.shape[0]!) return b.constant(0, x.dtype, [size]);
    if (start >= 0 && start + size <= inner.shape[0]!) return part(b, inner, start, size);
  }
  return b.slice(x, [from], [size]);
}

function shaped(b: Trace, x: Node, shape: Shape): Node {
  const inner = x.op === "reshape" ? x.inputs[0]! : x;
  if (sameShape(inner.shape, shape)) return inner;
  return x.op === "const" ? b.constant(x.attrs.value as number, x.dtype, shape) : b.reshape(x, shape);
}

/**
 * With c' , y = f(c, x, k) at each step, the cotangents go the other way through the rows:
 * (ċ, ẋ, k̇ᵗ) = (∂f/∂(c, x, k))ᵀ (ċ', ẏ), and k̇ is the sum of the k̇ᵗ. The carries before each step are stored on the way
 * forward, and the body is computed again (what the derivative needs of it).
 */
export const scanVjp: NonNullable<Op["vjp"]> = (b, g, node, vjp) => {
  const attrs = attrsOf(node);
  const layout = layoutOf(attrs);
  const operands = operandsOf(node);
  const body = unpack(b, node);
  const { dtype } = node;
  const cotangent = (piece: Piece) => shaped(b, part(b, g, piece.from, piece.size), piece.shape);
  const row = (rows: Node) => placeholder(b, { dtype, shape: rows.shape.slice(1) });

  const finals = layout.carries.map(cotangent);
  const given = layout.ys.map(cotangent);
  const rowsOfY = given.map((rows) => (isZero(rows) ? null : row(rows)));
  const incoming = finals.map((x) => placeholder(b, x));
  const made = body.ys.flatMap((y, i) => (rowsOfY[i] ? [{ y, g: rowsOfY[i] }] : []));

  const { carries, xs: xRows, captured } = body;
  const back = vjp(
    b,
    [...body.next, ...made.map((m) => m.y)],
    [...incoming, ...made.map((m) => m.g)],
    [...carries, ...xRows, ...captured],
  );
  const dCarries = back.slice(0, carries.length);
  const flows = (node: Node, d: Node) => isFloat(node.dtype) && !isZero(d);
  const dXs = xRows.map((x, i) => (flows(x, back[carries.length + i]!) ? back[carries.length + i]! : null));
  const dCaptured = captured.map((k, i) => {
    const d = back[carries.length + xRows.length + i]!;
    return flows(k, d) ? d : null;
  });

  // The cotangent of a stored carry arrives at the step before which it was stored.
  const storedRows = attrs.stored.map((carry, i) => ({ carry, rows: cotangent(layout.stored[i]!) }));
  const arriving = storedRows.filter(({ rows }) => !isZero(rows)).map((s) => ({ ...s, at: row(s.rows) }));
  const nextCarries = dCarries.map((d, i) => {
    const extra = arriving.find((s) => s.carry === i);
    return extra ? b.add(d, extra.at) : d;
  });
  const sums = captured.flatMap((k, i) => {
    const d = dCaptured[i];
    if (!d) return [];
    const from = b.constant(0, dtype, k.shape);
    const at = placeholder(b, from);
    return [{ i, from, at, next: b.add(at, b.cast(d, dtype)) }];
  });
  const ys = dXs.flatMap((d) => (d ? [b.cast(d, dtype)] : []));

  const used = new Set(reachable([...nextCarries, ...sums.map((s) => s.next), ...ys]));
  const needed = carries.flatMap((c, i) => (used.has(c) ? [i] : []));
  const stored = [...new Set([...attrs.stored, ...needed])].sort((p, q) => p - q);
  const forward = b.builder.append("scan", node.inputs, { ...attrs, stored });
  const kept = layoutOf(attrsOf(forward));

  const draft: Draft = {
    length: attrs.length,
    reverse: !attrs.reverse,
    carries: [...finals.map((from, i) => ({ from, at: incoming[i]!, next: nextCarries[i]! })), ...sums],
    xs: [
      ...needed.map((i) => ({ rows: takePiece(b, forward, kept.stored[stored.indexOf(i)]!), at: carries[i]! })),
      ...operands.xs.map((rows, i) => ({ rows, at: xRows[i]! })),
      ...given.flatMap((rows, i) => (rowsOfY[i] ? [{ rows, at: rowsOfY[i] }] : [])),
      ...arriving,
    ],
    ys,
    index: body.index,
    count: operands.count ?? (kept.steps && takePiece(b, forward, kept.steps)),
    standIns: new Map(captured.map((k, i) => [k, operands.captured[i]!])),
  };
  const backward = appendScan(b, draft);
  const result = layoutOf(attrsOf(backward));
  const back1 = (piece: Piece, like: Node) => b.cast(takePiece(b, backward, piece), like.dtype);
  let y = 0;
  return [
    ...operands.carries.map((c, i) => back1(result.carries[i]!, c)),
    ...operands.xs.map((x, i) => (dXs[i] ? back1(result.ys[y++]!, x) : null)),
    ...operands.captured.map((k, i) => {
      const at = sums.findIndex((s) => s.i === i);
      return at < 0 ? null : back1(result.carries[carries.length + at]!, k);
    }),
    ...(operands.count ? [null] : []),
  ];
};
