// The logarithm of earnings regressed on standardised height and sex, with an interaction.
import { flat, matvec, model, normal, positive, stack, type Tensor } from "ansatz";

interface Data {
  N: number;
  earn: Tensor;
  height: Tensor;
  male: Tensor;
}

export default model(({ sample, observe }, { N, earn, height, male }: Data) => {
  const centred = height.sub(height.mean());
  const z = centred.div(
    centred
      .square()
      .sum()
      .div(N - 1)
      .sqrt(),
  );

  const beta = sample("beta", flat(), [4]);
  const sigma = sample("sigma", flat(positive));
  const x = stack([z, male, z.mul(male)], 1);
  observe("log earn", normal(matvec(x, beta.narrow(0, 1, 3)).add(beta.at(0)), sigma), earn.log());
  return { beta, sigma };
});
