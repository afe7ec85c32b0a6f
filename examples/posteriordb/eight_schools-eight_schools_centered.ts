// Effects of coaching in eight schools (Rubin 1981), in the centred form: a funnel in (tau, theta), at which samplers diverge.
import { halfCauchy, model, normal, type Tensor } from "ansatz";

export default model(({ sample, observe, plate }, { J, y, sigma }: { J: number; y: Tensor; sigma: Tensor }) => {
  const mu = sample("mu", normal(0, 5));
  const tau = sample("tau", halfCauchy(5));
  plate("school", J, (j) => {
    const theta = sample("theta", normal(mu, tau));
    observe("y", normal(theta, sigma.at(j)), y.at(j));
  });
});
