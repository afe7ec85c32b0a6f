import { Builder } from "../../ir/builder.ts";
import { type Graph, nodesOf, reachable } from "../../ir/graph.ts";
import { attrsKey, type Node } from "../../ir/node.ts";
import { copyNode, inputsOf, regionOf, writeInto } from "../../ir/region.ts";
import { opRow } from "../table.ts";
import { createTrace } from "../trace.ts";
import type { Trace } from "../vocabulary.ts";
import { refuseLeaks } from "./draft.ts";
import { attrsOf, bodyInputs, layoutOf, operandsOf, type Piece, type ScanAttrs } from "./layout.ts";
import { pushSlices } from "./slices.ts";

type Simplify = (graph: Graph) => Graph;

/** A part of a packed result, by what it is: equal names in scans that differ only in what they store. */
type Part = `carry ${number}` | `y ${number}` | "steps" | `stored ${number}`;

function partsOf(attrs: ScanAttrs): Map<Part, Piece> {
  const { carries, ys, steps, stored } = layoutOf(attrs);
  return new Map<Part, Piece>([
    ...carries.map((p, i): [Part, Piece] => [`carry ${i}`, p]),
    ...ys.map((p, i): [Part, Piece] => [`y ${i}`, p]),
    ...(steps ? [["steps", steps] as [Part, Piece]] : []),
    ...attrs.stored.map((carry, i): [Part, Piece] => [`stored ${carry}`, stored[i]!]),
  ]);
}

/** Scans of one body over the same operands: one loop serves them all. */
interface Group {
  readonly members: Node[];
  /** Parts that somebody reads. */
  readonly read: Set<Part>;
  pruned: Pruned | null;
}

/** What is left of a scan when only some of its parts are wanted. */
interface Pruned {
  readonly attrs: ScanAttrs;
  /** Operands in the old graph. */
  readonly operands: readonly Node[];
  readonly parts: ReadonlyMap<Part, Piece>;
}

/** The part that a slice of a scan lies in, with the place inside it; null where it spans several. */
function partRead(slice: Node): { part: Part; at: number } | null {
  const start = (slice.attrs.starts as readonly number[])[0]!;
  for (const [part, { from, size }] of partsOf(attrsOf(slice.inputs[0]!))) {
    if (start >= from && start + slice.shape[0]! <= from + size) return { part, at: start - from };
  }
  return null;
}

/** Leaves out what nobody reads: ys, stored carries, carries, and the operands that only those needed. */
function prune({ members, read }: Group, simplify: Simplify): Pruned {
  const node = members[0]!;
  const attrs = attrsOf(node);
  const operands = operandsOf(node);
  const inputs = bodyInputs(node);
  const outputs = [...attrs.body.graph.outputs.values()];
  const ys = outputs.slice(attrs.carries).flatMap((_, i) => (read.has(`y ${i}`) ? [i] : []));
  const stored = operands.carries.flatMap((_, i) => (read.has(`stored ${i}`) ? [i] : []));
  const wanted = new Set(operands.carries.flatMap((_, i) => (read.has(`carry ${i}`) || i === attrs.until ? [i] : [])));
  for (const i of stored) wanted.add(i);
  for (let before = -1; before !== wanted.size; ) {
    before = wanted.size;
    const roots = [...ys.map((i) => outputs[attrs.carries + i]!), ...[...wanted].map((i) => outputs[i]!)];
    const reached = new Set(reachable(roots));
    for (const [i, x] of inputs.carries.entries()) if (x && reached.has(x)) wanted.add(i);
  }
  const carries = [...wanted].sort((p, q) => p - q);

  // Inputs are named by their operands, so that what is left is found again after the body was simplified.
  const builder = new Builder((op) => opRow(op).infer);
  const known = new Map<Node, Node>();
  const source = new Map<string, Node>();
  const named = (kind: string, operand: Node, input: Pick<Node, "dtype" | "shape">): Node => {
    const name = `${kind}.${operand.id}`;
    source.set(name, operand);
    return builder.input(name, input.dtype, input.shape);
  };
  const constantLike = (operand: Node, input: Node) =>
    builder.constant(operand.attrs.value as number, input.dtype, input.shape);
  for (const [at, i] of carries.entries()) {
    const x = inputs.carries[i];
    if (x) known.set(x, builder.input(`state.${at}`, x.dtype, x.shape));
  }
  for (const [i, x] of inputs.xs.entries()) {
    if (!x) continue;
    const operand = operands.xs[i]!;
    const dims = operand.attrs.dims as readonly number[];
    if (operand.op === "const") known.set(x, constantLike(operand, x));
    else if (operand.op === "broadcast" && !dims.includes(0)) {
      // The same row at each step.
      const inner = operand.inputs[0]!;
      const row = inner.op === "const" ? constantLike(inner, inner) : named("const", inner, inner);
      known.set(x, builder.append("broadcast", [row], { shape: x.shape, dims: dims.map((d) => d - 1) }));
    } else known.set(x, named("x", operand, x));
  }
  for (const [i, x] of inputs.captured.entries()) {
    const operand = operands.captured[i]!;
    if (x) known.set(x, operand.op === "const" ? constantLike(operand, x) : named("const", operand, operand));
  }
  const kept = new Map<string, Node>();
  for (const [at, i] of carries.entries()) kept.set(`state.${at}`, outputs[i]!);
  for (const [at, i] of ys.entries()) kept.set(`y.${at}`, outputs[attrs.carries + i]!);
  const body = simplify({ outputs: writeInto(builder, { outputs: kept }, known) });

  // What the simplified body still reads, numbered anew.
  const final = new Builder((op) => opRow(op).infer);
  const lists: Record<string, Node[]> = { x: [], const: [] };
  const renamed = new Map<Node, Node>();
  for (const [name, input] of inputsOf(body)) {
    const list = lists[name.split(".")[0]!];
    if (list) renamed.set(input, final.input(`${name.split(".")[0]}.${list.push(source.get(name)!) - 1}`, input.dtype, input.shape)); // biome-ignore format: short
  }
  const narrowed: ScanAttrs = {
    ...attrs,
    body: regionOf({ outputs: writeInto(final, body, renamed) }),
    carries: carries.length,
    xs: lists.x!.length,
    until: attrs.until < 0 ? -1 : carries.indexOf(attrs.until),
    stored: stored.map((i) => carries.indexOf(i)),
  };
  const old = (part: Part): Part => {
    const [kind, i] = part.split(" ");
    if (kind === "steps") return part;
    return `${kind} ${(kind === "y" ? ys : carries)[Number(i)]!}` as Part;
  };
  return {
    attrs: narrowed,
    operands: [
      ...carries.map((i) => operands.carries[i]!),
      ...lists.x!,
      ...lists.const!,
      ...(operands.count ? [operands.count] : []),
    ],
    parts: new Map([...partsOf(narrowed)].map(([part, piece]) => [old(part), piece])),
  };
}

/** Finds what is read, from the outputs backwards: a scan is pruned before it is known what its operands are wanted for. */
function plan(nodes: readonly Node[], graph: Graph, simplify: Simplify): { groups: Map<Node, Group>; live: Set<Node> } {
  const groups = new Map<Node, Group>();
  const byKey = new Map<string, Group>();
  for (const node of nodes) {
    if (node.op !== "scan") continue;
    const key = `${node.inputs.map((x) => x.id)} ${attrsKey({ ...node.attrs, stored: [] })}`;
    const group = byKey.get(key) ?? { members: [], read: new Set<Part>(), pruned: null };
    byKey.set(key, group);
    group.members.push(node);
    groups.set(node, group);
  }
  const live = new Set<Node>();
  const readWhole = (node: Node) => {
    live.add(node);
    const group = groups.get(node);
    if (group) for (const part of partsOf(attrsOf(node)).keys()) group.read.add(part);
  };
  for (const node of graph.outputs.values()) readWhole(node);
  for (const node of nodes.toReversed()) {
    const group = groups.get(node);
    if (group) {
      // The first member comes before all users of the others.
      if (node !== group.members[0] || !group.read.size) continue;
      group.pruned = prune(group, simplify);
      for (const x of group.pruned.operands) readWhole(x);
      continue;
    }
    if (!live.has(node)) continue;
    const x = node.inputs[0];
    const sliced = x && groups.get(x);
    const within = sliced && node.op === "slice" ? partRead(node) : null;
    if (within) sliced!.read.add(within.part);
    else for (const input of node.inputs) readWhole(input);
  }
  return { groups, live };
}

/**
 * The graph with its scans reduced to what is read of them: one loop where several differ only in what they store, no results
 * or operands that nobody wants, rows that are always the same as captured values, and simplified bodies.
 */
export function tidyScans(given: Graph, simplify: Simplify): Graph {
  const graph = pushSlices(given);
  const nodes = nodesOf(graph);
  refuseLeaks(nodes);
  const { groups, live } = plan(nodes, graph, simplify);
  const b: Trace = createTrace();
  const made = new Map<Node, Node>();
  const scans = new Map<Group, Node>();
  const piece = (group: Group, part: Part) => group.pruned!.parts.get(part)!;
  /** A member's result as it was. */
  const whole = (node: Node): Node => {
    const group = groups.get(node)!;
    const scan = scans.get(group)!;
    const parts = partsOf(attrsOf(node));
    const size = node.shape[0]!;
    if ([...parts].every(([part, { from }]) => piece(group, part).from === from)) {
      return scan.shape[0] === size ? scan : b.slice(scan, [0], [size]);
    }
    const pieces = [...parts.keys()].map((part) => {
      const { from, size } = piece(group, part);
      return b.slice(scan, [from], [size]);
    });
    return b.concat(pieces, 0);
  };
  const valueOf = (node: Node): Node => {
    let value = made.get(node);
    if (!value) {
      value = whole(node);
      made.set(node, value);
    }
    return value;
  };
  for (const node of nodes) {
    const group = groups.get(node);
    if (group) {
      const { pruned } = group;
      if (!pruned || node !== group.members[0]) continue;
      const scan = b.builder.append("scan", pruned.operands.map(valueOf), { ...pruned.attrs }); // biome-ignore format: short
      scans.set(group, scan);
      continue;
    }
    if (!live.has(node)) continue;
    const sliced = node.op === "slice" ? groups.get(node.inputs[0]!) : undefined;
    const within = sliced ? partRead(node) : null;
    made.set(
      node,
      within
        ? b.slice(scans.get(sliced!)!, [piece(sliced!, within.part).from + within.at], node.shape)
        : copyNode(b.builder, node, node.inputs.map(valueOf)),
    ); // biome-ignore format: short
  }
  return { outputs: new Map([...graph.outputs].map(([name, node]) => [name, valueOf(node)])) };
}
