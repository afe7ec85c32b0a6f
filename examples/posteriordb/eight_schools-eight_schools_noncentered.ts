// Effects of coaching in eight schools (Rubin 1981), in the non-centred form: the funnel is gone.
import { halfCauchy, model, normal, type Tensor } from "ansatz";

export default model(
  ({ sample, observe, plate, deterministic }, { J, y, sigma }: { J: number; y: Tensor; sigma: Tensor }) => {
    const mu = sample("mu", normal(0, 5));
    const tau = sample("tau", halfCauchy(5));
    plate("school", J, (j) => {
      const t = sample("t", normal(0, 1));
      const theta = deterministic("theta", mu.add(tau.mul(t)));
      observe("y", normal(theta, sigma.at(j)), y.at(j));
    });
  },
);
