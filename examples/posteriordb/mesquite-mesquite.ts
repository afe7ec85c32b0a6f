// Yield of mesquite bushes regressed on six of their measurements.
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
  const x = stack([diam1, diam2, canopy_height, total_height, density, group], 1);
  observe("weight", normal(matvec(x, beta.narrow(0, 1, 6)).add(beta.at(0)), sigma), data.weight);
  return { beta, sigma };
});
