import { bytesOf } from "../../../base/dtype.ts";
import { sizeOf } from "../../../base/shape.ts";
import type { Node } from "../../../ir/node.ts";
import { type Expr, i32, i32x4, select } from "../assembler/expr.ts";
import type { FuncBuilder, Local, ModuleBuilder } from "../assembler/module.ts";
import { binary, type EmitContext, emitScalar } from "../scalar.ts";
import { loadVector } from "../vector.ts";
import type { Demand } from "./demand.ts";
import {
  arrayInMemory,
  type Element,
  factorsOf,
  gatherOf,
  isElementwise,
  isMove,
  reducedBy,
  sourceOf,
  updatesOf,
} from "./elements.ts";
import { constantLane, inLane, type LaneValue, loadElement, Packer } from "./lane-values.ts";

/** Calls up to which transcendental functions are written out where they are used. */
const MOST_INLINED = 16;

/** Where the body's inputs are while the loop runs. */
export interface Bindings {
  /** An element of a carry. */
  state(input: Node, at: number): LaneValue;
  /** The address of an input that lies in memory: of this row for an x. */
  address(input: Node): Local;
  /** The row number. */
  readonly row: Local;
}

/**
 * Writes a body out. Elements of a value stand side by side in the lanes of vectors held in locals, so that slices, concats and
 * the like cost at most a shuffle, small sums and products are chains, and nothing is stored.
 */
export class InlineBody {
  readonly packer: Packer;
  private readonly f: FuncBuilder;
  private readonly context: EmitContext;
  private readonly demand: Demand;
  private readonly bindings: Bindings;
  private readonly values = new Map<Node, Map<number, LaneValue>>();
  private readonly fixed = new Set<Node>();

  constructor(m: ModuleBuilder, f: FuncBuilder, demand: Demand, bindings: Bindings) {
    this.f = f;
    this.demand = demand;
    this.bindings = bindings;
    this.packer = new Packer(f, demand.lanes);
    this.context = { m, f, lanes: demand.lanes, inline: demand.calls <= MOST_INLINED };
    for (const node of demand.order) {
      const given = node.op === "input" && !(node.attrs.name as string).startsWith("const");
      if (!given && node.inputs.every((x) => this.fixed.has(x))) this.fixed.add(node);
    }
  }

  /** What is the same at every step; to be written before the loop. */
  emitFixed(): void {
    for (const node of this.demand.order) if (this.fixed.has(node)) this.emitNode(node);
  }

  emitStep(): void {
    for (const node of this.demand.order) if (!this.fixed.has(node)) this.emitNode(node);
  }

  /** All elements of a value. */
  elementsOf(node: Node): LaneValue[] {
    return Array.from({ length: sizeOf(node.shape) }, (_, at) => this.value({ node, at }));
  }

  private value(element: Element): LaneValue {
    const source = sourceOf(element);
    if (!source) return constantLane(element.node.dtype, 0);
    const { node, at } = source;
    if (node.op === "const") return constantLane(node.dtype, node.attrs.value as number);
    if (node.op === "iota") {
      const axis = node.attrs.axis as number;
      const stride = sizeOf(node.shape.slice(axis + 1));
      return constantLane(node.dtype, node.shape.length ? Math.floor(at / stride) % node.shape[axis]! : 0);
    }
    return this.values.get(node)!.get(at)!;
  }

  /** Elements side by side, as an operand. */
  private operand(elements: readonly Element[]): Expr {
    return this.packer.pack(elements[0]!.node.dtype, elements.map((e) => this.value(e))); // biome-ignore format: short
  }

  /** Computes what is wanted of a value, as many elements at once as a vector has lanes. */
  private emitNode(node: Node): void {
    const wanted = this.demand.elements.get(node);
    if (!wanted || node.op === "const" || node.op === "iota" || isMove(node)) return;
    const made = new Map<number, LaneValue>();
    this.values.set(node, made);
    const windows = new Map<number, number[]>();
    for (const at of [...wanted].sort((p, q) => p - q)) {
      const window = Math.floor(at / this.demand.lanes);
      windows.set(window, [...(windows.get(window) ?? []), at]);
    }
    for (const list of windows.values()) {
      const group = this.emitGroup(node, list);
      for (const [i, at] of list.entries()) made.set(at, group[i]!);
    }
  }

  /** Elements of one value that share a vector. */
  private emitGroup(node: Node, list: readonly number[]): LaneValue[] {
    const { f } = this;
    const singly = (emit: (at: number) => Expr) => list.map((at) => inLane(f.let(emit(at)), 0));
    const together = (value: Expr) => {
      const vector = f.let(value);
      return list.map((_, lane) => inLane(vector, lane));
    };
    if (node.op === "input") return this.emitInput(node, list);
    if (isElementwise(node)) {
      const args = node.inputs.map((x) => this.local(list.map((at) => ({ node: x, at })))); // biome-ignore format: short
      return together(emitScalar(this.context, node, args));
    }
    switch (node.op) {
      case "sum":
      case "max":
        return together(this.reduce(node, list.map((at) => reducedBy({ node, at })))); // biome-ignore format: short
      case "matmul":
        return together(this.product(node, list));
      case "gather":
        return this.sameRow(node, list) ? together(this.gather(node, list)) : singly((at) => this.gather(node, [at]));
      default:
        return singly((at) => this.scatter({ node, at }));
    }
  }

  private emitInput(node: Node, list: readonly number[]): LaneValue[] {
    const { f, bindings } = this;
    const { dtype } = node;
    const name = node.attrs.name as string;
    if (name.startsWith("state")) return list.map((at) => bindings.state(node, at));
    if (name === "index") return [inLane(f.let(i32x4.splat(bindings.row)), 0, true)];
    const address = bindings.address(node);
    const { lanes } = this.demand;
    if (list.length < lanes)
      return list.map((at) => inLane(f.let(loadElement(dtype, address, at * bytesOf(dtype))), 0, true));
    const vector = f.let(loadVector(dtype, lanes, address, list[0]! * bytesOf(dtype)));
    return list.map((_, lane) => inLane(vector, lane));
  }

  /** Operands of functions that are written out are named more than once. */
  private local(elements: readonly Element[]): Expr {
    const value = this.operand(elements);
    return "index" in value ? value : this.f.let(value);
  }

  /** Two by two, so that the chain is short. */
  private fold(node: Node, terms: readonly Expr[]): Expr {
    const op = node.op === "max" ? binary.maximum : binary.add;
    if (!terms.length) return constantLane(node.dtype, node.op === "max" ? Number.NEGATIVE_INFINITY : 0).vector;
    let level = terms;
    while (level.length > 1) {
      const next: Expr[] = [];
      for (let i = 0; i < level.length; i += 2) {
        const [x, y] = [level[i]!, level[i + 1]];
        next.push(y ? this.f.let(op(this.context, x, y, node.dtype)) : x);
      }
      level = next;
    }
    return level[0]!;
  }

  /** @param terms  for each result the elements it runs over */
  private reduce(node: Node, terms: readonly (readonly Element[])[]): Expr {
    const { dtype } = node;
    if (terms.length > 1) {
      const count = terms[0]!.length;
      return this.fold(node, Array.from({ length: count }, (_, i) => this.operand(terms.map((list) => list[i]!)))); // biome-ignore format: short
    }
    // One result: whole vectors first, then across the lanes.
    const { lanes } = this.demand;
    const values = terms[0]!.map((e) => this.value(e));
    const vectors: Expr[] = [];
    const rest: Expr[] = [];
    for (let i = 0; i < values.length; ) {
      const group = values.slice(i, i + lanes);
      const whole =
        group.length === lanes &&
        group.every((v, lane) => v.vector === group[0]!.vector && v.lane === lane && !v.splat);
      if (whole) vectors.push(group[0]!.vector);
      else for (const v of group) rest.push(this.packer.pack(dtype, [v]));
      i += lanes;
    }
    if (vectors.length) {
      const across = this.f.let(this.fold(node, vectors));
      for (let lane = 0; lane < lanes; lane++) rest.push(this.packer.pack(dtype, [inLane(across, lane)]));
    }
    return this.fold(node, rest);
  }

  private product(node: Node, list: readonly number[]): Expr {
    const factors = list.map((at) => factorsOf({ node, at }));
    const terms = factors[0]!.map((_, l) => {
      const [x, y] = [0, 1].map((side) => this.operand(factors.map((f) => f[l]![side]!))) as [Expr, Expr];
      return this.f.let(binary.mul(this.context, x, y, node.dtype));
    });
    return this.fold({ ...node, op: "sum" }, terms);
  }

  /** Whether elements of a gather lie side by side in one row. */
  private sameRow(node: Node, list: readonly number[]): boolean {
    if (list.length === 1) return true;
    const width = sizeOf(node.inputs[0]!.shape.slice(1));
    return list.length === this.demand.lanes && Math.floor(list[0]! / width) === Math.floor(list.at(-1)! / width);
  }

  private gather(node: Node, list: readonly number[]): Expr {
    const { f } = this;
    const { index, column, width, rows } = gatherOf({ node, at: list[0]! });
    const [table] = node.inputs as [Node];
    const size = bytesOf(node.dtype);
    const row = this.clampedRow(index, rows);
    const array = arrayInMemory(table);
    if (array) {
      const address = f.let(i32.add(this.bindings.address(array), i32.mul(row, i32.const(width * size))));
      return list.length > 1
        ? loadVector(node.dtype, this.demand.lanes, address, column * size)
        : loadElement(node.dtype, address, column * size);
    }
    const inRow = (r: number) => this.operand(list.map((_, i) => ({ node: table, at: r * width + column + i })));
    let value = inRow(0);
    for (let r = 1; r < rows; r++) value = f.let(select(i32.eq(row, i32.const(r)), inRow(r), value));
    return value;
  }

  /** An index held to the rows there are, as an integer. */
  private clampedRow(index: Element, rows: number): Local {
    const { f } = this;
    const given = f.let(i32x4.extract(this.operand([index]), 0));
    const last = i32.const(rows - 1);
    const below = select(i32.gt_u(given, last), last, given);
    const signed = index.node.dtype === "i32";
    return f.let(signed ? select(i32.lt_s(given, i32.const(0)), i32.const(0), below) : below);
  }

  private scatter(element: Element): Expr {
    const { f } = this;
    const { node } = element;
    const { row, updates } = updatesOf(element);
    const zero = constantLane(node.dtype, 0).vector;
    const terms = updates.map(({ index, value }) => {
      const hit = i32.eq(this.clampedRow(index, node.shape[0]!), i32.const(row));
      return f.let(select(hit, this.operand([value]), zero));
    });
    return this.fold({ ...node, op: "sum" }, terms);
  }
}
