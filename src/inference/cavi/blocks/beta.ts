import { InternalError } from "../../../base/errors.ts";
import { beta } from "../../../distributions/beta.ts";
import { type Block, total, type Variable } from "./block.ts";

export function betaBlock({ site, shape }: Variable): Block {
  return {
    name: site,
    sites: [site],
    family: "beta",
    state: { a: shape, b: shape },
    expected: ({ a, b }) => {
      const sum = a!.add(b!);
      const [log, log1m] = [a!.digamma().sub(sum.digamma()), b!.digamma().sub(sum.digamma())];
      const entropy = a!.lgamma().add(b!.lgamma()).sub(sum.lgamma()).sub(a!.mul(a!.digamma())).sub(b!.mul(b!.digamma())).add(sum.mul(sum.digamma())); // biome-ignore format: the formula
      return { sites: { [site]: { kind: "unit", log, log1m } }, wrt: { log, log1m }, entropy };
    },
    update: (_state, _wrt, { log, log1m }) => ({ a: log!, b: log1m! }),
    draw: ({ a, b }, key, count) => ({ [site]: beta.sample!(key.site(site), { a: a!, b: b! }, [count, ...shape]) }),
    expectedLog: ({ a, b }, q) => {
      const own = q[site]!;
      if (own.kind !== "unit") throw new InternalError(`"${site}" is no probability`);
      return total(a!.mul(own.log).add(b!.mul(own.log1m)).add(a!.add(b!).lgamma()).sub(a!.lgamma()).sub(b!.lgamma()));
    },
    averaged: null,
    logDensity: ({ a, b }, values) => total(beta.logProb(values[site]!, { a: a!, b: b! })),
  };
}
