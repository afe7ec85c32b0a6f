// Children's test scores regressed on whether their mothers finished high school.
import { flat, halfCauchy, model, normal, type Tensor } from "ansatz";

export default model(({ sample, observe }, { kid_score, mom_hs }: { kid_score: Tensor; mom_hs: Tensor }) => {
  const beta = sample("beta", flat(), [2]);
  const sigma = sample("sigma", halfCauchy(2.5));
  observe("kid_score", normal(mom_hs.mul(beta.at(1)).add(beta.at(0)), sigma), kid_score);
  return { beta, sigma };
});
