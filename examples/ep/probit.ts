// Who buys, by income and age: a Bayes point machine. Run: npx tsx examples/ep/probit.ts
import { bernoulli, infer, model, normal, type Tensor, where } from "ansatz";

interface People {
  readonly income: Tensor;
  readonly age: Tensor;
  readonly buys: Tensor;
}

// y = 1[score + noise > 0] with noise N(0, 1): the noise integrated out, P(y = 1) = Φ(score). Φ may be written as it comes; EP finds
// that a site is one, and has its moments in closed form.
const probit = model(({ sample, observe }, { income, age, buys }: People) => {
  const w = sample("w", normal(0, 1), [3]);
  const score = income.mul(w.at(0)).add(age.mul(w.at(1))).add(w.at(2)); // biome-ignore format: one sum
  observe("buys", bernoulli(score.div(Math.SQRT2).erf().add(1).div(2)), buys);
  return { w };
});

// The same without noise, y = 1[score > 0]: a density that is 0 or 1, with no gradient anywhere. EP needs none.
const noiseless = model(({ sample, factor }, { income, age, buys }: People) => {
  const w = sample("w", normal(0, 1), [3]);
  const score = income.mul(w.at(0)).add(age.mul(w.at(1))).add(w.at(2)); // biome-ignore format: one sum
  const margin = score.mul(buys.mul(2).sub(1));
  factor("buys", where(margin.gt(0), margin.mul(0), Number.NEGATIVE_INFINITY));
  return { w };
});

const people = { income: [63, 16, 28, 55, 22, 20], age: [38, 23, 40, 27, 18, 40], buys: [1, 0, 1, 1, 0, 0] };
for (const text of [probit, noiseless]) console.log((await infer(text, people, { method: "ep" })).summary());
