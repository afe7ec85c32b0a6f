import { binary, real, unitInterval } from "../constraints/support.ts";
import { where } from "../tensor/functions.ts";
import { uniform } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { distribution, parameterisations } from "./distribution.ts";
import { logProbability } from "./special/log-probability.ts";

/** −∞ where x is neither 0 nor 1. */
const onBinary = (x: Tensor, logProb: Tensor): Tensor =>
  where<Tensor>(x.mul(x.sub(1)).eq(0), logProb, Number.NEGATIVE_INFINITY);

// P(1) = probs, P(0) = 1 − probs
const byProbs = distribution({
  name: "bernoulli",
  params: { probs: { support: unitInterval, rank: 0 } },
  support: () => binary,
  logProb: (x, { probs }) => onBinary(x, logProbability(where<Tensor>(x.eq(1), probs, probs.neg().add(1)))),
  sample: (key, { probs }, batch) => uniform(key, batch, "f64").lt(probs).cast("f64"),
  mean: ({ probs }) => probs,
  variance: ({ probs }) => probs.mul(probs.neg().add(1)),
});

// log P(x) = −softplus((1 − 2x) logits)
const byLogits = distribution({
  name: "bernoulli",
  params: { logits: { support: real, rank: 0 } },
  support: () => binary,
  logProb: (x, { logits }) => onBinary(x, x.mul(-2).add(1).mul(logits).softplus().neg()),
  sample: (key, { logits }, batch) => uniform(key, batch, "f64").lt(logits.sigmoid()).cast("f64"),
  mean: ({ logits }) => logits.sigmoid(),
  variance: ({ logits }) => logits.sigmoid().mul(logits.neg().sigmoid()),
});

/** 1 with probability `probs` = 1 / (1 + e^−logits), else 0: `bernoulli(0.3)` or `bernoulli({ logits })`. */
export const bernoulli = parameterisations(byProbs, byLogits);
