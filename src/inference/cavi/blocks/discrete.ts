import { InternalError } from "../../../base/errors.ts";
import { categorical } from "../../../distributions/categorical.ts";
import { where } from "../../../tensor/functions.ts";
import type { Tensor } from "../../../tensor/tensor.ts";
import type { Block, Variable } from "./block.ts";

/** −Σ p log p with 0 log 0 = 0. */
const entropyOf = (p: Tensor, logP: Tensor): Tensor => where<Tensor>(p.gt(0), p.mul(logP), 0).sum(-1).neg();

/** Probabilities of each state, [...shape, states], by their logarithms. */
export function discreteBlock({ site, shape }: Variable, states: number): Block {
  return {
    name: site,
    sites: [site],
    family: "categorical",
    state: { logProbs: [...shape, states] },
    expected: ({ logProbs }) => {
      const probs = logProbs!.exp();
      return {
        sites: { [site]: { kind: "discrete", probs, before: null } },
        wrt: { probs },
        entropy: entropyOf(probs, logProbs!),
      };
    },
    update: (_state, _wrt, { probs }) => ({ logProbs: normalised(probs!) }),
    draw: ({ logProbs }, key, count) => ({
      [site]: categorical.sample!(key.site(site), { probs: logProbs!.exp() }, [count, ...shape]),
    }),
    expectedLog: ({ logProbs }, q) => {
      const own = q[site]!;
      if (own.kind !== "discrete") throw new InternalError(`"${site}" is not discrete`);
      return where<Tensor>(own.probs.gt(0), own.probs.mul(logProbs!), 0).sum();
    },
    averaged: null,
    logDensity: null,
  };
}

const normalised = (logits: Tensor): Tensor => {
  const sum = logits.logsumexp(-1);
  return logits.sub(sum.reshape([...sum.shape, 1]));
};
