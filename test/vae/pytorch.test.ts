import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { pack, unpack } from "../../src/nn/layout.ts";
import { sgvb } from "../../src/objectives/sgvb.ts";
import { gradient } from "../../src/program/program.ts";
import { architectureOf } from "../../src/vae/architecture.ts";
import { configure } from "../../src/vae/configuration.ts";
import { evaluate, type Given, given } from "../evaluate.ts";
import { onBackends } from "../on-backends.ts";

// Numbers of PyTorch, with its own densities, divergences and gradients: scripts/make-torch-fixture.py says how.
const { tensors } = JSON.parse(readFileSync(new URL("../fixtures/aevb-torch.json", import.meta.url), "utf8")) as {
  tensors: Record<string, Given>;
};
const stored = (key: string): Given => {
  const found = tensors[key];
  if (!found) throw new Error(`the fixture has no ${key}`);
  return found;
};

const facts = { isImage: true, isBinary: true, greatest: 1 };
const sizes = { encoder: [7], decoder: [6], latent: 3, activation: "tanh", dtype: "f64" } as const;
const cases = [
  { name: "case1", config: configure({ ...sizes, likelihood: "bernoulli" }, facts) },
  { name: "case2", config: configure({ ...sizes, likelihood: "gaussian" }, facts) },
  { name: "case3", config: configure({ ...sizes, likelihood: "bernoulli", posterior: "full" }, facts) },
];
const estimators = { generic: "generic", analytic: "analyticKl" } as const;

/** Greatest difference relative to the greatest magnitude. */
function difference(ours: readonly number[], theirs: ArrayLike<number>): number {
  const scale = Math.max(...Array.from(theirs, Math.abs));
  return Math.max(...ours.map((x, i) => Math.abs(x - theirs[i]!))) / scale;
}

describe("one AEVB step at stored weights and noise gives PyTorch's bound and gradients to 1e-10", () => {
  onBackends((place) => {
    for (const { name, config } of cases) {
      const architecture = architectureOf(config, 12);
      const { layout, family } = architecture;
      // PyTorch's script calls the log diagonal of the Cholesky factor logSd too.
      const theirName = (ours: string) => ours.replace("logDiagonal", "logSd");
      const weights = layout.places.flatMap((p) => Array.from(stored(`${name}/weights/${theirName(p.name)}`).data));
      for (const estimator of ["generic", "analytic"] as const) {
        test(`${name}, ${config.likelihood}, ${config.posterior} posterior, ${estimator} estimator`, async () => {
          const noise = stored(`${name}/noise`);
          const found = await evaluate(
            { weights: given([weights.length], weights), x: stored(`${name}/x`), noise: given([16, 3], noise.data) },
            ({ weights, x, noise }) => {
              const named = unpack(weights, layout);
              const posterior = architecture.encode(named, x);
              const terms = sgvb(estimator, 2, family, posterior, noise, architecture.model(named, x, 2));
              const negElbo = terms.rate.add(terms.distortion).mean();
              const gradients = gradient(negElbo, Object.values(named));
              return { negElbo, gradient: pack(gradients), distortion: terms.distortion };
            },
            place(),
          );
          const their = estimators[estimator];
          expect(Math.abs(found.negElbo![0]! - stored(`${name}/${their}/negElbo`).data[0]!)).toBeLessThan(1e-10);
          for (const p of layout.places) {
            const ours = found.gradient!.slice(p.offset, p.offset + p.size);
            expect(difference(ours, stored(`${name}/${their}/grad/${theirName(p.name)}`).data), p.name).toBeLessThan(
              1e-10,
            );
          }
          const likelihood = stored(`${name}/reference/logLikelihood`).data;
          const distortion = Array.from({ length: 8 }, (_, i) => -(likelihood[i]! + likelihood[8 + i]!) / 2);
          expect(difference(found.distortion!, distortion)).toBeLessThan(1e-10);
        });
      }
    }
  });
});
