// The logarithm of earnings regressed on height in inches.
import { flat, model, normal, positive, type Tensor } from "ansatz";

export default model(({ sample, observe }, { earn, height }: { earn: Tensor; height: Tensor }) => {
  const beta = sample("beta", flat(), [2]);
  const sigma = sample("sigma", flat(positive));
  observe("log earn", normal(height.mul(beta.at(1)).add(beta.at(0)), sigma), earn.log());
  return { beta, sigma };
});
