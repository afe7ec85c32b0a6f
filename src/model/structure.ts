import { OptionError } from "../base/errors.ts";
import type { Node } from "../ir/node.ts";
import { Tensor } from "../tensor/tensor.ts";

/** What the body of a plate or chain may return: tensors in records and arrays. */
export type Structure = Tensor | void | { readonly [key: string]: Structure } | readonly Structure[];

/** The tensors of a structure, in order. */
export function leaves(structure: Structure, where: string): Tensor[] {
  if (structure instanceof Tensor) return [structure];
  if (structure === undefined || structure === null) return [];
  if (typeof structure !== "object") {
    throw new OptionError(`${where} returned a ${typeof structure}: return tensors, or records and arrays of them`);
  }
  return Object.values(structure).flatMap((part) => leaves(part as Structure, where));
}

/** The same structure with other tensors, taken in the order of `leaves`. */
export function rebuild<S extends Structure>(structure: S, tensors: readonly Tensor[]): S {
  let next = 0;
  const walk = (part: Structure): Structure => {
    if (part instanceof Tensor) return tensors[next++]!;
    if (part === undefined || part === null) return part;
    if (Array.isArray(part)) return part.map(walk);
    return Object.fromEntries(Object.entries(part).map(([key, value]) => [key, walk(value as Structure)]));
  };
  return walk(structure) as S;
}

export const nodesIn = (tensors: readonly Tensor[]): Node[] => tensors.map((t) => t.node);
