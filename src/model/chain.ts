import { OptionError, ShapeError } from "../base/errors.ts";
import { sameShape, showShape } from "../base/shape.ts";
import type { Node } from "../ir/node.ts";
import { concat, iota } from "../tensor/functions.ts";
import { scan } from "../tensor/scan.ts";
import { Tensor } from "../tensor/tensor.ts";
import { vmap } from "../transforms/vmap.ts";
import type { Frame, Tracing } from "./frame.ts";
import { liftChains, liftSites } from "./lift.ts";
import { isLatent, type Plate } from "./site.ts";
import { leaves, nodesIn, rebuild, type Structure } from "./structure.ts";
import { dependents, substitute } from "./substitute.ts";

/**
 * Lifts one step of a chain to all its steps. Where the next state is a function of the step's own sites alone (a Markov chain
 * of latent states) the steps do not wait for one another: they are computed together, from the states shifted by one.
 * Where it is computed from the state before (a recursion) they are scanned.
 */
export function closeChain<S extends Structure>(
  tracing: Tracing,
  outer: Frame,
  chain: Plate,
  initial: S,
  trace: (previous: S, step: Tensor) => { frame: Frame; returned: S },
): S {
  const { b, dtype } = tracing;
  const call = `chain("${chain.name}")`;
  const first = leaves(initial, `${call}: the initial state`).map((t) => (t.dtype === dtype ? t : t.cast(dtype)));
  if (!first.length) throw new OptionError(`${call}: its initial state has no tensor`);
  const before = first.map((t) => tracing.placeholder(`chain.${chain.name}`, t.shape));
  const step = tracing.placeholder(`step.${chain.name}`, [], "u32");
  const { frame, returned } = trace(rebuild(initial, before), step);
  const after = leaves(returned, `the body of ${call}`).map((t) => (t.dtype === dtype ? t : t.cast(dtype)));
  if (after.length !== first.length) {
    throw new OptionError(
      `${call}: its body returned ${after.length} tensors, but the initial state has ${first.length}`,
    );
  }
  for (const [i, t] of after.entries()) {
    if (sameShape(t.shape, first[i]!.shape)) continue;
    throw new ShapeError(
      `${call}: its body returned a state of shape ${showShape(t.shape)}, but the initial one is ${showShape(first[i]!.shape)}`,
    );
  }
  if (outer.plate === null) {
    outer.steps.push({ chain, initial: first, before, index: step, after, sites: frame.sites });
  }
  const latent = frame.sites.filter(isLatent);
  const all = new Map(
    latent.map((s) => [s.value.node, tracing.placeholder(`site.${s.name}`, [chain.size, ...s.shape])]),
  );
  const recursive = dependents(nodesIn(after), new Set(nodesIn(before)));
  const finish = (
    change: (nodes: readonly Node[]) => Node[],
    states: readonly Tensor[],
    previous: readonly Tensor[],
  ): S => {
    outer.sites.push(...liftSites(frame.sites, chain, 1, change));
    outer.chains.push(...liftChains(frame.chains, chain, change));
    for (const [i, next] of states.entries()) {
      if (!previous.length) break;
      const start = first[i]!.reshape([1, ...first[i]!.shape]);
      const shifted = chain.size > 1 ? concat([start, next.narrow(0, 0, chain.size - 1)], 0) : start;
      outer.chains.push({ chain, plates: [], initial: first[i]!, previous: previous[i]!, next, shifted });
    }
    return rebuild(returned, states);
  };

  if (after.some((t) => recursive.has(t.node))) {
    const sites = [...all.keys()];
    const inner = [...frame.chains.map((c) => c.chain.name)];
    if (inner.length) throw new OptionError(`${call} computes its state from the one before it, and holds chain("${inner[0]}"): nest plates instead`); // biome-ignore format: one sentence
    const moving = new Set<Node>([...nodesIn(before), step.node, ...sites]);
    const change = (nodes: readonly Node[]): Node[] => {
      const { ys } = scan({ carry: first, xs: [...all.values()], length: chain.size }, (carry, xs, t) => {
        const replaced = new Map<Node, Node>([[step.node, t.cast("u32").node]]);
        for (const [i, c] of carry.entries()) replaced.set(before[i]!.node, c.node);
        for (const [i, x] of xs.entries()) replaced.set(sites[i]!, x.node);
        const found = substitute(b, [...nodesIn(after), ...nodes], replaced).map((n) => new Tensor(b, n));
        return { carry: found.slice(0, after.length), y: found.slice(after.length) };
      });
      return nodesIn(ys as readonly Tensor[]);
    };
    const wanted = nodesIn(after);
    const lifted = frame.sites.length ? null : change(wanted);
    if (lifted) return finish((nodes) => [...nodes], lifted.map((n) => new Tensor(b, n)), []); // biome-ignore format: short
    // One scan for the states and all that the sites need.
    let states: Tensor[] = [];
    const once = (nodes: readonly Node[]): Node[] => {
      if (!nodes.length) return [];
      // What no step changes need not go through the loop, nor what is a site's own value.
      const dependent = dependents(nodes, moving);
      const scanned = nodes.filter((n) => dependent.has(n) && !all.has(n));
      const results = change([...wanted, ...scanned]);
      states = results.slice(0, wanted.length).map((n) => new Tensor(b, n));
      const rows = new Map(scanned.map((n, i) => [n, results[wanted.length + i]!]));
      const same = (n: Node) => b.broadcast(n, [chain.size, ...n.shape], n.shape.map((_, d) => d + 1)); // biome-ignore format: short
      return nodes.map((n) => all.get(n)?.node ?? rows.get(n) ?? same(n));
    };
    outer.sites.push(...liftSites(frame.sites, chain, 1, once));
    return rebuild(returned, states);
  }

  const previous = before.map((t) => tracing.placeholder(`chain.${chain.name}`, [chain.size, ...t.shape]));
  const replaced = new Map<Node, Node>([[step.node, iota(step, [chain.size], 0).node]]);
  for (const [one, stand] of all) replaced.set(one, stand.node);
  for (const [i, t] of before.entries()) replaced.set(t.node, previous[i]!.node);
  for (const inner of frame.chains) {
    replaced.set(inner.previous.node, tracing.placeholder(`chain.${inner.chain.name}`, [chain.size, ...inner.previous.shape]).node); // biome-ignore format: short
  }
  const change = (nodes: readonly Node[]) => vmap(b, nodes, replaced, chain.size);
  return finish(change, change(nodesIn(after)).map((n) => new Tensor(b, n)), previous); // biome-ignore format: short
}
