import { OptionError } from "../base/errors.ts";
import { reachable } from "../ir/graph.ts";
import type { Node } from "../ir/node.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { isLatent, type TracedModel } from "./site.ts";

/**
 * Looks for what belongs to one element of a plate or chain and is used outside of its body: nothing would ever give it a value.
 *
 * @throws OptionError naming both
 */
export function checkEscapes({ sites, chains, returned }: TracedModel): void {
  const parts: (readonly [what: string, tensors: readonly Tensor[]])[] = sites.map((site) => {
    const random = "params" in site ? Object.values(site.params) : [];
    const density = "logProb" in site && site.logProb ? [site.logProb] : [];
    return [`${site.kind}("${site.name}")`, [site.value, ...random, ...density]];
  });
  for (const [name, value] of Object.entries(returned ?? {})) parts.push([`the model's result ${name}`, [value]]);
  const known = new Set<Node>([...sites.filter(isLatent).map((s) => s.value.node), ...chains.map((c) => c.previous.node)]); // biome-ignore format: one line
  const escaped = (tensors: readonly Tensor[]): RegExpExecArray | undefined =>
    reachable(tensors.map((t) => t.node))
      .filter((n) => n.op === "input" && !known.has(n))
      .map(({ attrs }) => OF_ONE.exec(String(attrs.name)))
      .find((found) => found !== null);
  // Hardly ever is there one: all are looked at together first.
  if (!escaped(parts.flatMap(([, tensors]) => tensors))) return;
  for (const [what, tensors] of parts) {
    const [, kind, name] = escaped(tensors) ?? [];
    if (!kind) continue;
    const owner = { site: `sample("${name}")`, plate: `the index of plate("${name}")`, step: `the step of chain("${name}")`, chain: `the state of chain("${name}")` }[kind]; // biome-ignore format: one line
    throw new OptionError(
      `${what} uses ${owner} of one element, outside of the body that it belongs to. What that body returns, its plate or chain ` +
        `returns for all elements: const all = plate("name", size, (i) => sample(…)).`,
    );
  }
}

/** Names of inputs that stand for one element. */
const OF_ONE = /^(site|plate|step|chain)\.(.*)#\d+\[/s;
