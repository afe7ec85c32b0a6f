import { binary } from "../../constraints/support.ts";
import { bernoulli as draw } from "../../tensor/random.ts";
import type { Distribution } from "./distribution.ts";

// log p(x) = x l − log(1 + e^l), whose gradient in l is x − σ(l)        l = logits = log(p / (1 − p))
export const bernoulli: Distribution<"logits"> = {
  name: "bernoulli",
  params: ["logits"],
  support: binary,
  logProb: (x, { logits }) => x.mul(logits).sub(logits.softplus()),
  mean: ({ logits }) => logits.sigmoid(),
  sample: (key, { logits }, options) => draw(key, logits.sigmoid(), logits.shape, options),
  entropy: ({ logits }) => logits.softplus().sub(logits.mul(logits.sigmoid())),
};
