// A probability that changes along a line, by a Gaussian process. Run: npx tsx examples/ep/gp-classification.ts
import { bernoulli, infer, model, multivariateNormal, normal, type Tensor } from "ansatz";

const classification = model(({ sample, observe, deterministic }, data: { kernel: Tensor; y: Tensor }) => {
  const f = sample("f", multivariateNormal({ mean: data.y.mul(0), covariance: data.kernel }));
  const offset = sample("offset", normal(0, 1));
  const logits = f.add(offset);
  observe("y", bernoulli({ logits }), data.y);
  return { probability: deterministic("probability", logits.sigmoid()) };
});

const x = Array.from({ length: 12 }, (_, i) => i / 2);
const kernel = x.map((s) => x.map((t) => 4 * Math.exp(-0.5 * (s - t) ** 2) + (s === t ? 1e-6 : 0)));
const y = [0, 0, 0, 1, 1, 1, 1, 0, 1, 0, 0, 0];

const posterior = await infer(classification, { kernel, y }, { method: "ep" });
console.log(posterior.summary());
