import { ShapeError } from "../base/errors.ts";
import { Tensor } from "./tensor.ts";

/** A tensor, or a record or array of them, nested as one likes. */
export type Tree = Tensor | readonly Tree[] | { readonly [name: string]: Tree };

/** A tensor of a tree, with the path that leads there: `scan: carry.state.0`. */
export interface Leaf {
  readonly path: string;
  readonly tensor: Tensor;
}

/**
 * The tensors of a tree in order; nothing for undefined.
 *
 * @param path  what the tree is called where something else is found in it
 */
export function leavesOf(tree: Tree | undefined, path: string): Leaf[] {
  if (tree === undefined) return [];
  if (tree instanceof Tensor) return [{ path, tensor: tree }];
  if (typeof tree !== "object" || tree === null) {
    throw new ShapeError(`${path} is a ${typeof tree}; it must be a tensor: full(like, [], 0) makes one of a number`);
  }
  return Object.entries(tree).flatMap(([name, child]: [string, Tree]) => leavesOf(child, `${path}.${name}`));
}

/** A tree of the same form with other tensors, in the order of `leavesOf`. */
export function rebuildTree<T extends Tree | undefined>(like: T, tensors: readonly Tensor[]): T {
  let at = 0;
  const build = (tree: Tree): Tree => {
    if (tree instanceof Tensor) return tensors[at++]!;
    if (Array.isArray(tree)) return tree.map(build);
    return Object.fromEntries(Object.entries(tree).map(([name, child]) => [name, build(child)]));
  };
  return (like === undefined ? undefined : build(like)) as T;
}
