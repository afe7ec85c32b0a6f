import type { DType } from "../base/dtype.ts";
import { ShapeError } from "../base/errors.ts";
import { type Shape, sameShape, showShape } from "../base/shape.ts";
import { type Attrs, attrsKey, type Inferred, type Node } from "./node.ts";

/** The shape rule of an op: what comes of these operands, or a ShapeError. */
export type InferRule = (inputs: readonly Node[], attrs: Attrs) => Inferred;

/**
 * Appends nodes to one trace. Equal nodes are made once (hash-consing), so common subexpressions never exist twice.
 * It knows no op by name but the two that have no operands and carry their own type: `input` and `const`.
 */
export class Builder {
  private readonly known = new Map<string, Node>();
  private readonly infer: (op: string) => InferRule;
  private count = 0;

  /** @param infer  looks up an op's shape rule; throws on an unknown op */
  constructor(infer: (op: string) => InferRule) {
    this.infer = infer;
  }

  /** The node `op(inputs)`; throws ShapeError where the op's rule does not take them. */
  append(op: string, inputs: readonly Node[], attrs: Attrs = {}): Node {
    const key = `${op}(${inputs.map((n) => n.id).join()})${attrsKey(attrs)}`;
    return this.known.get(key) ?? this.intern(key, op, inputs, attrs, this.infer(op)(inputs, attrs));
  }

  /** The named input; asking twice with the same type gives the same node. */
  input(name: string, dtype: DType, shape: Shape): Node {
    const key = `input ${JSON.stringify(name)}`;
    const found = this.known.get(key);
    if (!found) return this.intern(key, "input", [], { name }, { shape, dtype });
    if (found.dtype !== dtype || !sameShape(found.shape, shape)) {
      throw new ShapeError(
        `input "${name}" was declared ${found.dtype}${showShape(found.shape)}, then ${dtype}${showShape(shape)}; ` +
          "an input has one type: use another name",
      );
    }
    return found;
  }

  /** A tensor whose elements all are `value`. */
  constant(value: number, dtype: DType, shape: Shape): Node {
    const attrs = { value };
    const key = `const ${attrsKey(attrs)} ${dtype} ${shape.join()}`;
    return this.known.get(key) ?? this.intern(key, "const", [], attrs, { shape, dtype });
  }

  private intern(key: string, op: string, inputs: readonly Node[], attrs: Attrs, type: Inferred): Node {
    const node: Node = { id: this.count++, op, inputs, attrs, shape: type.shape, dtype: type.dtype };
    this.known.set(key, node);
    return node;
  }
}
