import type { Support } from "../constraints/support.ts";
import type { Node } from "../ir/node.ts";
import type { RandomSite, TracedModel } from "../model/site.ts";
import { ROWS } from "./check-simplexes.ts";

/** Numbers outside the parameter's support that a site may take, in words; null where there are none. */
function outside(site: Support, param: Support): string | null {
  if (site.kind === "real" && param.kind === "positive") return "numbers below 0";
  if (site.kind === "real" && param.kind === "unitInterval") return "numbers below 0 and above 1";
  if (site.kind === "positive" && param.kind === "unitInterval") return "numbers above 1";
  return null;
}

/**
 * Sites that are parameters of others as they are and may take values which those cannot have, as a normal that is an sd. There the density is
 * 0, so that the prior is in truth a truncated one. In words, one sentence or two for each.
 */
export function narrowings({ sites }: TracedModel): string[] {
  const random = sites.filter(
    (s): s is RandomSite => s.kind === "sample" || s.kind === "observe" || s.kind === "param",
  );
  const latent = new Map<Node, RandomSite>();
  for (const site of random) if (site.kind !== "observe") latent.set(site.value.node, site);
  const said = new Map<string, string>();
  for (const site of random) {
    for (const [param, { support }] of Object.entries(site.family?.params ?? {})) {
      let { node } = site.params[param]!;
      while (!latent.has(node) && (ROWS.has(node.op) || node.op === "reshape")) node = node.inputs[0]!;
      const from = latent.get(node);
      const wrong = from && outside(from.support, support);
      if (!wrong || said.has(from.name)) continue;
      const prior = from.family ? `is from a ${from.family.name}, which takes ${wrong}` : `may take ${wrong}`;
      said.set(
        from.name,
        `${from.kind}("${from.name}") ${prior}, but is the ${param} of ${site.kind}("${site.name}"): the density is 0 there, so that ${from.name} has in truth a ` +
          `truncated prior, without its constant. Give it a distribution on ${support.kind === "positive" ? "positive numbers (halfNormal, logNormal, gamma), or take its exp" : "(0, 1) (beta, uniform), or take its sigmoid"}.`,
      );
    }
  }
  return [...said.values()];
}
