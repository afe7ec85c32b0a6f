import { bytesOf } from "../../../base/dtype.ts";
import { sizeOf } from "../../../base/shape.ts";
import type { Node } from "../../../ir/node.ts";
import { attrsOf, layoutOf, operandsOf } from "../../../ops/scan/layout.ts";
import { fuse } from "../../../passes/fuse.ts";
import { type Plan, planMemory } from "../../../passes/plan.ts";

const plans = new WeakMap<object, Plan>();

/** The body of a scan laid out as a step of its own: its inputs and outputs are slots, its carries are state. */
export function bodyPlan(node: Node): Plan {
  const { body } = attrsOf(node);
  const known = plans.get(body);
  if (known) return known;
  const plan = planMemory(fuse(body.graph));
  plans.set(body, plan);
  return plan;
}

/** Where the rows of a scan's operands and results lie, in bytes. */
export interface Rows {
  /** Offset into the packed result; 0 for operands, which begin where they lie. */
  readonly from: number;
  readonly rowBytes: number;
}

/** All byte offsets that an emitter of a scan needs. */
export function bytesOfScan(node: Node) {
  const attrs = attrsOf(node);
  const layout = layoutOf(attrs);
  const { xs } = operandsOf(node);
  const size = bytesOf(node.dtype);
  const rows = ({ from, size: elements }: { from: number; size: number }): Rows => ({
    from: from * size,
    rowBytes: attrs.length ? (elements / attrs.length) * size : 0,
  });
  return {
    size,
    carries: layout.carries.map((p) => ({ from: p.from * size, bytes: p.size * size })),
    ys: layout.ys.map(rows),
    /** All ys together. */
    yBytes: layout.ys.reduce((n, p) => n + p.size * size, 0),
    stored: layout.stored.map(rows),
    steps: layout.steps ? layout.steps.from * size : null,
    xs: xs.map((x) => sizeOf(x.shape.slice(1)) * bytesOf(x.dtype)),
  };
}
