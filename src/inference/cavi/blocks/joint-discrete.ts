import type { Shape } from "../../../base/shape.ts";
import type { SiteStatistics } from "../moments.ts";
import type { Block } from "./block.ts";
import { discreteBlock } from "./discrete.ts";

/** Several discrete sites of one shape in one factor: for each element a table of probabilities over all their states together. */
export function jointDiscreteBlock(
  members: readonly { readonly site: string; readonly states: readonly number[] }[],
  shape: Shape,
): Block {
  const sites = members.map((m) => m.site);
  const name = sites.join(", ");
  const counts = members.map((m) => m.states.length);
  const product = counts.reduce((a, b) => a * b, 1);
  const all = [...Array(product).keys()];
  const block = discreteBlock({ site: name, shape, events: [] }, all);
  return {
    ...block,
    sites,
    expected(state) {
      const found = block.expected(state);
      const table = found.wrt.probs!.reshape([...shape, ...counts]);
      const axes = members.map((_, i) => shape.length + i);
      const own = members.map(({ site }, i): [string, SiteStatistics] => {
        const probs = table.sum(axes.filter((_, j) => j !== i));
        return [site, { kind: "discrete", probs, before: null, group: { name, sites, table } }];
      });
      return { ...found, sites: Object.fromEntries(own) };
    },
    draw(state, key, count) {
      const index = block.draw(state, key, count)[name]!;
      let inner = product;
      return Object.fromEntries(
        members.map(({ site, states }) => {
          const outer = inner;
          inner /= states.length;
          const own = index.sub(index.div(outer).floor().mul(outer)).div(inner).floor();
          return [site, states[0] ? own.add(states[0]) : own];
        }),
      );
    },
  };
}
