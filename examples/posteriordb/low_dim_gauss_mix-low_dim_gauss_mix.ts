// A mixture of two normals with ordered means. Which of them each value came from is summed out.
import { beta, categorical, halfNormal, model, normal, ordered, restricted, stack, type Tensor } from "ansatz";

export default model(({ sample, observe, plate }, { N, y }: { N: number; y: Tensor }) => {
  const mu = sample("mu", restricted(normal(0, 2), ordered, 2));
  const sigma = sample("sigma", halfNormal(2), [2]);
  const theta = sample("theta", beta(5, 5));
  const weights = stack([theta, theta.neg().add(1)]);
  plate("value", N, (n) => {
    const z = sample("z", categorical(weights));
    observe("y", normal(mu.at(z), sigma.at(z)), y.at(n));
  });
  return { mu, sigma, theta };
});
