import { type Shape, sameShape } from "../base/shape.ts";
import { type Graph, nodesOf } from "../ir/graph.ts";
import type { Node } from "../ir/node.ts";
import { scalar } from "../ops/scalar.ts";
import { type Access, Accesses, isContiguous, isView } from "./access.ts";

/** One loop nest over `shape`: elementwise values, of which some are stored, and reductions of them. */
export interface LoopKernel {
  readonly kind: "loop";
  readonly shape: Shape;
  /** Evaluated at each index, operands first: scalar ops, gathers, copies of views. */
  readonly body: readonly Node[];
  readonly reductions: readonly Node[];
  /** Members of `body` that others need in memory. */
  readonly stored: readonly Node[];
}

/** An op with a routine of its own. */
export interface RoutineKernel {
  readonly kind: "routine";
  readonly node: Node;
}

export type Kernel = LoopKernel | RoutineKernel;

/** The graph cut into kernels, in an order that may run. */
export interface Fused {
  readonly graph: Graph;
  readonly accesses: Accesses;
  readonly kernels: readonly Kernel[];
  /** State outputs whose new value may overwrite the old one while the step runs. */
  readonly inPlace: ReadonlySet<string>;
}

interface Cluster {
  readonly shape: Shape;
  readonly members: Node[];
  /** Clusters that must be complete before this one starts. */
  readonly after: Set<Cluster>;
  readonly routine: boolean;
  /** Axes that its reductions sum over. */
  readonly reduced: Set<number>;
}

const REDUCTIONS = new Set(["sum", "max"]);

const isElementwise = (node: Node): boolean => node.op in scalar || node.op === "gather" || node.op === "copy";

/** Whether an op has a routine of its own: all with operands that are neither read where they lie nor part of a loop. */
const isRoutine = (node: Node): boolean =>
  !(isElementwise(node) || isView(node) || REDUCTIONS.has(node.op) || !node.inputs.length);

/** The values a kernel leaves in memory. */
export function writesOf(kernel: Kernel): readonly Node[] {
  return kernel.kind === "loop" ? [...kernel.stored, ...kernel.reductions] : [kernel.node];
}

/** Whether the last two axes of an operand can be handed to a matrix product, and its leading axes walked by one stride. */
export function isMatrixLayout(access: Access, shape: Shape): boolean {
  const r = shape.length;
  const [rows, columns] = [access.strides[r - 2]!, access.strides[r - 1]!];
  const [m, n] = [shape[r - 2]!, shape[r - 1]!];
  const plain = (n === 1 || columns === 1) && (m === 1 || rows >= n);
  const transposed = (m === 1 || rows === 1) && (n === 1 || columns >= m);
  return (plain || transposed) && batchStride(access, shape) !== null;
}

/** The one stride that walks all leading axes, or null. */
export function batchStride(access: Access, shape: Shape): number | null {
  let stride: number | null = null;
  let count = 1;
  for (let axis = shape.length - 3; axis >= 0; axis--) {
    if (shape[axis] === 1) continue;
    if (stride === null) stride = access.strides[axis]!;
    else if (access.strides[axis] !== stride * count) return null;
    count *= shape[axis]!;
  }
  return stride ?? 0;
}

/** Marks as copies the operands that routines cannot read where they lie, and outputs that are only views. */
function markCopies(graph: Graph, nodes: readonly Node[], accesses: Accesses): void {
  const store = (x: Node) => {
    if (isView(x) || x.op === "const" || x.op === "iota") accesses.copies.add(x);
  };
  const storeUnlessContiguous = (x: Node) => {
    const access = accesses.of(x);
    if (accesses.isComputed(access.root) || !isContiguous({ ...access, offset: 0 }, x.shape)) store(x);
  };
  // A new copy changes what the views above it read, so all is looked at again until nothing changes.
  for (let before = -1; before !== accesses.copies.size; ) {
    before = accesses.copies.size;
    accesses.forget();
    for (const node of nodes) {
      for (const x of node.inputs) accesses.of(x);
      if (node.op === "matmul") {
        for (const x of node.inputs) {
          const access = accesses.of(x);
          if (accesses.isComputed(access.root) || !isMatrixLayout(access, x.shape)) store(x);
        }
      } else if (node.op === "gather" || (isRoutine(node) && node.op !== "concat" && node.op !== "pad")) {
        for (const x of node.inputs) storeUnlessContiguous(x);
      }
    }
    for (const node of graph.outputs.values()) store(node);
    for (const copy of accesses.copies) accesses.sourceOf(copy);
  }
}

/** Whether reductions over different axes would share a loop that then has no axis left along which threads could share it. */
function leavesNoAxis(cluster: Cluster, reduction: Node): boolean {
  const rank = cluster.shape.length;
  const together = new Set([...cluster.reduced, ...(reduction.attrs.axes as number[])]);
  return cluster.reduced.size > 0 && cluster.reduced.size < rank && together.size === rank;
}

/** Greedy fusion: each node joins a loop over its own shape wherever that makes no cycle between kernels. */
export function fuse(graph: Graph): Fused {
  const nodes = nodesOf(graph);
  const accesses = new Accesses();
  markCopies(graph, nodes, accesses);

  const clusters: Cluster[] = [];
  const home = new Map<Node, Cluster>();

  const isLoopMember = (node: Node) => isElementwise(node) || accesses.copies.has(node);
  /** Operands as a kernel reads them: the value itself when the same loop makes it, else its stored root. */
  const operands = (node: Node): readonly Node[] =>
    accesses.copies.has(node) ? [accesses.sourceOf(node).root].filter((root) => root !== node) : node.inputs;
  const rootOf = (x: Node): Node => accesses.of(x).root;
  const needsMemory = (node: Node, index: number, cluster: Cluster): boolean => {
    const x = operands(node)[index]!;
    return node.op === "gather" || !isLoopMember(x) || accesses.copies.has(node) || home.get(x) !== cluster;
  };
  const reaches = (from: Cluster, target: Cluster, seen = new Set<Cluster>()): boolean => {
    if (from === target) return true;
    if (seen.has(from)) return false;
    seen.add(from);
    for (const next of from.after) if (reaches(next, target, seen)) return true;
    return false;
  };
  /** What must be complete before `node` can run inside `cluster`. */
  const prerequisites = (node: Node, cluster: Cluster | null): Set<Cluster> => {
    const out = new Set<Cluster>();
    for (const [i, x] of operands(node).entries()) {
      if (cluster && !needsMemory(node, i, cluster)) continue;
      const source = home.get(rootOf(x));
      if (source) out.add(source);
    }
    return out;
  };

  for (const node of nodes) {
    const reduction = REDUCTIONS.has(node.op);
    const routine = isRoutine(node);
    if (!reduction && !routine && !isLoopMember(node)) continue;
    const shape = reduction ? node.inputs[0]!.shape : node.shape;
    let joined: Cluster | null = null;
    if (!routine) {
      const producers = node.inputs.map((x) => home.get(x)).filter((c) => c !== undefined);
      const candidates = new Set([...producers, ...clusters.toReversed()]);
      for (const cluster of candidates) {
        if (cluster.routine || !sameShape(cluster.shape, shape)) continue;
        const before = prerequisites(node, cluster);
        if ([...before].some((c) => reaches(c, cluster))) continue;
        if (reduction && leavesNoAxis(cluster, node)) continue;
        for (const c of before) cluster.after.add(c);
        cluster.members.push(node);
        if (reduction) for (const axis of node.attrs.axes as number[]) cluster.reduced.add(axis);
        joined = cluster;
        break;
      }
    }
    if (!joined) {
      const reduced = new Set(reduction ? (node.attrs.axes as number[]) : []);
      joined = { shape, members: [node], after: prerequisites(node, null), routine, reduced };
      clusters.push(joined);
    }
    home.set(node, joined);
  }

  const rootsRead = (node: Node, cluster: Cluster): Node[] =>
    operands(node).filter((_, i) => cluster.routine || needsMemory(node, i, cluster)).map(rootOf); // biome-ignore format: short
  const inPlace = new Set<string>();
  for (const [name, value] of graph.outputs) {
    const writer = home.get(value);
    const old = nodes.find((n) => n.op === "input" && n.attrs.name === name);
    if (!writer || writer.routine || !isLoopMember(value)) continue;
    const readers = old ? clusters.filter((c) => c.members.some((m) => rootsRead(m, c).includes(old))) : [];
    // The writer itself may read the old value only where it writes the new one.
    const accessBy = (m: Node, x: Node) => (accesses.copies.has(m) ? accesses.sourceOf(m) : accesses.of(x));
    const aligned = writer.members.every((m) =>
      operands(m).every((x) => rootOf(x) !== old || (m.op !== "gather" && isContiguous(accessBy(m, x), value.shape))),
    );
    if (!aligned || readers.some((c) => c !== writer && reaches(c, writer))) continue;
    for (const c of readers) if (c !== writer) writer.after.add(c);
    inPlace.add(name);
  }

  // A value is stored when an output, a routine, another loop or a view needs it.
  const stored = new Set<Node>(graph.outputs.values());
  for (const [node, cluster] of home) {
    for (const [i, x] of operands(node).entries()) {
      if (cluster.routine || needsMemory(node, i, cluster)) stored.add(rootOf(x));
    }
  }
  const toKernel = (cluster: Cluster): Kernel => {
    if (cluster.routine) return { kind: "routine", node: cluster.members[0]! };
    const body = cluster.members.filter(isLoopMember);
    return {
      kind: "loop",
      shape: cluster.shape,
      body,
      reductions: cluster.members.filter((n) => REDUCTIONS.has(n.op)),
      stored: body.filter((n) => stored.has(n) || accesses.copies.has(n)),
    };
  };
  return { graph, accesses, kernels: order(clusters).map(toKernel), inPlace };
}

/** Kahn's order; among the ready ones the one whose first member is oldest. */
function order(clusters: readonly Cluster[]): Cluster[] {
  const waiting = new Map(clusters.map((c) => [c, new Set([...c.after].filter((d) => d !== c))]));
  const out: Cluster[] = [];
  while (waiting.size) {
    let next: Cluster | null = null;
    for (const [cluster, before] of waiting) {
      if (before.size === 0 && (!next || cluster.members[0]!.id < next.members[0]!.id)) next = cluster;
    }
    if (!next) throw new Error("fusion made a cycle between kernels");
    waiting.delete(next);
    for (const before of waiting.values()) before.delete(next);
    out.push(next);
  }
  return out;
}

/** What a kernel reads from memory: the stored roots of its operands. */
export function readsOf(kernel: Kernel, accesses: Accesses): Set<Node> {
  const own = new Set<Node>(kernel.kind === "loop" ? kernel.body : []);
  const out = new Set<Node>();
  const add = (root: Node, reader?: Node) => {
    if (!accesses.isComputed(root, reader)) out.add(root);
  };
  const visit = (node: Node) => {
    if (accesses.copies.has(node)) return add(accesses.sourceOf(node).root, node);
    for (const x of node.inputs) {
      if (kernel.kind === "loop" && node.op !== "gather" && own.has(x)) continue;
      add(accesses.of(x).root);
    }
  };
  if (kernel.kind === "routine") visit(kernel.node);
  else for (const node of [...kernel.body, ...kernel.reductions]) visit(node);
  return out;
}
