// Two kinds of eruptions, and nobody noted which was which. Run: npx tsx examples/mixture.ts
import { bernoulli, beta, halfNormal, infer, model, normal, ordered, restricted, type Tensor, where } from "ansatz";

const eruptions = model(({ sample, observe, plate }, { minutes }: { minutes: Tensor }) => {
  const long = sample("P(long)", beta(1, 1));
  // In increasing order: else the two kinds could change names, and the posterior would have two equal modes.
  const mean = sample("mean", restricted(normal(3, 2), ordered, 2));
  const sd = sample("sd", halfNormal(1), [2]);
  plate("eruption", minutes.shape[0]!, (i) => {
    // Discrete, so there is no gradient by it: it is summed out exactly.
    const isLong = sample("is long", bernoulli(long));
    const pick = (pair: Tensor) => where(isLong.eq(1), pair.at(1), pair.at(0));
    observe("minutes", normal(pick(mean), pick(sd)), minutes.at(i));
  });
  return { long, mean, sd };
});

// Durations of the first 40 eruptions of Old Faithful in the record of Azzalini and Bowman (1990) as Härdle (1991) has it.
const minutes = [
  3.6, 1.8, 3.333, 2.283, 4.533, 2.883, 4.7, 3.6, 1.95, 4.35, 1.833, 3.917, 4.2, 1.75, 4.7, 2.167, 1.75, 4.8, 1.6, 4.25, 1.8,
  1.75, 3.45, 3.067, 4.533, 3.6, 1.967, 4.083, 3.85, 4.433, 4.3, 4.467, 3.367, 4.033, 3.833, 2.017, 1.867, 4.833, 1.833, 4.783,
]; // biome-ignore format: numbers

const posterior = await infer(eruptions, { minutes });
console.log(posterior.summary());
