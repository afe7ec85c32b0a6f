import { describe, expect, test } from "vitest";
import type { Shape } from "../../src/base/shape.ts";
import { interval, ordered, positive, positiveOrdered } from "../../src/constraints/support.ts";
import { beta } from "../../src/distributions/beta.ts";
import { dirichlet } from "../../src/distributions/dirichlet.ts";
import type { Distribution } from "../../src/distributions/distribution.ts";
import { flat } from "../../src/distributions/flat.ts";
import { gamma } from "../../src/distributions/gamma.ts";
import { halfCauchy } from "../../src/distributions/half-cauchy.ts";
import { normal } from "../../src/distributions/normal.ts";
import { restricted } from "../../src/distributions/restricted.ts";
import { uniform } from "../../src/distributions/uniform.ts";
import { vonMises } from "../../src/distributions/von-mises.ts";
import { model } from "../../src/model/model.ts";
import { integrate } from "../quadrature.ts";
import { type LogJoint, logJoint } from "./log-joint.ts";

const alone = (d: Distribution, shape?: Shape): Promise<LogJoint> =>
  logJoint(
    model(({ sample }) => void sample("x", d, shape)),
    {},
  );

/** ∫ exp(log density) over the unconstrained plane. */
const integrate2 = (density: LogJoint, reach: number, pieces = 30): number =>
  integrate((a) => integrate((b) => Math.exp(density.value([a, b])), -reach, reach, pieces), -reach, reach, pieces);

describe("on the unconstrained scale a prior is a density: with the log-Jacobian it integrates to one", () => {
  const scalars: Readonly<Record<string, Distribution>> = {
    "the line: normal": normal(1, 2),
    "positive numbers: gamma": gamma(2.5, 1.5),
    "the unit interval: beta": beta(2, 3),
    "an interval: uniform": uniform(-1, 4),
    "angles: von Mises": vonMises(0.5, 2),
  };
  for (const [name, d] of Object.entries(scalars)) {
    test(name, async () => {
      const density = await alone(d);
      expect(integrate((u) => Math.exp(density.value([u])), -60, 60, 1200)).toBeCloseTo(1, 8);
    });
  }

  test("heavy tails: half-Cauchy", async () => {
    const density = await alone(halfCauchy(3));
    expect(integrate((u) => Math.exp(density.value([u])), -40, 40, 800)).toBeCloseTo(1, 8);
  });

  test("the simplex: Dirichlet", async () => {
    expect(integrate2(await alone(dirichlet([2, 3, 1.5])), 14)).toBeCloseTo(1, 6);
  });

  test("an interval whose end is another site", async () => {
    const triangle = model(({ sample }) => {
      const a = sample("a", uniform(0, 1));
      sample("b", uniform(0, a));
    });
    expect(integrate2(await logJoint(triangle, {}), 36, 60)).toBeCloseTo(1, 6);
  });
});

describe("a density restricted without normalising keeps the mass that the support has", () => {
  test("half of a symmetric one on positive numbers", async () => {
    const density = await alone(restricted(normal(0, 2), positive));
    expect(integrate((u) => Math.exp(density.value([u])), -60, 10, 700)).toBeCloseTo(0.5, 8);
  });

  test("half of two exchangeable normals where they are ordered", async () => {
    expect(integrate2(await alone(restricted(normal(0, 1), ordered, 2)), 20, 60)).toBeCloseTo(0.5, 6);
  });

  test("an eighth of two exchangeable normals where they are positive and ordered", async () => {
    expect(integrate2(await alone(restricted(normal(0, 1), positiveOrdered, 2)), 24, 60)).toBeCloseTo(1 / 8, 6);
  });

  test("the length of an interval, and the area of a triangle, under a flat density", async () => {
    const length = await alone(flat(interval(-1, 4)));
    expect(integrate((u) => Math.exp(length.value([u])), -60, 60, 1200)).toBeCloseTo(5, 8);
    const triangle = model(({ sample }) => {
      const a = sample("a", flat(interval(0, 1)));
      sample("b", flat(interval(0, a.neg().add(1))));
    });
    expect(integrate2(await logJoint(triangle, {}), 36, 60)).toBeCloseTo(0.5, 6);
  });
});
