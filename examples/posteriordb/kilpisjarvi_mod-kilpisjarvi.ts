// Summer temperatures at Kilpisjärvi as a line in the year, which is not centred: intercept and slope correlate to almost −1.
import { flat, model, normal, positive, type Tensor } from "ansatz";

interface Data {
  x: Tensor;
  y: Tensor;
  pmualpha: number;
  psalpha: number;
  pmubeta: number;
  psbeta: number;
}

export default model(({ sample, observe }, { x, y, pmualpha, psalpha, pmubeta, psbeta }: Data) => {
  const alpha = sample("alpha", normal(pmualpha, psalpha));
  const beta = sample("beta", normal(pmubeta, psbeta));
  const sigma = sample("sigma", flat(positive));
  observe("y", normal(x.mul(beta).add(alpha), sigma), y);
  return { alpha, beta, sigma };
});
