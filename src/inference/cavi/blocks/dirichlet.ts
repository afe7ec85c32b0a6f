import { InternalError } from "../../../base/errors.ts";
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
      const each = a!.lgamma().sub(a!.mul(a!.digamma())).sum(-1);
      const entropy = each.sub(sum.lgamma()).add(sum.mul(sum.digamma()));
      return { sites: { [site]: { kind: "simplex", log } }, wrt: { log }, entropy };
    },
    update: (_state, _wrt, { log }) => ({ concentration: log! }),
    draw: ({ concentration }, key, count) => ({
      [site]: dirichlet.sample!(key.site(site), { concentration: concentration! }, [count, ...shape.slice(0, -1)]),
    }),
    expectedLog: ({ concentration: a }, q) => {
      const own = q[site]!;
      if (own.kind !== "simplex") throw new InternalError(`"${site}" is not on a simplex`);
      return total(a!.mul(own.log))
        .add(total(a!.sum(-1).lgamma()))
        .sub(total(a!.lgamma()));
    },
    averaged: null,
    logDensity: ({ concentration }, values) =>
      total(dirichlet.logProb(values[site]!, { concentration: concentration! })),
  };
}
