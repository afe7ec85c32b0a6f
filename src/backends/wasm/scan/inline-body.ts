import { bytesOf, type DType } from "../../../base/dtype.ts";
import { sizeOf } from "../../../base/shape.ts";
import { type Graph, nodesOf } from "../../../ir/graph.ts";
import type { Node } from "../../../ir/node.ts";
import { type Expr, i32, i32x4, lanes32, lanes64, select, v128 } from "../assembler/expr.ts";
import type { FuncBuilder, Local, ModuleBuilder } from "../assembler/module.ts";
import { binary, type EmitContext, emitScalar, unary } from "../scalar.ts";
import { constant, type Lanes } from "../vector.ts";
import {
  arrayInMemory, type Element, factorsOf, gatherOf, isElementwise, isMove, operandsOfElement, reducedBy, sourceOf, updatesOf,
} from "./elements.ts"; // biome-ignore format: one import

/** Elements computed in a step from which on kernels with loops of their own are the better way. */
const MOST_ELEMENTS = 1600;
/** What a call of a transcendental function counts. */
const CALL_WEIGHT = 12;
/** Calls up to which these functions are written out where they are used. */
const MOST_INLINED = 16;

const CHEAP = new Set(["neg", "abs", "sign", "floor", "sqrt", "not"]);
const isCall = (node: Node): boolean => node.op === "pow" || (node.op in unary && !CHEAP.has(node.op));

const KNOWN = new Set(["input", "const", "iota", "sum", "max", "matmul", "gather", "scatterAdd"]);

/** Which elements of each value the outputs need, and what a step costs; null where the body is not for writing out. */
export interface Demand {
  readonly elements: ReadonlyMap<Node, ReadonlySet<number>>;
  readonly order: readonly Node[];
  readonly lanes: Lanes;
  readonly calls: number;
}

export function demandOf(graph: Graph): Demand | null {
  const known = demands.get(graph);
  if (known !== undefined) return known;
  const demand = findDemand(graph);
  demands.set(graph, demand);
  return demand;
}

const demands = new WeakMap<Graph, Demand | null>();

function findDemand(graph: Graph): Demand | null {
  const order = nodesOf(graph);
  if (order.some((n) => !KNOWN.has(n.op) && !isElementwise(n) && !isMove(n))) return null;
  const gathers = (n: Node) => !isElementwise(n) && !isMove(n) && n.inputs.some((x) => sizeOf(x.shape) > MOST_ELEMENTS);
  if (order.some((n) => gathers(n) && !(n.op === "gather" && arrayInMemory(n.inputs[0]!)))) return null;
  const lanes: Lanes = order.some((n) => n.dtype === "f64") ? 2 : 4;
  const elements = new Map<Node, Set<number>>();
  let weight = 0;
  const want = (element: Element): void => {
    const source = sourceOf(element);
    if (!source) return;
    const set = elements.get(source.node) ?? new Set();
    elements.set(source.node, set.add(source.at));
  };
  let calls = 0;
  for (const node of graph.outputs.values()) {
    if (sizeOf(node.shape) > MOST_ELEMENTS) return null;
    for (let at = 0; at < sizeOf(node.shape); at++) want({ node, at });
  }
  for (const node of order.toReversed()) {
    const wanted = elements.get(node);
    if (!wanted) continue;
    if (isCall(node)) {
      const packed = Math.ceil(wanted.size / lanes);
      calls += packed;
      weight += packed * CALL_WEIGHT;
    } else if (node.op !== "const" && node.op !== "iota") weight += wanted.size;
    for (const at of wanted) {
      const operands = operandsOfElement({ node, at });
      if (!isElementwise(node)) weight += operands.length;
      if (weight > MOST_ELEMENTS) return null;
      for (const operand of operands) want(operand);
    }
  }
  return { elements, order, lanes, calls };
}

/** Where the body's inputs are while the loop runs. */
export interface Bindings {
  /** Locals of a carry's elements. */
  state(input: Node, at: number): Expr;
  /** The address of an input that lies in memory: of this row for an x. */
  address(input: Node): Local;
  /** The row number. */
  readonly row: Local;
}

const bytesIn = (node: Node): number => bytesOf(node.dtype);

/** The element at `address` + `offset`, in the lowest lane at least. */
export function loadElement(dtype: DType, address: Expr, offset: number): Expr {
  if (bytesOf(dtype) === 8) return v128.load64_splat(address, offset);
  if (bytesOf(dtype) === 4) return v128.load32_splat(address, offset);
  const byte = i32x4.splat(i32.load8_u(address, offset));
  return dtype === "bool" ? i32x4.ne(byte, i32x4.const(0)) : byte;
}

export const storeElement = (dtype: DType, address: Expr, value: Expr, offset: number): Expr =>
  bytesOf(dtype) === 8 ? v128.store64_lane(address, value, 0, offset) : v128.store32_lane(address, value, 0, offset);

/**
 * Writes a body out, element by element: each is a local whose lowest lane holds it, so that slices, concats and the like cost
 * nothing, and small sums and products are chains. Transcendental functions take as many elements at once as a vector has lanes.
 */
export class InlineBody {
  private readonly f: FuncBuilder;
  private readonly context: EmitContext;
  private readonly demand: Demand;
  private readonly bindings: Bindings;
  private readonly values = new Map<Node, Map<number, Expr>>();
  private readonly fixed = new Set<Node>();

  constructor(m: ModuleBuilder, f: FuncBuilder, demand: Demand, bindings: Bindings) {
    this.f = f;
    this.demand = demand;
    this.bindings = bindings;
    this.context = { m, f, lanes: demand.lanes, inline: demand.calls <= MOST_INLINED };
    for (const node of demand.order) {
      const name = node.op === "input" ? (node.attrs.name as string) : "";
      const own = node.op === "input" ? name.startsWith("const") : true;
      if (own && node.inputs.every((x) => this.fixed.has(x))) this.fixed.add(node);
    }
  }

  /** What is the same at every step; to be written before the loop. */
  emitFixed(): void {
    for (const node of this.demand.order) if (this.fixed.has(node)) this.emitNode(node);
  }

  emitStep(): void {
    for (const node of this.demand.order) if (!this.fixed.has(node)) this.emitNode(node);
  }

  value(element: Element): Expr {
    const source = sourceOf(element);
    if (!source) return constant(element.node.dtype, 0);
    const { node, at } = source;
    if (node.op === "const") return constant(node.dtype, node.attrs.value as number);
    if (node.op === "iota") return constant(node.dtype, this.count(node, at));
    return this.values.get(node)!.get(at)!;
  }

  private count(node: Node, at: number): number {
    const axis = node.attrs.axis as number;
    const stride = sizeOf(node.shape.slice(axis + 1));
    return node.shape.length ? Math.floor(at / stride) % node.shape[axis]! : 0;
  }

  private emitNode(node: Node): void {
    const wanted = this.demand.elements.get(node);
    if (!wanted || node.op === "const" || node.op === "iota" || isMove(node)) return;
    const made = new Map<number, Expr>();
    this.values.set(node, made);
    const list = [...wanted].sort((p, q) => p - q);
    if (isCall(node)) return this.emitCalls(node, list, made);
    for (const at of list) made.set(at, this.emitElement({ node, at }));
  }

  private emitElement(element: Element): Expr {
    const { f, bindings } = this;
    const { node, at } = element;
    if (node.op === "input") {
      const name = node.attrs.name as string;
      if (name.startsWith("state")) return bindings.state(node, at);
      if (name === "index") return f.let(i32x4.splat(bindings.row));
      return f.let(loadElement(node.dtype, bindings.address(node), at * bytesIn(node)));
    }
    if (isElementwise(node)) {
      return f.let(emitScalar(this.context, node, node.inputs.map((x) => this.value({ node: x, at })))); // biome-ignore format: short
    }
    switch (node.op) {
      case "sum":
      case "max":
        return this.fold(node, reducedBy(element).map((e) => this.value(e))); // biome-ignore format: short
      case "matmul": {
        const products = factorsOf(element).map(([x, y]) =>
          f.let(binary.mul(this.context, this.value(x), this.value(y), node.dtype)),
        );
        return this.fold(node, products);
      }
      case "gather":
        return this.gather(element);
      default:
        return this.scatter(element);
    }
  }

  /** Two by two, so that the chain is short. */
  private fold(node: Node, terms: readonly Expr[]): Expr {
    const op = node.op === "max" ? binary.maximum : binary.add;
    if (!terms.length) return constant(node.dtype, node.op === "max" ? Number.NEGATIVE_INFINITY : 0);
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

  private emitCalls(node: Node, list: readonly number[], made: Map<number, Expr>): void {
    const { f } = this;
    const width = bytesIn(node) === 8 ? 2 : this.demand.lanes;
    for (let i = 0; i < list.length; i += width) {
      const group = list.slice(i, i + width);
      const args = node.inputs.map((x) => f.let(this.pack(x, group)));
      const result = f.let(emitScalar(this.context, node, args));
      for (const [lane, at] of group.entries()) {
        made.set(at, lane === 0 ? result : f.let(laneOf(bytesIn(node), result, lane)));
      }
    }
  }

  /** Elements side by side; what is left of the vector repeats them. */
  private pack(node: Node, list: readonly number[]): Expr {
    const [a, b, c = a, d = b] = list.map((at) => this.value({ node, at })) as [Expr, Expr?, Expr?, Expr?];
    if (!b) return a;
    if (bytesIn(node) === 8) return v128.shuffle(a, b, lanes64(0, 2));
    const low = v128.shuffle(a, b, lanes32(0, 4, 0, 4));
    return list.length > 2
      ? v128.shuffle(this.f.let(low), this.f.let(v128.shuffle(c, d!, lanes32(0, 4, 0, 4))), lanes32(0, 1, 4, 5))
      : low;
  }

  /** An index held to the rows there are, as an integer. */
  private clampedRow(index: Element, rows: number): Local {
    const { f } = this;
    const given = f.let(i32x4.extract(this.value(index), 0));
    const last = i32.const(rows - 1);
    const below = select(i32.gt_u(given, last), last, given);
    const signed = index.node.dtype === "i32";
    return f.let(signed ? select(i32.lt_s(given, i32.const(0)), i32.const(0), below) : below);
  }

  private gather(element: Element): Expr {
    const { f } = this;
    const { node } = element;
    const { index, column, width, rows } = gatherOf(element);
    const [table] = node.inputs as [Node];
    const size = bytesIn(node);
    const row = this.clampedRow(index, rows);
    const array = arrayInMemory(table);
    if (array) {
      const address = i32.add(this.bindings.address(array), i32.mul(row, i32.const(width * size)));
      return f.let(loadElement(node.dtype, address, column * size));
    }
    let value = this.value({ node: table, at: column });
    for (let r = 1; r < rows; r++) {
      const other = this.value({ node: table, at: r * width + column });
      value = f.let(select(i32.eq(row, i32.const(r)), other, value));
    }
    return value;
  }

  private scatter(element: Element): Expr {
    const { f } = this;
    const { node } = element;
    const { row, updates } = updatesOf(element);
    const zero = constant(node.dtype, 0);
    const terms = updates.map(({ index, value }) => {
      const hit = i32.eq(this.clampedRow(index, node.shape[0]!), i32.const(row));
      return f.let(select(hit, this.value(value), zero));
    });
    return this.fold({ ...node, op: "sum" }, terms);
  }
}

/** A lane moved to the lowest place. */
const laneOf = (bytes: number, value: Expr, lane: number): Expr =>
  bytes === 8
    ? v128.shuffle(value, value, lanes64(lane, lane))
    : v128.shuffle(value, value, lanes32(lane, lane, lane, lane));
