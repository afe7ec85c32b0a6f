// Children's test scores regressed on schooling and IQ of their mothers, both centred and in units of two standard deviations,
// with an interaction.
import { flat, matvec, model, normal, positive, stack, type Tensor } from "ansatz";

interface Data {
  N: number;
  kid_score: Tensor;
  mom_hs: Tensor;
  mom_iq: Tensor;
}

export default model(({ sample, observe }, { N, kid_score, mom_hs, mom_iq }: Data) => {
  const standardised = (v: Tensor): Tensor => {
    const centred = v.sub(v.mean());
    const sd = centred
      .square()
      .sum()
      .div(N - 1)
      .sqrt();
    return centred.div(sd.mul(2));
  };
  const hs = standardised(mom_hs);
  const iq = standardised(mom_iq);

  const beta = sample("beta", flat(), [4]);
  const sigma = sample("sigma", flat(positive));
  const x = stack([hs, iq, hs.mul(iq)], 1);
  observe("kid_score", normal(matvec(x, beta.narrow(0, 1, 3)).add(beta.at(0)), sigma), kid_score);
  return { beta, sigma };
});
