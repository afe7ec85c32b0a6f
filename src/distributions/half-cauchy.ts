import { positive } from "../constraints/support.ts";
import { sin } from "../tensor/functions.ts";
import { uniform } from "../tensor/random.ts";
import { distribution } from "./distribution.ts";

// log p(x) = log 2/π − log scale − log(1 + (x / scale)²) for x > 0
export const halfCauchy = distribution({
  name: "halfCauchy",
  params: { scale: { support: positive, rank: 0, default: 1 } },
  support: () => positive,
  logProb: (x, { scale }) => x.div(scale).square().log1p().neg().sub(scale.log()).add(Math.log(2 / Math.PI)), // biome-ignore format: the formula
  // scale · tan(πu/2)
  sample: (key, { scale }, batch) => {
    const half = uniform(key, batch, "f64").mul(Math.PI / 2);
    return sin(half).div(half.cos()).mul(scale);
  },
  reparameterised: "explicit",
});
