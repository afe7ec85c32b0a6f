// A hidden Markov model of two states (driving to the basket or not) with two observed series. The states are summed out.
import { categorical, dirichlet, model, normal, ordered, restricted, stack, type Tensor } from "ansatz";

interface Data {
  N: number;
  /** Two observed features of each moment. */
  u: Tensor;
  v: Tensor;
  /** Concentrations of the rows of the transition matrix. */
  alpha: Tensor;
  /** Their known sds. */
  tau: number;
  rho: number;
}

export default model(({ sample, observe, chain }, { N, u, v, alpha, tau, rho }: Data) => {
  const theta1 = sample("theta1", dirichlet(alpha.at(0)));
  const theta2 = sample("theta2", dirichlet(alpha.at(1)));
  const phi = sample("phi", restricted(normal([0, 3], 1), ordered));
  const lambda = sample("lambda", restricted(normal([0, 3], 1), ordered));
  const transition = stack([theta1, theta2]);

  const first = sample("z1", categorical([0.5, 0.5]));
  observe("u1", normal(phi.at(first), tau), u.at(0));
  observe("v1", normal(lambda.at(first), rho), v.at(0));
  chain("time", N - 1, first, (before, t) => {
    const z = sample("z", categorical(transition.at(before)));
    observe("u", normal(phi.at(z), tau), u.at(t.add(1)));
    observe("v", normal(lambda.at(z), rho), v.at(t.add(1)));
    return z;
  });
  return { theta1, theta2, phi, lambda };
});
