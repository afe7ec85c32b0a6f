// A hidden Markov model of two states with normal emissions. The states are summed out by the forward recursion.
import { categorical, dirichlet, model, normal, positiveOrdered, restricted, stack, type Tensor } from "ansatz";

export default model(({ sample, observe, chain }, { N, y }: { N: number; y: Tensor }) => {
  const theta1 = sample("theta1", dirichlet([1, 1]));
  const theta2 = sample("theta2", dirichlet([1, 1]));
  const mu = sample("mu", restricted(normal([3, 10], 1), positiveOrdered));
  const transition = stack([theta1, theta2]);

  const first = sample("z1", categorical([0.5, 0.5]));
  observe("y1", normal(mu.at(first), 1), y.at(0));
  chain("time", N - 1, first, (before, t) => {
    const z = sample("z", categorical(transition.at(before)));
    observe("y", normal(mu.at(z), 1), y.at(t.add(1)));
    return z;
  });
  return { theta1, theta2, mu };
});
