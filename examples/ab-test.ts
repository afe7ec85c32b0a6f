// Which of two pages makes more visitors buy, and by how much? Run: npx tsx examples/ab-test.ts
import { beta, binomial, infer, model, type Tensor } from "ansatz";

const pages = model(({ sample, observe, deterministic }, data: { visitors: Tensor; buyers: Tensor }) => {
  // A priori every rate from 0 to 1 is as likely as any other, for both pages.
  const rate = sample("rate", beta(1, 1), [2]);
  observe("buyers", binomial(data.visitors, rate), data.buyers);

  // Any function of the unknowns may be asked for by name.
  const lift = deterministic("lift", rate.at(1).div(rate.at(0)).sub(1));
  const better = deterministic("B is better", lift.gt(0).cast("f64"));
  return { rate, lift, better };
});

const posterior = await infer(pages, { visitors: [1210, 1187], buyers: [96, 124] });
console.log(posterior.summary());
console.log(`\nB is better than A with probability ${posterior.mean("B is better")[0]!.toFixed(3)}`);
