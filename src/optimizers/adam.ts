import { full } from "../tensor/functions.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type Optimizer, scalarFor } from "./optimizer.ts";

export interface AdamOptions {
  /** Share of the old mean in the mean gradient, default 0.9. */
  readonly beta1?: number;
  /** Share of the old mean in the mean square, default 0.999. */
  readonly beta2?: number;
  /** Added to the root, default 1e-8. */
  readonly epsilon?: number;
  /** Decoupled weight decay: each step shrinks the parameters by lr · weightDecay (AdamW). Default 0. */
  readonly weightDecay?: number;
}

/** 1 − β^t = −expm1(t log β). */
const correction = (beta: number, step: Tensor): Tensor => full(step, [], beta).log().mul(step).expm1().neg();

// m ← β1 m + (1 − β1) g,  v ← β2 v + (1 − β2) g²,
// θ ← θ (1 − lr · decay) − lr · (m / (1 − β1^t)) / (√(v / (1 − β2^t)) + ε)
// (Kingma and Ba 2015, algorithm 1; decay as in Loshchilov and Hutter 2019)
/** Adam (Kingma and Ba 2015); with a weight decay AdamW (Loshchilov and Hutter 2019). */
export function adam({ beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0 }: AdamOptions = {}): Optimizer {
  return {
    slots: ["mean", "meanSquare"],
    update: ({ parameters, gradient, slots, learningRate, step }) => {
      const rate = scalarFor(gradient, learningRate.div(correction(beta1, step)));
      const root = scalarFor(gradient, full(step, [], 1).div(correction(beta2, step).sqrt()));
      const mean = slots.mean!.mul(beta1).add(gradient.mul(1 - beta1));
      const meanSquare = slots.meanSquare!.mul(beta2).add(gradient.square().mul(1 - beta2));
      const move = mean.mul(rate).div(meanSquare.sqrt().mul(root).add(epsilon));
      const kept =
        weightDecay === 0 ? parameters : parameters.mul(scalarFor(gradient, learningRate.mul(-weightDecay).add(1)));
      return { parameters: kept.sub(move), slots: { mean, meanSquare } };
    },
  };
}
