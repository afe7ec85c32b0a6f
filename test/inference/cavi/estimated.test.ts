import { describe, expect, test } from "vitest";
import type { Support } from "../../../src/constraints/support.ts";
import { gamma, model, normal, type Tensor } from "../../../src/index.ts";
import { cavi } from "../../../src/inference/cavi/cavi.ts";
import { generator } from "./monte-carlo-bound.ts";

const g = generator("estimated");
const y = Array.from({ length: 40 }, () => 3 + 2 * g.normal());
const mean = y.reduce((a, b) => a + b, 0) / y.length;
const positive: Support = { kind: "positive" };

describe("parameters that are estimated have their M step in closed form", () => {
  test("mean and sd by maximum likelihood", async () => {
    const body = model(({ param, observe }, { y }: { y: Tensor }) => {
      observe("y", normal(param("mu"), param("sd", { support: positive })), y);
    });
    const { factors } = await cavi(body, { y });
    expect(factors.mu!.parameters.value!.values[0]).toBeCloseTo(mean, 10);
    const variance = y.reduce((s, v) => s + (v - mean) ** 2, 0) / y.length;
    expect(factors.sd!.parameters.value!.values[0]).toBeCloseTo(Math.sqrt(variance), 10);
  });

  test("a precision with a prior, at its posterior mode", async () => {
    const body = model(({ param, observe }, { y }: { y: Tensor }) => {
      observe("y", normal(2, param("tau", { prior: gamma(3, 2) }).pow(-0.5)), y);
    });
    const { factors } = await cavi(body, { y });
    const rate = 2 + 0.5 * y.reduce((s, v) => s + (v - 2) ** 2, 0);
    expect(factors.tau!.parameters.value!.values[0]).toBeCloseTo((3 - 1 + 20) / rate, 10);
  });

  test("probabilistic PCA: EM ends where Tipping and Bishop 1999 say, and the bound is the likelihood", async () => {
    const x = Array.from({ length: 60 }, () => {
      const z = g.normal();
      return [2 * z + 0.4 * g.normal(), -z + 0.4 * g.normal()];
    });
    const body = model(({ param, sample, observe, plate }, { x }: { x: Tensor }) => {
      const [w, sd] = [param("w", { shape: [2] }), param("sd", { support: positive })];
      plate("n", 60, (i) => {
        observe("x", normal(w.mul(sample("z", normal(0, 1))), sd), x.at(i));
      });
    });
    const fit = await cavi(body, { x }, { tolerance: 1e-14, maxSweeps: 20_000 });
    // σ² is the smaller eigenvalue of S = Σ x xᵀ / n, |w|² the larger one less σ².
    const s = (i: number, j: number) => x.reduce((t, r) => t + r[i]! * r[j]!, 0) / 60;
    const [half, root] = [(s(0, 0) + s(1, 1)) / 2, Math.hypot((s(0, 0) - s(1, 1)) / 2, s(0, 1))];
    const [w, sd] = [[...fit.factors.w!.parameters.value!.values], fit.factors.sd!.parameters.value!.values[0]!];
    expect(sd ** 2).toBeCloseTo(half - root, 5);
    expect(w[0]! ** 2 + w[1]! ** 2).toBeCloseTo(2 * root, 4);
    const logLikelihood = -30 * (2 * Math.log(2 * Math.PI) + Math.log((half + root) * (half - root)) + 2);
    expect(fit.elbo).toBeCloseTo(logLikelihood, 5);
  });
});
