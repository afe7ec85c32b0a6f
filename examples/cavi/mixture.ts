// How many kinds of eruptions? Six are offered, and those that the data do not need die out. Run: npx tsx examples/cavi/mixture.ts
import { categorical, cavi, dirichlet, gamma, model, normal, type Tensor } from "ansatz";

const eruptions = model(({ sample, observe, plate }, { minutes }: { minutes: Tensor }) => {
  const weights = sample("weights", dirichlet(Array(6).fill(0.01)));
  // The mean's prior scales with the component's precision: both then go into one Normal–Gamma factor.
  const { mean, precision } = plate("kind", 6, () => {
    const precision = sample("precision", gamma(2, 0.5));
    return { precision, mean: sample("mean", normal(3.5, precision.mul(0.1).pow(-0.5))) };
  });
  plate("eruption", minutes.shape[0]!, (i) => {
    // Nothing is summed out: each eruption's kind keeps a factor of its own.
    const kind = sample("kind of", categorical(weights));
    observe("minutes", normal(mean.at(kind), precision.at(kind).pow(-0.5)), minutes.at(i));
  });
});

// Durations of the first 40 eruptions of Old Faithful in the record of Azzalini and Bowman (1990) as Härdle (1991) has it.
const minutes = [
  3.6, 1.8, 3.333, 2.283, 4.533, 2.883, 4.7, 3.6, 1.95, 4.35, 1.833, 3.917, 4.2, 1.75, 4.7, 2.167, 1.75, 4.8, 1.6, 4.25, 1.8,
  1.75, 3.45, 3.067, 4.533, 3.6, 1.967, 4.083, 3.85, 4.433, 4.3, 4.467, 3.367, 4.033, 3.833, 2.017, 1.867, 4.833, 1.833, 4.783,
]; // biome-ignore format: numbers

const { elbo, sweeps, factors } = await cavi(eruptions, { minutes }, { restarts: 5 });
console.log(`bound ${elbo.toFixed(3)} nats after ${sweeps} sweeps`);
const counts = factors.weights!.parameters.concentration!.values;
const means = factors.mean!.parameters.mean!.values;
for (const [k, count] of counts.entries()) {
  if (count > 1) console.log(`${count.toFixed(1)} eruptions of about ${means[k]!.toFixed(2)} minutes`);
}
