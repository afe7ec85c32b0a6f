// Yield of mesquite bushes on the logarithmic scale, regressed on volume, area and shape of the canopy and three measurements.
import { flat, matvec, model, normal, positive, stack, type Tensor } from "ansatz";

interface Data {
  weight: Tensor;
  diam1: Tensor;
  diam2: Tensor;
  canopy_height: Tensor;
  total_height: Tensor;
  density: Tensor;
  group: Tensor;
}

export default model(({ sample, observe }, data: Data) => {
  const beta = sample("beta", flat(), [7]);
  const sigma = sample("sigma", flat(positive));
  const { diam1, diam2, canopy_height, total_height, density, group } = data;
  const area = diam1.mul(diam2).log();
  const volume = canopy_height.log().add(area);
  const shape = diam1.div(diam2).log();
  const x = stack([volume, area, shape, total_height.log(), density.log(), group], 1);
  observe("log weight", normal(matvec(x, beta.narrow(0, 1, 6)).add(beta.at(0)), sigma), data.weight.log());
  return { beta, sigma };
});
