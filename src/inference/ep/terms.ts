import { reachable } from "../../ir/graph.ts";
import type { Node } from "../../ir/node.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Inputs, Problem } from "../problem.ts";
import { degreesIn } from "./degree.ts";

/** A term of the log joint that is not quadratic in z: each of its elements is a site. */
export interface SiteTerm {
  /** As messages name it: `observe("y")`. */
  readonly name: string;
  readonly root: Node;
}

/** The log joint of a traced model, taken apart. */
export interface Divided {
  /** Addends that are quadratic in z: kept as they are. */
  readonly gaussian: readonly Node[];
  readonly sites: readonly SiteTerm[];
  /** The affine tensors through which the sites see z, with where the elements of each begin among those of all. */
  readonly affine: ReadonlyMap<Node, number>;
  readonly affineSize: number;
  /** The greatest parts of the sites that do not depend on z, in a fixed order. */
  readonly leaves: readonly Node[];
}

/** Ops that only look at their operand in another way: what they look at is what is kept. */
const MOVEMENT = new Set(["broadcast", "reshape", "transpose", "slice", "stopGradient"]);
const STORED = new Set(["f64", "i32", "u32"]);

/** Takes log p(x, z) apart at `unconstrained`, an input node that stands for z. */
export function divide(problem: Problem, unconstrained: Tensor, inputs: Inputs): Divided {
  const { trace } = unconstrained;
  const realised = problem.realise(unconstrained, inputs);
  const logProbs = realised.assignment.of(realised.terms.map((t) => t.logProb));
  const parts = realised.terms.map(({ kind, sites, scale }, i) => {
    const { node } = logProbs[i]!;
    return {
      name: sites.map((s) => `${kind}("${s}")`).join(" with "),
      root: scale === 1 ? node : trace.mul(node, scale),
    };
  });
  parts.push({ name: "the transforms' Jacobian", root: realised.logJacobian.node });
  parts.push({ name: "the parameters' Jacobian", root: realised.paramLogJacobian.node });
  const roots = new Set([unconstrained.node]);
  const degrees = degreesIn(parts.map((p) => p.root), roots); // biome-ignore format: short
  const gaussian: Node[] = [];
  const sites: SiteTerm[] = [];
  for (const { name, root } of parts) {
    const scalars: Node[] = [];
    /** `factor` is a number that the node counts for; null for 1. */
    const place = (node: Node, elementwise: boolean, factor: Node | null): void => {
      const scaled = (x: Node) => (factor ? trace.mul(x, trace.broadcast(factor, x.shape, [])) : x);
      const times = (by: Node) => (factor ? trace.mul(factor, by) : by);
      const [x, y] = node.inputs as [Node, Node];
      if (degrees.get(node)! <= 2) gaussian.push(scaled(node));
      else if (node.op === "sum") place(x, true, factor);
      else if (elementwise) sites.push({ name, root: scaled(node) });
      else if (node.op === "reshape" && x.shape.length === 0) place(x, false, factor);
      else if (node.op === "add" || node.op === "sub") {
        place(x, false, factor);
        place(y, false, node.op === "sub" ? times(trace.constant(-1, "f64")) : factor);
      } else if (node.op === "neg") place(x, false, times(trace.constant(-1, "f64")));
      else if (node.op === "mul" && degrees.get(y) === 0) place(x, false, times(y));
      else if (node.op === "mul" && degrees.get(x) === 0) place(y, false, times(x));
      else scalars.push(scaled(node));
    };
    place(root, root.shape.length > 0, null);
    // What is one number of the text stays one site.
    if (scalars.length) sites.push({ name, root: scalars.reduce((sum, x) => trace.add(sum, x)) });
  }
  return { gaussian, sites, ...boundary(sites, degrees, roots) };
}

function boundary(sites: readonly SiteTerm[], known: ReadonlyMap<Node, number>, roots: ReadonlySet<Node>) {
  const ends = sites.map((s) => s.root);
  const degrees = ends.every((n) => known.has(n)) ? known : degreesIn(ends, roots);
  const affine = new Map<Node, number>();
  const leaves = new Set<Node>();
  let affineSize = 0;
  const keep = (node: Node): void => {
    if (node.op === "const" || node.op === "iota") return;
    if (MOVEMENT.has(node.op) || !STORED.has(node.dtype)) for (const x of node.inputs) keep(x);
    else leaves.add(node);
  };
  // Only what a site reaches without passing an affine node.
  const inside = new Set<Node>(ends);
  for (const node of reachable(ends).reverse()) {
    if (!inside.has(node)) continue;
    for (const x of node.inputs) {
      const degree = degrees.get(x)!;
      if (degree === 0) keep(x);
      else if (degree > 1) inside.add(x);
      else if (!affine.has(x)) {
        affine.set(x, affineSize);
        affineSize += x.shape.reduce((a, n) => a * n, 1);
      }
    }
  }
  return { affine, affineSize, leaves: [...leaves] };
}
