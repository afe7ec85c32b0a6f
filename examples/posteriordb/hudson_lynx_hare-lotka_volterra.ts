// Pelts of hares and lynxes traded in twenty years: Lotka and Volterra's equations with log-normal errors of measurement.
import { concat, logNormal, model, normal, odeFixed, positive, restricted, stack, type Tensor } from "ansatz";

interface Data {
  /** Years at which y was measured, counted from that of y_init. */
  ts: Tensor;
  y_init: Tensor;
  y: Tensor;
}

export default model(({ sample, observe }, { ts, y_init, y }: Data) => {
  const theta = sample("theta", restricted(normal([1, 0.05, 1, 0.05], [0.5, 0.05, 0.5, 0.05]), positive));
  const z_init = sample("z_init", logNormal(Math.log(10), 1), [2]);
  const sigma = sample("sigma", logNormal(-1, 1), [2]);

  const [growth, eaten, death, born] = [0, 1, 2, 3].map((k) => theta.at(k)) as [Tensor, Tensor, Tensor, Tensor];
  const change = (_t: Tensor, z: Tensor): Tensor => {
    const [hares, lynxes] = [z.at(0), z.at(1)];
    return stack([growth.sub(eaten.mul(lynxes)).mul(hares), born.mul(hares).sub(death).mul(lynxes)]);
  };
  // Runge and Kutta's method with ten steps a year.
  const times = concat([ts.narrow(0, 0, 1).mul(0), ts]);
  const z = odeFixed(change, z_init, times, { method: "rk4", stepsPerInterval: 10 });
  observe("y_init", logNormal(z_init.log(), sigma), y_init);
  observe("y", logNormal(z.narrow(0, 1, ts.shape[0]!).log(), sigma), y);
  return { theta, z_init, sigma };
});
