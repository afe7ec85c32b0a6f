// Eight schools tried the same coaching: what was its effect in each? Run: npx tsx examples/eight-schools.ts
import { halfCauchy, infer, model, normal, type Tensor } from "ansatz";

const eightSchools = model(
  ({ sample, observe, plate, deterministic }, { effect, error }: { effect: Tensor; error: Tensor }) => {
    const mu = sample("mu", normal(0, 5)); // mean over schools like these
    const tau = sample("tau", halfCauchy(5)); // how much they differ

    // A plate's body is written for one school and holds for all of them.
    const theta = plate("school", 8, (i) => {
      const z = sample("z", normal(0, 1));
      // mu + tau z rather than a site with normal(mu, tau): the same model, and far easier to sample where tau is small.
      const theta = deterministic("theta", mu.add(tau.mul(z)));
      observe("effect", normal(theta, error.at(i)), effect.at(i));
      return theta;
    });
    return { mu, tau, theta };
  },
);

// Rubin (1981): estimated effects on a test's score, and their standard errors.
const data = { effect: [28, 8, -3, 7, -1, 1, 18, 12], error: [15, 10, 16, 11, 9, 11, 10, 18] };

const posterior = await infer(eightSchools, data);
console.log(posterior.summary());
