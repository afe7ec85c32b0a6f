import { type Optimizer, scalarFor } from "./optimizer.ts";

export interface RmspropOptions {
  /** Share of the old mean square, default 0.99. */
  readonly decay?: number;
  /** Added to the root, default 1e-8. */
  readonly epsilon?: number;
}

// s ← decay · s + (1 − decay) · g²,  θ ← θ − lr · g / (√s + ε)        (Tieleman and Hinton 2012)
/** RMSProp (Tieleman and Hinton 2012): steps in units of the recent gradients' size. */
export const rmsprop = ({ decay = 0.99, epsilon = 1e-8 }: RmspropOptions = {}): Optimizer => ({
  slots: ["meanSquare"],
  update: ({ parameters, gradient, slots, learningRate }) => {
    const meanSquare = slots.meanSquare!.mul(decay).add(gradient.square().mul(1 - decay));
    const move = gradient.mul(scalarFor(gradient, learningRate)).div(meanSquare.sqrt().add(epsilon));
    return { parameters: parameters.sub(move), slots: { meanSquare } };
  },
});
