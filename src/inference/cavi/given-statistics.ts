import { Tensor } from "../../tensor/tensor.ts";
import type { Expected } from "./blocks/block.ts";

type Sites = Expected["sites"];
type Tree = Readonly<Record<string, unknown>>;

/** Expected statistics as named tensors: of what does not change while the local factors move, computed once a step. */
export function tensorsOf(sites: Sites): Record<string, Tensor> {
  const found: Record<string, Tensor> = {};
  const visit = (tree: Tree, path: string): void => {
    for (const [name, part] of Object.entries(tree)) {
      const key = `${path}.${name}`;
      if (part instanceof Tensor) found[key] = part;
      else if (isTree(part)) visit(part, key);
    }
  };
  visit(sites, "statistics");
  return found;
}

/** The same statistics with other tensors, by the names that `tensorsOf` gives. */
export function withTensors(sites: Sites, tensors: Readonly<Record<string, Tensor>>): Sites {
  const rebuilt = (tree: Tree, path: string): Tree =>
    Object.fromEntries(
      Object.entries(tree).map(([name, part]) => {
        const key = `${path}.${name}`;
        return [name, part instanceof Tensor ? tensors[key]! : isTree(part) ? rebuilt(part, key) : part];
      }),
    );
  return rebuilt(sites, "statistics") as Sites;
}

const isTree = (x: unknown): x is Tree => typeof x === "object" && x !== null && !Array.isArray(x);
