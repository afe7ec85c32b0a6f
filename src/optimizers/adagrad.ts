import { type Optimizer, scalarFor } from "./optimizer.ts";

export interface AdagradOptions {
  /** Added to the root, default 1e-10. */
  readonly epsilon?: number;
}

// s ← s + g²,  θ ← θ − lr · g / (√s + ε)        (Duchi, Hazan and Singer 2011)
/** Adagrad (Duchi, Hazan and Singer 2011): steps shrink with the squares of all gradients so far. */
export const adagrad = ({ epsilon = 1e-10 }: AdagradOptions = {}): Optimizer => ({
  slots: ["sumOfSquares"],
  update: ({ parameters, gradient, slots, learningRate }) => {
    const sumOfSquares = slots.sumOfSquares!.add(gradient.square());
    const move = gradient.mul(scalarFor(gradient, learningRate)).div(sumOfSquares.sqrt().add(epsilon));
    return { parameters: parameters.sub(move), slots: { sumOfSquares } };
  },
});
