// Regression by a Gaussian process with a squared exponential kernel. sigma is added to the diagonal: it is the noise variance.
import { full, gamma, halfNormal, identity, model, multivariateNormal, type Tensor } from "ansatz";

export default model(({ sample, observe }, { N, x, y }: { N: number; x: Tensor; y: Tensor }) => {
  const rho = sample("rho", gamma(25, 4));
  const alpha = sample("alpha", halfNormal(2));
  const sigma = sample("sigma", halfNormal(1));
  const distance = x.reshape([N, 1]).sub(x);
  const covariance = distance.div(rho).square().mul(-0.5).exp().mul(alpha.square());
  observe("y", multivariateNormal(full(x, [N], 0), covariance.add(identity(x, N).mul(sigma))), y);
  return { rho, alpha, sigma };
});
