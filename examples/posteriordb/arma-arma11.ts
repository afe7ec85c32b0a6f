// ARMA(1, 1): each error is what the value before and the error before do not predict.
import { concat, halfCauchy, model, normal, scan, type Tensor } from "ansatz";

export default model(({ sample, observe }, { T, y }: { T: number; y: Tensor }) => {
  const mu = sample("mu", normal(0, 10));
  const phi = sample("phi", normal(0, 2));
  const theta = sample("theta", normal(0, 2));
  const sigma = sample("sigma", halfCauchy(2.5));

  // The value before the first is taken to be mu, the error before it 0.
  const before = concat([mu.reshape([1]), y.narrow(0, 0, T - 1)]);
  const unexplained = y.sub(mu).sub(phi.mul(before));
  const { ys: error } = scan({ carry: mu.mul(0), xs: unexplained }, (last: Tensor, u: Tensor) => {
    const next = u.sub(theta.mul(last));
    return { carry: next, y: next };
  });
  observe("error", normal(0, sigma), error);
  return { mu, phi, theta, sigma };
});
