import { bytesOf } from "../base/dtype.ts";
import { sizeOf } from "../base/shape.ts";
import { nodesOf } from "../ir/graph.ts";
import type { Node } from "../ir/node.ts";
import { isContiguous } from "./access.ts";
import { type Fused, type Kernel, readsOf, writesOf } from "./fuse.ts";

/** Where a value lies: `offset` bytes into the region whose address stands in slot `slot` of the program's table. */
export interface Place {
  readonly slot: number;
  readonly offset: number;
}

/** All that a backend needs to emit a step. */
export interface Plan extends Fused {
  readonly places: ReadonlyMap<Node, Place>;
  /** Region names by slot: the arena first, then `input`s by their names, then outputs that have a region of their own. */
  readonly slots: readonly string[];
  /** Done after the kernels: values whose home is elsewhere are copied to their output's region. */
  readonly finalCopies: readonly { readonly from: Node; readonly to: Place }[];
  readonly arenaBytes: number;
}

const ALIGNMENT = 64;
const align = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
const bytesOfNode = (node: Node): number => sizeOf(node.shape) * bytesOf(node.dtype);

interface Block {
  readonly node: Node;
  readonly bytes: number;
  first: number;
  last: number;
}

/**
 * Gives every stored value a place: inputs and outputs in their own regions, new state over the old where that is safe,
 * pieces of a concat inside it, and all else in one arena by lifetimes.
 */
export function planMemory(fused: Fused): Plan {
  const { graph, kernels, accesses, inPlace } = fused;
  const slots = ["arena"];
  const places = new Map<Node, Place>();
  for (const node of nodesOf(graph)) {
    if (node.op === "input") places.set(node, { slot: slots.push(node.attrs.name as string) - 1, offset: 0 });
  }
  const slotOf = (name: string): number => {
    const known = slots.indexOf(name);
    return known >= 0 ? known : slots.push(name) - 1;
  };

  const pendingCopies: { from: Node; to: Place }[] = [];
  for (const [name, node] of graph.outputs) {
    const to: Place = { slot: slotOf(name), offset: 0 };
    const isState = name.startsWith("state.");
    if (places.has(node) || (isState && !inPlace.has(name))) {
      const own = places.get(node);
      if (own?.slot !== to.slot) pendingCopies.push({ from: node, to });
    } else places.set(node, to);
  }

  const written = new Map<Node, number>();
  for (const [i, kernel] of kernels.entries()) for (const node of writesOf(kernel)) written.set(node, i);
  const aliases = concatAliases(kernels, fused, places, written);

  const blocks = new Map<Node, Block>();
  const owner = (node: Node): Node => {
    const alias = aliases.get(node);
    return alias ? owner(alias.into) : node;
  };
  const touch = (node: Node, at: number) => {
    const root = owner(node);
    if (places.has(root)) return;
    const block = blocks.get(root);
    if (!block) blocks.set(root, { node: root, bytes: align(bytesOfNode(root)), first: at, last: at });
    else {
      block.first = Math.min(block.first, at);
      block.last = Math.max(block.last, at);
    }
  };
  for (const [i, kernel] of kernels.entries()) {
    for (const node of writesOf(kernel)) touch(node, i);
    for (const node of readsOf(kernel, accesses)) touch(node, i);
  }
  for (const { from } of pendingCopies) touch(from, kernels.length);

  const { offsets, total } = pack([...blocks.values()]);
  for (const [node, offset] of offsets) places.set(node, { slot: 0, offset });
  const resolve = (node: Node): Place => {
    const place = places.get(node);
    if (place) return place;
    const alias = aliases.get(node)!;
    const base = resolve(alias.into);
    const made = { slot: base.slot, offset: base.offset + alias.offset };
    places.set(node, made);
    return made;
  };
  for (const node of aliases.keys()) resolve(node);
  return { ...fused, places, slots, finalCopies: pendingCopies, arenaBytes: total };
}

/** Pieces of a concat that can be written straight to where they end up. */
function concatAliases(
  kernels: readonly Kernel[],
  { accesses }: Fused,
  places: ReadonlyMap<Node, Place>,
  written: ReadonlyMap<Node, number>,
): Map<Node, { into: Node; offset: number }> {
  const aliases = new Map<Node, { into: Node; offset: number }>();
  for (const kernel of kernels) {
    if (kernel.kind !== "routine" || kernel.node.op !== "concat") continue;
    const into = kernel.node;
    const axis = into.attrs.axis as number;
    if (sizeOf(into.shape.slice(0, axis)) !== 1) continue;
    let offset = 0;
    for (const piece of into.inputs) {
      const { root, ...access } = accesses.of(piece);
      const movable = written.has(root) && !places.has(root) && !aliases.has(root) && root !== into;
      if (movable && isContiguous({ root, ...access }, piece.shape) && sizeOf(root.shape) === sizeOf(piece.shape)) {
        aliases.set(root, { into, offset });
      }
      offset += bytesOfNode(piece);
    }
  }
  return aliases;
}

/** Places blocks so that none that live at the same time overlap: largest first, each as low as it goes. */
export function pack(blocks: readonly Block[]): { offsets: Map<Node, number>; total: number } {
  const placed: { block: Block; offset: number }[] = [];
  let total = 0;
  for (const block of [...blocks].sort((a, b) => b.bytes - a.bytes || a.node.id - b.node.id)) {
    const rivals = placed
      .filter((p) => p.block.first <= block.last && block.first <= p.block.last)
      .sort((p, q) => p.offset - q.offset);
    let offset = 0;
    for (const rival of rivals) {
      if (offset + block.bytes <= rival.offset) break;
      offset = Math.max(offset, rival.offset + rival.block.bytes);
    }
    placed.push({ block, offset });
    total = Math.max(total, offset + block.bytes);
  }
  return { offsets: new Map(placed.map((p) => [p.block.node, p.offset])), total };
}
