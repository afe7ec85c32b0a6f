import { OptionError } from "../base/errors.ts";
import { reachable } from "../ir/graph.ts";
import type { Node } from "../ir/node.ts";
import type { RandomSite, TracedModel } from "../model/site.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { Problem } from "./problem.ts";
import { compileReporter } from "./reported.ts";

/** Ops that keep rows as they are, or choose among them. */
export const ROWS = new Set(["broadcast", "gather", "cast"]);

/** The rows that a tensor's are, before they were repeated or chosen. */
export function rowsBehind(node: Node): Node {
  let from = node;
  while (ROWS.has(from.op) && from.inputs[0]!.shape.at(-1) === from.shape.at(-1)) from = from.inputs[0]!;
  return from;
}

interface Claim {
  readonly key: string;
  readonly site: RandomSite;
  readonly param: string;
  readonly rows: Tensor;
}

/** Parameters that should be probabilities and are computed, so that nothing says that they are. */
function claimsOf({ sites, chains }: TracedModel): Claim[] {
  const random = sites.filter(
    (s): s is RandomSite => s.kind === "sample" || s.kind === "observe" || s.kind === "param",
  );
  const simplexes = new Set<Node>(random.filter((s) => s.support.kind === "simplex").map((s) => s.value.node));
  // Discrete sites are summed out: they have no one value at which to look.
  const open = new Set<Node>(chains.map((c) => c.previous.node));
  for (const s of random) if (s.support.kind === "binary" || s.support.kind === "categories" || s.support.kind === "counts") open.add(s.value.node); // biome-ignore format: one line
  return random.flatMap((site, i) =>
    Object.entries(site.family?.params ?? {}).flatMap(([param, { support }]): Claim[] => {
      if (support.kind !== "simplex") return [];
      const node = rowsBehind(site.params[param]!.node);
      const from = reachable([node]);
      if (simplexes.has(node) || !from.some((n) => n.op === "input") || from.some((n) => open.has(n))) return [];
      return [{ key: `${i} ${param}`, site, param, rows: new Tensor(site.value.trace, node) }];
    }),
  );
}

/**
 * Looks at a point whether what is given as probabilities sums to 1: another sum makes a finite density, and another model.
 *
 * @throws OptionError naming the site and the sum
 */
export async function checkSimplexes(problem: Problem, unconstrained: Float64Array): Promise<void> {
  const claims = claimsOf(problem.layout);
  if (!claims.length) return;
  const reporter = await compileReporter(problem, ({ model, assignment }) =>
    Object.fromEntries(claimsOf(model).map(({ key, rows }) => [key, assignment.of([rows])[0]!])),
  );
  const found = reporter.at(unconstrained);
  const tolerance = problem.dtype === "f32" ? 1e-4 : 1e-6;
  for (const { key, site, param, rows } of claims) {
    const size = rows.shape.at(-1)!;
    for (let at = 0; at < found[key]!.length; at += size) {
      const row = found[key]!.subarray(at, at + size);
      const sum = row.reduce((a, b) => a + b, 0);
      if (!(Math.abs(sum - 1) > tolerance)) continue;
      const shown = [...row.subarray(0, 6)].map((x) => Number(x.toPrecision(4))).join(", ");
      throw new OptionError(
        `${site.kind}("${site.name}"): ${param} of its ${site.family!.name} are no probabilities where a search would begin: [${shown}${size > 6 ? ", …" : ""}] ` +
          `sum to ${Number(sum.toPrecision(6))}. Divide them by their sum, or take softmax of them.`,
      );
    }
  }
}
