import { counts, real, unitInterval } from "../constraints/support.ts";
import { uniform } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { distribution, parameterisations } from "./distribution.ts";
import { onIntegers, xlog1py } from "./integers.ts";
import { log1mExp } from "./special/log1m-exp.ts";

/** Failures are geometric with ratio 1 − p: ⌊log u / log(1 − p)⌋, which is 0 where p = 1. */
const draw = (u: Tensor, logFailure: Tensor): Tensor => u.log().div(logFailure).floor();

/** The least x ≥ 0 with log P(X > x) ≤ l. */
const fromTail = (l: Tensor, logFailure: Tensor): Tensor =>
  l.div(logFailure).neg().floor().neg().sub(1).maximum(0); // biome-ignore format: the formula

/** log P(X > x) = (⌊x⌋ + 1) log(1 − p), 0 below 0. */
const logTail = (x: Tensor, logFailure: Tensor): Tensor => x.floor().add(1).maximum(0).mul(logFailure);

// log P(x) = log p + x log(1 − p)
const byProbs = distribution({
  name: "geometric",
  params: { probs: { support: unitInterval, rank: 0 } },
  support: () => counts(),
  logProb: (x, { probs }) => onIntegers(x, 0, null, (x) => probs.log().add(xlog1py(x, probs.neg()))),
  sample: (key, { probs }, batch) => draw(uniform(key, batch, "f64"), probs.neg().log1p()),
  mean: ({ probs }) => probs.neg().add(1).div(probs),
  variance: ({ probs }) => probs.neg().add(1).div(probs.square()),
  logCdf: (x, { probs }) => log1mExp(logTail(x, probs.neg().log1p()).neg()),
  logSurvival: (x, { probs }) => logTail(x, probs.neg().log1p()),
  fromLogCdf: (l, { probs }) => fromTail(log1mExp(l.neg()), probs.neg().log1p()),
  fromLogSurvival: (l, { probs }) => fromTail(l, probs.neg().log1p()),
});

// log p = logits − softplus(logits), log(1 − p) = −softplus(logits)
const byLogits = distribution({
  name: "geometric",
  params: { logits: { support: real, rank: 0 } },
  support: () => counts(),
  logProb: (x, { logits }) => onIntegers(x, 0, null, (x) => logits.sub(x.add(1).mul(logits.softplus()))),
  sample: (key, { logits }, batch) => draw(uniform(key, batch, "f64"), logits.softplus().neg()),
  mean: ({ logits }) => logits.neg().exp(),
  variance: ({ logits }) => logits.neg().exp().mul(logits.neg().exp().add(1)),
  logCdf: (x, { logits }) => log1mExp(logTail(x, logits.softplus().neg()).neg()),
  logSurvival: (x, { logits }) => logTail(x, logits.softplus().neg()),
  fromLogCdf: (l, { logits }) => fromTail(log1mExp(l.neg()), logits.softplus().neg()),
  fromLogSurvival: (l, { logits }) => fromTail(l, logits.softplus().neg()),
});

/** Failures before the first success, 0, 1, …: `geometric(0.3)` or `geometric({ logits })`. */
export const geometric = parameterisations(byProbs, byLogits);
