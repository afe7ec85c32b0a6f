import { dirichlet } from "../../../distributions/dirichlet.ts";
import { type Block, total, type Variable } from "./block.ts";

export function dirichletBlock({ site, shape }: Variable): Block {
  return {
    name: site,
    sites: [site],
    family: "dirichlet",
    state: { concentration: shape },
    expected: ({ concentration: a }) => {
      const sum = a!.sum(-1);
      const column = sum.reshape([...sum.shape, 1]);
      const log = a!.digamma().sub(column.digamma());
      const norm = total(a!.lgamma()).sub(total(sum.lgamma()));
      const entropy = norm.add(total(sum.mul(sum.digamma()))).sub(total(a!.mul(a!.digamma())));
      return { sites: { [site]: { kind: "simplex", log } }, wrt: { log }, entropy };
    },
    update: (_state, _wrt, { log }) => ({ concentration: log! }),
    draw: ({ concentration }, key, count) => ({
      [site]: dirichlet.sample!(key.site(site), { concentration: concentration! }, [count, ...shape.slice(0, -1)]),
    }),
    logDensity: ({ concentration }, values) =>
      total(dirichlet.logProb(values[site]!, { concentration: concentration! })),
  };
}
