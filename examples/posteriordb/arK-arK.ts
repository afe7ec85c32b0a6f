// Autoregression of order K, given the first K values.
import { halfCauchy, matvec, model, normal, stack, type Tensor } from "ansatz";

export default model(({ sample, observe }, { K, T, y }: { K: number; T: number; y: Tensor }) => {
  const alpha = sample("alpha", normal(0, 10));
  const beta = sample("beta", normal(0, 10), [K]);
  const sigma = sample("sigma", halfCauchy(2.5));
  const lagged = (k: number): Tensor => y.narrow(0, K - k, T - K); // y[t − k] for t = K, K + 1, …
  const past = stack(Array.from({ length: K }, (_, k) => lagged(k + 1)), 1); // biome-ignore format: short
  observe("y", normal(matvec(past, beta).add(alpha), sigma), lagged(0));
  return { alpha, beta, sigma };
});
