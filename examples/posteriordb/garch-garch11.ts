// GARCH(1, 1): the variance follows the last shock and the last variance. Flat on alpha1, beta1 > 0 with alpha1 + beta1 < 1.
import { concat, flat, full, interval, model, normal, positive, scan, type Tensor } from "ansatz";

export default model(({ sample, observe }, { T, y, sigma1 }: { T: number; y: Tensor; sigma1: number }) => {
  const mu = sample("mu", flat());
  const alpha0 = sample("alpha0", flat(positive));
  const alpha1 = sample("alpha1", flat(interval(0, 1)));
  const beta1 = sample("beta1", flat(interval(0, alpha1.neg().add(1))));

  const first = full(y, [], sigma1 ** 2);
  const shocks = y
    .narrow(0, 0, T - 1)
    .sub(mu)
    .square()
    .mul(alpha1)
    .add(alpha0);
  const { ys: later } = scan({ carry: first, xs: shocks }, (variance: Tensor, shock: Tensor) => {
    const next = shock.add(beta1.mul(variance));
    return { carry: next, y: next };
  });
  const variance = concat([first.reshape([1]), later]);
  observe("y", normal(mu, variance.sqrt()), y);
  return { mu, alpha0, alpha1, beta1 };
});
