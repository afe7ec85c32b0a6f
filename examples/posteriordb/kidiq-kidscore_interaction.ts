// Children's test scores regressed on schooling and IQ of their mothers with an interaction. Nothing is centred, so that the
// coefficients are strongly correlated.
import { flat, halfCauchy, matvec, model, normal, stack, type Tensor } from "ansatz";

interface Data {
  kid_score: Tensor;
  mom_hs: Tensor;
  mom_iq: Tensor;
}

export default model(({ sample, observe }, { kid_score, mom_hs, mom_iq }: Data) => {
  const beta = sample("beta", flat(), [4]);
  const sigma = sample("sigma", halfCauchy(2.5));
  const x = stack([mom_hs, mom_iq, mom_hs.mul(mom_iq)], 1);
  observe("kid_score", normal(matvec(x, beta.narrow(0, 1, 3)).add(beta.at(0)), sigma), kid_score);
  return { beta, sigma };
});
