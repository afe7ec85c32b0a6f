// Party identification in an American election survey regressed on ideology, race, age group, education, gender and income.
import { flat, matvec, model, normal, positive, stack, type Tensor } from "ansatz";

interface Data {
  partyid7: Tensor;
  real_ideo: Tensor;
  race_adj: Tensor;
  age_discrete: Tensor;
  educ1: Tensor;
  gender: Tensor;
  income: Tensor;
}

export default model(({ sample, observe }, data: Data) => {
  const beta = sample("beta", flat(), [9]);
  const sigma = sample("sigma", flat(positive));
  const { real_ideo, race_adj, educ1, gender, income } = data;
  const ages = [2, 3, 4].map((group) => data.age_discrete.eq(group).cast("f64"));
  const x = stack([real_ideo, race_adj, ...ages, educ1, gender, income], 1);
  observe("partyid7", normal(matvec(x, beta.narrow(0, 1, 8)).add(beta.at(0)), sigma), data.partyid7);
  return { beta, sigma };
});
