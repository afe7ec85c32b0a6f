import type { Support } from "../constraints/support.ts";
import type { Node } from "../ir/node.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { ChainStates, Plate, Site } from "./site.ts";

/** How the tensors of a site change when a plate around it closes, or when placeholders are replaced. */
export type Change = (nodes: readonly Node[]) => Node[];

const boundsOf = (support: Support): Tensor[] =>
  (["low", "high", "total"] as const)
    .map((end) => (support as unknown as Record<string, unknown>)[end])
    .filter((x): x is Tensor => x instanceof Tensor);

/** All tensors of a site, in a fixed order. */
function tensorsOf(site: Site): Tensor[] {
  if (site.kind === "deterministic") return [site.value];
  const copies = site.copies ? [site.copies] : [];
  if (site.kind === "factor") return [site.value, ...copies, site.logProb];
  const logProb = site.logProb ? [site.logProb] : [];
  return [site.value, ...copies, ...logProb, ...Object.values(site.params), ...boundsOf(site.support)];
}

/** The same site with other tensors, in the order of `tensorsOf`. */
function withTensors(site: Site, tensors: readonly Tensor[]): Site {
  const [value, ...rest] = tensors as [Tensor, ...Tensor[]];
  if (site.kind === "deterministic") return { ...site, value };
  const copies = site.copies ? rest.shift()! : null;
  if (site.kind === "factor") return { ...site, value, copies, logProb: rest[0]! };
  const logProb = site.logProb ? rest.shift()! : null;
  const params = Object.fromEntries(Object.keys(site.params).map((name) => [name, rest.shift()!]));
  const support = Object.fromEntries(
    Object.entries(site.support).map(([key, part]) => [key, part instanceof Tensor ? rest.shift()! : part]),
  ) as unknown as Support;
  return { ...site, value, copies, logProb, params, support };
}

/** Sites as they stand one plate further out: every tensor changed, in one go so that what they share stays shared. */
export function liftSites(sites: readonly Site[], plate: Plate | null, scale: number, change: Change): Site[] {
  const all = sites.map(tensorsOf);
  const changed = change(all.flat().map((t) => t.node));
  let at = 0;
  return sites.map((site, i) => {
    const mine = all[i]!.map((t) => new Tensor(t.trace, changed[at++]!));
    const lifted = withTensors(site, mine);
    const plates = plate ? [plate, ...site.plates] : site.plates;
    return lifted.kind === "deterministic" ? { ...lifted, plates } : { ...lifted, plates, scale: lifted.scale * scale };
  });
}

export function liftChains(chains: readonly ChainStates[], plate: Plate | null, change: Change): ChainStates[] {
  const names = ["initial", "previous", "next", "shifted"] as const;
  const changed = change(chains.flatMap((c) => names.map((name) => c[name].node)));
  return chains.map((chain, i) => {
    const tensor = (k: number) => new Tensor(chain.initial.trace, changed[4 * i + k]!);
    const plates = plate ? [plate, ...chain.plates] : chain.plates;
    return { ...chain, plates, initial: tensor(0), previous: tensor(1), next: tensor(2), shifted: tensor(3) };
  });
}
