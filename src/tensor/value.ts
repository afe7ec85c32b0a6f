import type { Node } from "../ir/node.ts";
import type { Trace } from "../ops/vocabulary.ts";

/** What the free functions take: a node, and the trace it belongs to. `Tensor` is this with methods. */
export interface Value {
  readonly node: Node;
  readonly trace: Trace;
  /** Another node of the same trace, as a value of the same kind. */
  of(node: Node): this;
}
