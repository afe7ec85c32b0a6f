// Children's test scores by how much their mothers worked: one mean for the first level, differences from it for the other three.
import { concat, flat, full, model, normal, positive, type Tensor } from "ansatz";

export default model(({ sample, observe }, { kid_score, mom_work }: { kid_score: Tensor; mom_work: Tensor }) => {
  const beta = sample("beta", flat(), [4]);
  const sigma = sample("sigma", flat(positive));
  const level = concat([full(beta, [1], 0), beta.narrow(0, 1, 3)]);
  observe("kid_score", normal(level.at(mom_work.sub(1)).add(beta.at(0)), sigma), kid_score);
  return { beta, sigma };
});
