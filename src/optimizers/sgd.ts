import { type Optimizer, scalarFor } from "./optimizer.ts";

export interface SgdOptions {
  /** Default 0: no momentum. */
  readonly momentum?: number;
}

// v ← momentum · v + g,  θ ← θ − lr · v        (Polyak 1964)
/** Gradient descent, with momentum where asked (Polyak 1964). */
export function sgd({ momentum = 0 }: SgdOptions = {}): Optimizer {
  if (momentum === 0) {
    return {
      slots: [],
      update: ({ parameters, gradient, learningRate }) => ({
        parameters: parameters.sub(gradient.mul(scalarFor(gradient, learningRate))),
        slots: {},
      }),
    };
  }
  return {
    slots: ["velocity"],
    update: ({ parameters, gradient, slots, learningRate }) => {
      const velocity = slots.velocity!.mul(momentum).add(gradient);
      return { parameters: parameters.sub(velocity.mul(scalarFor(gradient, learningRate))), slots: { velocity } };
    },
  };
}
