import { OptionError } from "../base/errors.ts";
import type { Node } from "../ir/node.ts";
import type { RandomSite, TracedModel } from "../model/site.ts";

/** Ops that leave zero what is zero in one of their operands, where rows and columns stay what they are. */
const KEEPS_ZEROS = new Set(["broadcast", "cast", "mul"]);

/** The node that makes a tensor triangular: a Cholesky factor, elementwise products apart. */
function factorBehind(node: Node, factors: ReadonlyMap<Node, RandomSite>): RandomSite | null {
  const own = factors.get(node);
  if (own) return own;
  if (!KEEPS_ZEROS.has(node.op)) return null;
  for (const input of node.inputs) {
    const found = factorBehind(input, factors);
    if (found) return found;
  }
  return null;
}

/**
 * Refuses a Cholesky factor in the place of a covariance or precision: its lower triangle would be read as one, which is another model.
 *
 * @throws OptionError naming the site, the factor and the parameter to give it as
 */
export function checkFactors({ sites }: TracedModel): void {
  const random = sites.filter((s): s is RandomSite => "family" in s && s.family !== null);
  const triangular = random.filter((s) => s.support.kind === "cholesky" || s.support.kind === "correlationCholesky");
  if (!triangular.length) return;
  const factors = new Map(triangular.map((s) => [s.value.node, s]));
  for (const site of random) {
    for (const [param, { support }] of Object.entries(site.family!.params)) {
      const factor = support.kind === "positiveDefinite" ? factorBehind(site.params[param]!.node, factors) : null;
      if (!factor) continue;
      throw new OptionError(
        `${site.kind}("${site.name}"): ${param} of its ${site.family!.name} is the Cholesky factor "${factor.name}", or a product with it, element by ` +
          "element. Give it by name, as { cholesky: L }, or multiply it out: L.matmul(L.transpose()).",
      );
    }
  }
}
