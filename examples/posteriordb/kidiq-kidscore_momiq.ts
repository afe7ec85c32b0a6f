// Children's test scores regressed on their mothers' IQ.
import { flat, halfCauchy, model, normal, type Tensor } from "ansatz";

export default model(({ sample, observe }, { kid_score, mom_iq }: { kid_score: Tensor; mom_iq: Tensor }) => {
  const beta = sample("beta", flat(), [2]);
  const sigma = sample("sigma", halfCauchy(2.5));
  observe("kid_score", normal(mom_iq.mul(beta.at(1)).add(beta.at(0)), sigma), kid_score);
  return { beta, sigma };
});
