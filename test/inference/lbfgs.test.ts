import { describe, expect, test } from "vitest";
import { lbfgs, type SmoothFunction } from "../../src/inference/lbfgs.ts";
import { newton, type TwiceSmooth } from "../../src/inference/newton.ts";

/** Rosenbrock's valley, generalised: Σ 100 (x_{i+1} − x_i²)² + (1 − x_i)², with its minimum 0 at (1, …, 1). */
const rosenbrock = (dim: number): SmoothFunction => ({
  dim,
  evaluate(x, g) {
    g.fill(0);
    let value = 0;
    for (let i = 0; i + 1 < dim; i++) {
      const a = x[i + 1]! - x[i]! ** 2;
      const b = 1 - x[i]!;
      value += 100 * a * a + b * b;
      g[i]! += -400 * a * x[i]! - 2 * b;
      g[i + 1]! += 200 * a;
    }
    return value;
  },
});

/** ½ Σ curvature_j (x_j − centre_j)². */
const bowl = (curvature: number[], centre: number[]): TwiceSmooth => ({
  dim: curvature.length,
  evaluate(x, g) {
    let value = 0;
    for (let j = 0; j < curvature.length; j++) {
      g[j] = curvature[j]! * (x[j]! - centre[j]!);
      value += 0.5 * curvature[j]! * (x[j]! - centre[j]!) ** 2;
    }
    return value;
  },
  hessian: () => {
    const n = curvature.length;
    return Float64Array.from({ length: n * n }, (_, at) => (at % (n + 1) === 0 ? curvature[at / (n + 1)]! : 0));
  },
});

/** −log x + x, defined for x > 0 only: minimum at 1. */
const barrier: TwiceSmooth = {
  dim: 1,
  evaluate(x, g) {
    g[0] = 1 - 1 / x[0]!;
    return x[0]! - Math.log(x[0]!);
  },
  hessian: (x) => Float64Array.of(1 / x[0]! ** 2),
};

describe("L-BFGS", () => {
  test.each([2, 10, 50])("finds the minimum of Rosenbrock's valley in %d dimensions", (dim) => {
    const found = lbfgs(
      rosenbrock(dim),
      Array.from({ length: dim }, (_, i) => (i % 2 ? 1 : -1.2)),
    );
    expect(found.converged).toBe(true);
    for (const x of found.x) expect(x).toBeCloseTo(1, 6);
  });

  test("steps back from where the function is not finite", () => {
    const found = lbfgs(barrier, [50]);
    expect(found.converged).toBe(true);
    expect(found.x[0]).toBeCloseTo(1, 8);
  });

  test("with the scales of the coordinates, minimises a bowl whose curvatures are 10¹⁶ apart", () => {
    const found = lbfgs(bowl([1e-8, 1, 1e8], [-6e4, 2, 3e-3]), [0, 0, 0], { scale: Float64Array.of(1e4, 1, 1e-4) });
    expect(found.converged).toBe(true);
    expect(found.x[0]! / -6e4).toBeCloseTo(1, 9);
    expect(found.x[2]! / 3e-3).toBeCloseTo(1, 9);
  });

  test("with the inverse Hessian as preconditioner, minimises a quadratic in one step", () => {
    const curvature = [1e-6, 3, 1e6];
    const precondition = (g: Float64Array) => curvature.forEach((c, j) => void (g[j]! /= c));
    const found = lbfgs(bowl(curvature, [7, 8, 9]), [0, 0, 0], { precondition });
    expect(found.iterations).toBe(1);
    expect(found.evaluations).toBe(2);
    expect(Array.from(found.x)).toEqual([7, 8, 9]);
  });

  test("says why it stopped: no finite start, no minimum", () => {
    expect(lbfgs(barrier, [-1])).toMatchObject({ converged: false, reason: "the value at the start is NaN" });
    const slope: SmoothFunction = { dim: 1, evaluate: (x, g) => -x[0]! * g.fill(-1).length };
    expect(lbfgs(slope, [0])).toMatchObject({ converged: false, reason: "the value falls without end" });
  });
});

describe("Newton's method", () => {
  test("reaches the minimum of a quadratic in one step, whatever its scales", async () => {
    const found = await newton(bowl([1e-12, 1e12], [1e8, 1e-8]), [0, 0]);
    expect(found.iterations).toBe(1);
    expect(found.x[0]! / 1e8).toBeCloseTo(1, 12);
    expect(found.x[1]! / 1e-8).toBeCloseTo(1, 12);
  });

  test("leaves a saddle, where the Hessian is indefinite", async () => {
    // ¼ x⁴ − ½ x² + ½ y², saddle at 0, minima at (±1, 0) of value −¼.
    const found = await newton(
      {
        dim: 2,
        evaluate: ([x, y], g) => {
          g.set([x! ** 3 - x!, y!]);
          return x! ** 4 / 4 - x! ** 2 / 2 + y! ** 2 / 2;
        },
        hessian: ([x]) => Float64Array.of(3 * x! ** 2 - 1, 0, 0, 1),
      },
      [0.01, 1],
    );
    expect(found.converged).toBe(true);
    expect(found.x[0]).toBeCloseTo(1, 5);
    expect(found.value).toBeCloseTo(-0.25, 9);
  });

  test("gives up beside a spike: effects of a group whose scale goes to 0", async () => {
    // −log p of effects e_j ~ N(0, exp(s)) and y_j ~ N(e_j, 1), with the gradient and the Hessian in (s, e₁, …, e₁₀).
    const y = Array.from({ length: 10 }, (_, j) => 0.1 * j - 0.4);
    const spike: TwiceSmooth = {
      dim: 11,
      evaluate: ([s, ...e], g) => {
        const precision = Math.exp(-2 * s!);
        const squares = e.reduce((sum, x) => sum + x * x, 0);
        g.set([10 - squares * precision, ...e.map((x, j) => x * precision + x - y[j]!)]);
        return 10 * s! + 0.5 * squares * precision + 0.5 * e.reduce((sum, x, j) => sum + (x - y[j]!) ** 2, 0);
      },
      hessian: ([s, ...e]) => {
        const precision = Math.exp(-2 * s!);
        const h = new Float64Array(121);
        h[0] = 2 * e.reduce((sum, x) => sum + x * x, 0) * precision;
        for (let j = 1; j <= 10; j++) {
          h[j] = h[11 * j] = -2 * e[j - 1]! * precision;
          h[12 * j] = precision + 1;
        }
        return h;
      },
    };
    const found = await newton(spike, [-20, ...y.map((v) => v * Math.exp(-30))]);
    expect(found.converged).toBe(false);
    expect(found.iterations).toBeLessThan(120);
  });

  test("pauses before each step, and ends where the pause throws", async () => {
    let pauses = 0;
    const slice = async () => {
      if (++pauses === 3) throw new Error("enough");
    };
    await expect(newton(barrier, [5], { slice })).rejects.toThrow("enough");
    const { iterations } = await newton(barrier, [5], { slice });
    expect(pauses - 3).toBeGreaterThanOrEqual(iterations);
  });

  test("damps its steps where they leave the domain", async () => {
    expect((await newton(barrier, [5])).x[0]).toBeCloseTo(1, 5);
  });
});
