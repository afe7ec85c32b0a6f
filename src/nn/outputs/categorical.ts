import { categories } from "../../constraints/support.ts";
import { argmax, iota, softmax, where } from "../../tensor/functions.ts";
import { uniform } from "../../tensor/random.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Distribution } from "./distribution.ts";

const outer = (logits: Tensor) => logits.shape.slice(0, -1);
const counts = (logits: Tensor): Tensor =>
  iota(logits, logits.shape, logits.shape.length - 1).cast(logits.dtype); // biome-ignore format: short

/** Of x, shape [...], among the categories on the last axis of `logits`, shape [..., count]. */
// log p(x) = logits[x] − log Σ_k e^logits[k]        x ∈ {0, …, count − 1}
export const categorical = (count: number): Distribution<"logits"> => ({
  name: "categorical",
  params: ["logits"],
  support: categories(count),
  logProb: (x, { logits }) => {
    const chosen = counts(logits).eq(x.reshape([...x.shape, 1]).broadcastTo(logits.shape));
    return where(chosen, logits, 0).sum(-1).sub(logits.logsumexp(-1));
  },
  mean: ({ logits }) => softmax(logits).mul(counts(logits)).sum(-1),
  // The greatest of logits plus Gumbel noise −log(−log u) (Gumbel 1954).
  sample: (key, { logits }, options) => {
    const u = uniform(key, logits.shape, logits.dtype as "f32" | "f64", options);
    const noise = u.log().neg().log().neg();
    return argmax(logits.add(noise), outer(logits).length).cast(logits.dtype);
  },
  // −Σ_k p_k log p_k, from log p_k so that large logits do not cancel.
  entropy: ({ logits }) => {
    const logP = logits.sub(logits.logsumexp(-1).reshape([...outer(logits), 1]));
    return logP.exp().mul(logP).sum(-1).neg();
  },
});
