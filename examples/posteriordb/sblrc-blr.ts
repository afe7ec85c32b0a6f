// Linear regression on a design as given, without an intercept: columns of large scale make the coefficients' sd about 0.001.
import { halfNormal, matvec, model, normal, type Tensor } from "ansatz";

export default model(({ sample, observe }, { D, X, y }: { D: number; X: Tensor; y: Tensor }) => {
  const beta = sample("beta", normal(0, 10), [D]);
  const sigma = sample("sigma", halfNormal(10));
  observe("y", normal(matvec(X, beta), sigma), y);
  return { beta, sigma };
});
