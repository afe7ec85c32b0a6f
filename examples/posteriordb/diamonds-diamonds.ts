// The logarithm of diamonds' prices regressed on 24 centred columns, with Student t priors on intercept and residual sd.
import { matvec, model, normal, positive, restricted, studentT, type Tensor } from "ansatz";

export default model(({ sample, observe }, { K, X, Y }: { K: number; X: Tensor; Y: Tensor }) => {
  const columns = X.narrow(1, 1, K - 1); // the first is 1 throughout
  const centred = columns.sub(columns.mean(0));

  const b = sample("b", normal(0, 1), [K - 1]);
  const intercept = sample("Intercept", studentT(3, 8, 10));
  const sigma = sample("sigma", restricted(studentT(3, 0, 10), positive));
  observe("Y", normal(matvec(centred, b).add(intercept), sigma), Y);
  return { b, intercept, sigma };
});
