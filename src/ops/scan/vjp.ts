import { isFloat } from "../../base/dtype.ts";
import { type Shape, sameShape, sizeOf } from "../../base/shape.ts";
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

/** Rows added to a captured value at each step, in a place that may change: left in rows, and added once after the loop. */
interface Deferred {
  readonly captured: number;
  readonly updates: Node;
  readonly indices: Node;
  readonly rows: number;
  /** From the result of scatterAdd to the cotangent. */
  readonly after: (x: Node) => Node;
}

/** Splits a sum into terms that add rows at indices and the rest, so that a step costs what it touches and not the whole. */
function splitRows(b: Trace, captured: number, d: Node): { deferred: Deferred[]; rest: Node | null } {
  const deferred: Deferred[] = [];
  const visit = (node: Node, after: Deferred["after"]): Node | null => {
    if (node.op === "add") {
      const [x, y] = node.inputs.map((term) => visit(term, after)) as [Node | null, Node | null];
      return x && y ? b.add(x, y) : (x ?? y);
    }
    const [x] = node.inputs;
    if (node.op === "reshape") {
      const rest = visit(x!, (value) => after(b.reshape(value, node.shape)));
      return rest && b.reshape(rest, node.shape);
    }
    if (node.op !== "scatterAdd") return node;
    deferred.push({ captured, updates: x!, indices: node.inputs[1]!, rows: node.attrs.rows as number, after });
    return null;
  };
  const rest = visit(d, (x) => x);
  return { deferred, rest };
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
  const split = dCaptured.map((d, i) => (d ? splitRows(b, i, d) : { deferred: [], rest: null }));
  const deferred = split.flatMap((s) => s.deferred);
  const sums = captured.flatMap((k, i) => {
    const d = split[i]!.rest;
    if (!d) return [];
    const from = b.constant(0, dtype, k.shape);
    const at = placeholder(b, from);
    return [{ i, from, at, next: b.add(at, b.cast(d, dtype)) }];
  });
  const ys = dXs.flatMap((d) => (d ? [b.cast(d, dtype)] : []));
  // Indices below 2^24 are exact even in f32.
  for (const { updates, indices } of deferred) ys.push(b.cast(updates, dtype), b.cast(indices, dtype));

  const ends = [...nextCarries, ...sums.map((s) => s.next), ...ys];
  const used = new Set(reachable(ends, Math.min(...carries.map((c) => c.id))));
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
  const taken = (piece: Piece, like: Node) => b.cast(takePiece(b, backward, piece), like.dtype);
  let y = 0;
  const xParts = operands.xs.map((x, i) => (dXs[i] ? taken(result.ys[y++]!, x) : null));
  const kParts = operands.captured.map((k, i) => {
    const at = sums.findIndex((s) => s.i === i);
    return at < 0 ? null : taken(result.carries[carries.length + at]!, k);
  });
  for (const { captured: i, updates, indices, rows, after } of deferred) {
    const k = operands.captured[i]!;
    const count = attrs.length * sizeOf(indices.shape);
    const u = b.reshape(taken(result.ys[y++]!, k), [count, ...updates.shape.slice(indices.shape.length)]);
    const at = b.reshape(takePiece(b, backward, result.ys[y++]!), [count]);
    const sum = after(b.scatterAdd(u, b.cast(at, indices.dtype), rows));
    const known = kParts[i];
    kParts[i] = known ? b.add(known, sum) : sum;
  }
  return [
    ...operands.carries.map((c, i) => taken(result.carries[i]!, c)),
    ...xParts,
    ...kParts,
    ...(operands.count ? [null] : []),
  ];
};
