// When did accidents in British coal mines become rarer? Run: npx tsx examples/change-point.ts
import { categorical, gamma, infer, model, poisson, type Tensor, where } from "ansatz";

const accidents = model(({ sample, observe, plate }, { count }: { count: Tensor }) => {
  const years = count.shape[0]!;
  const before = sample("rate before", gamma(1, 1));
  const after = sample("rate after", gamma(1, 1));
  // Any year is as likely as any other. A discrete site is summed out exactly.
  const change = sample("change", categorical(Array(years).fill(1 / years)));
  plate("year", years, (year) => {
    const rate = where(year.cast("f64").lt(change), before, after);
    observe("count", poisson(rate), count.at(year));
  });
  return { before, after };
});

// Jarrett (1979): explosions that killed ten or more, 1851 to 1962.
const count = [
  4, 5, 4, 1, 0, 4, 3, 4, 0, 6, 3, 3, 4, 0, 2, 6, 3, 3, 5, 4, 5, 3, 1, 4, 4, 1, 5, 5, 3, 4, 2, 5, 2, 2, 3, 4, 2, 1, 3,
  2, 2, 1, 1, 1, 1, 3, 0, 0, 1, 0, 1, 1, 0, 0, 3, 1, 0, 3, 2, 2, 0, 1, 1, 1, 0, 1, 0, 1, 0, 0, 0, 2, 1, 0, 0, 0, 1, 1,
  0, 2, 3, 3, 1, 1, 2, 1, 1, 1, 1, 2, 3, 3, 0, 0, 0, 1, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 1,
]; // biome-ignore format: numbers

const posterior = await infer(accidents, { count });
console.log(posterior.summary());
