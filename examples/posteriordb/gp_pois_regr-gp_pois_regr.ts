// Counts whose log rate is a Gaussian process with a squared exponential kernel, written with independent normals.
import { cholesky, gamma, halfNormal, identity, matvec, model, normal, poisson, type Tensor } from "ansatz";

export default model(({ sample, observe, deterministic }, { N, x, k }: { N: number; x: Tensor; k: Tensor }) => {
  const rho = sample("rho", gamma(25, 4));
  const alpha = sample("alpha", halfNormal(2));
  const white = sample("f_tilde", normal(0, 1), [N]);
  const distance = x.reshape([N, 1]).sub(x);
  const covariance = distance.div(rho).square().mul(-0.5).exp().mul(alpha.square());
  const f = deterministic("f", matvec(cholesky(covariance.add(identity(x, N).mul(1e-10))), white));
  observe("k", poisson({ logRate: f }), k);
  return { rho, alpha, f };
});
