import { describe, expect, test } from "vitest";
import { OptionError } from "../../src/base/errors.ts";
import { binary, interval, ordered, positive, simplex } from "../../src/constraints/support.ts";
import { beta } from "../../src/distributions/beta.ts";
import { cauchy } from "../../src/distributions/cauchy.ts";
import { censored } from "../../src/distributions/censored.ts";
import { type Distribution, paramsOf } from "../../src/distributions/distribution.ts";
import { exponential } from "../../src/distributions/exponential.ts";
import { flat } from "../../src/distributions/flat.ts";
import { halfNormal } from "../../src/distributions/half-normal.ts";
import { lkjCholesky } from "../../src/distributions/lkj-cholesky.ts";
import { logNormal } from "../../src/distributions/log-normal.ts";
import { mixture } from "../../src/distributions/mixture.ts";
import { multivariateNormal } from "../../src/distributions/multivariate-normal.ts";
import { normal } from "../../src/distributions/normal.ts";
import { pareto } from "../../src/distributions/pareto.ts";
import { poisson } from "../../src/distributions/poisson.ts";
import { restricted } from "../../src/distributions/restricted.ts";
import { settled } from "../../src/distributions/special/settled.ts";
import { studentT } from "../../src/distributions/student-t.ts";
import { transformed } from "../../src/distributions/transformed.ts";
import { truncated } from "../../src/distributions/truncated.ts";
import { uniform } from "../../src/distributions/uniform.ts";
import { weibull } from "../../src/distributions/weibull.ts";
import { zeroInflated } from "../../src/distributions/zero-inflated.ts";
import { gradient } from "../../src/program/program.ts";
import { full } from "../../src/tensor/functions.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { evaluate, given } from "../evaluate.ts";

const of = (d: unknown): Distribution => d as Distribution;
const density = (d: Distribution, x: Tensor): Tensor => d.family.logProb(x, paramsOf(x.trace, d));
const draws = (d: Distribution, shape: readonly number[]) =>
  evaluate({}, (_, key) => ({ x: d.family.sample!(key.site("x"), paramsOf(key.words[0].trace, d), shape) }));
const normalAt = (x: number, mean = 0, sd = 1) =>
  -0.5 * ((x - mean) / sd) ** 2 - Math.log(sd) - 0.5 * Math.log(2 * Math.PI);

describe("a censored distribution", () => {
  test("has at its ends what lies beyond them, and between them the density of its base", async () => {
    const d = censored(of(exponential(0.5)), { low: 1, high: 4 });
    const { p } = await evaluate({ x: given([5], [0.5, 1, 2, 4, 5]) }, ({ x }) => ({ p: density(d, x).exp() }));
    const expected = [0, 1 - Math.exp(-0.5), 0.5 * Math.exp(-1), Math.exp(-2), 0];
    for (const [i, q] of expected.entries()) expect(p![i]).toBeCloseTo(q, 14);
  });

  test("of counts sums to 1", async () => {
    const d = censored(of(poisson(3)), { low: 1, high: 4 });
    const { p } = await evaluate({ x: given([6], [0, 1, 2, 3, 4, 5]) }, ({ x }) => ({ p: density(d, x).exp() }));
    expect([p![0], p![5]]).toEqual([0, 0]);
    expect(p!.reduce((a, b) => a + b)).toBeCloseTo(1, 13);
    expect(p![1]).toBeCloseTo(Math.exp(-3) * (1 + 3), 13);
  });

  test("takes an end for each element, infinite where nothing is censored, with finite gradients", async () => {
    const d = of(weibull(1.5, 2));
    const { p, slope } = await evaluate({ x: given([3], [0.7, 3, 5]), high: given([3], [Infinity, 3, Infinity]), scale: given([], [2]) }, ({ x, high, scale }) => {
      const at = censored({ ...d, given: { ...d.given, scale } } as Distribution, { high });
      const p = density(at, x);
      return { p, slope: gradient(p.sum(), [scale])[0]! };
    }); // biome-ignore format: one line
    const logDensity = (x: number) => Math.log(1.5 / 2) + 0.5 * Math.log(x / 2) - (x / 2) ** 1.5;
    for (const [i, q] of [logDensity(0.7), -(1.5 ** 1.5), logDensity(5)].entries()) expect(p![i]).toBeCloseTo(q, 13);
    // d/ds of −1.5 log s + (k/s for the density) and of −(x/s)^1.5
    const own = (x: number) => -1.5 / 2 + (1.5 * (x / 2) ** 1.5) / 2;
    expect(slope![0]).toBeCloseTo(own(0.7) + own(5) + (1.5 * 1.5 ** 1.5) / 2, 13);
  });

  test("draws pile up at its ends", async () => {
    const { x } = await draws(censored(of(normal(0, 1)), { low: -1, high: 0.5 }), [20_000]);
    const share = (value: number) => x!.filter((v) => v === value).length / 20_000;
    expect(share(-1)).toBeCloseTo(0.1587, 1);
    expect(share(0.5)).toBeCloseTo(0.3085, 1);
    expect(x!.every((v) => v >= -1 && v <= 0.5)).toBe(true);
  });

  test("says what does not go", () => {
    expect(() => censored(of(normal(0, 1)), {})).toThrow(/give an end, as in censored\(normal\(…\), { high: 10 }\)/);
    expect(() => censored(of(normal(0, 1)), { low: 2, high: 2 })).toThrow(/low must be below high/);
    expect(() => censored(of(beta(1, 2)), { low: 0.2 })).toThrow(/which beta does not offer/);
    expect(() => censored(of(uniform(0, 1)), { low: 0.2 })).toThrow(/ends of its own/);
    expect(() => censored(of(normal(0, 1)), { high: undefined as never })).toThrow(/high is undefined/);
  });
});

describe("a truncated distribution", () => {
  test("draws far out in the tail, where the distribution function is 1 in floating point", async () => {
    const { x } = await draws(truncated(of(normal(0, 1)), { low: 20, high: 30 }), [4000]);
    expect(Math.min(...x!)).toBeGreaterThan(20);
    // There it is exponential with rate about 20: mean 20 + 1/20 − 2/20³.
    expect(x!.reduce((a, b) => a + b, 0) / 4000).toBeCloseTo(20.0497, 2);
  });

  test("of counts includes both ends", async () => {
    const d = truncated(of(poisson(3)), { low: 1, high: 4 });
    const { p } = await evaluate({ x: given([6], [0, 1, 2, 3, 4, 5]) }, ({ x }) => ({ p: density(d, x).exp() }));
    const weights = [0, 3, 9 / 2, 27 / 6, 81 / 24, 0];
    const total = weights.reduce((a, b) => a + b);
    for (const [i, w] of weights.entries()) expect(p![i]).toBeCloseTo(w / total, 12);
  });

  test("knows its support, with ends that are tensors too", async () => {
    const d = truncated(of(halfNormal(2)), { high: 3 });
    await evaluate({ e: given([], [4]) }, ({ e }) => {
      expect(d.family.support(paramsOf(e.trace, d))).toEqual(interval(0, 3));
      const moving = truncated(of(normal(0, 1)), { low: e });
      expect(moving.family.support(paramsOf(e.trace, moving))).toEqual({ kind: "above", low: e });
      return { e };
    });
  });

  test("says what does not go", () => {
    expect(() => truncated(of(normal(0, 1)), {})).toThrow(/give an end, as in truncated\(normal\(…\), { low: 0 }\)/);
    expect(() => truncated(of(normal(0, 1)), { low: 2, high: 2 })).toThrow(/low must be below high/);
    expect(() => truncated(of(beta(1, 2)), { low: 0.2 })).toThrow(/beta does not offer: use restricted/);
    expect(() => truncated(of(uniform(0, 1)), { low: 0.2 })).toThrow(/its own parameters/);
    expect(() =>
      truncated(
        of(
          multivariateNormal({
            mean: [0, 0],
            covariance: [
              [1, 0],
              [0, 1],
            ],
          }),
        ),
        { low: 0 },
      ),
    ).toThrow(OptionError);
  });
});

describe("a restricted distribution", () => {
  test("keeps the density as it is inside, and has none outside", async () => {
    const d = restricted(of(studentT(3, 0, 10)), positive);
    const { inside, whole, outside } = await evaluate({ x: given([3], [0.1, 5, 300]) }, ({ x }) => ({
      inside: density(d, x),
      whole: density(of(studentT(3, 0, 10)), x),
      outside: density(d, x.neg()),
    }));
    expect(inside).toEqual(whole);
    expect(outside).toEqual([-Infinity, -Infinity, -Infinity]);
  });

  test("by a support of vectors makes the elements one event", async () => {
    const d = restricted(of(normal([3, 10], 1)), ordered);
    expect(d.family.eventRank).toBe(1);
    const { l } = await evaluate({ x: given([2, 2], [2, 9, 4, 12]) }, ({ x }) => {
      expect(d.family.eventShape(paramsOf(x.trace, d))).toEqual([2]);
      return { l: density(d, x) };
    });
    for (const [i, [a, b]] of [
      [2, 9],
      [4, 12],
    ].entries()) {
      // biome-ignore format: short
      expect(l![i]).toBeCloseTo(normalAt(a!, 3) + normalAt(b!, 10), 12);
    }
    expect(restricted(of(normal(0, 5)), ordered, 4).family.eventShape({})).toEqual([4]);
    expect(() => restricted(of(normal(0, 5)), ordered)).toThrow(/how long is the vector/);
    expect(() => restricted(of(normal([1, 2, 3], [1, 2])), ordered)).toThrow(/have 3 and 2 elements/);
    expect(() => restricted(of(normal(0, 1)), binary)).toThrow(/discrete/);
  });

  test("by an interval draws like the truncated one", async () => {
    const { x } = await draws(restricted(of(cauchy(0, 1)), interval(-1, 2)), [2000]);
    expect(Math.min(...x!)).toBeGreaterThan(-1);
    expect(Math.max(...x!)).toBeLessThan(2);
    // Its median is tan of the middle of the angles.
    const middle = Math.tan((Math.atan(-1) + Math.atan(2)) / 2);
    const below = x!.filter((v) => v < middle).length / 2000;
    expect(Math.abs(below - 0.5)).toBeLessThan(4 * Math.sqrt(0.25 / 2000));
  });
});

describe("flat", () => {
  test("has log density 0 and no draws", async () => {
    const { a, b } = await evaluate({ x: given([3, 2], [1, 2, 3, 4, 5, 6]) }, ({ x }) => ({
      a: density(of(flat()), x),
      b: density(of(flat(ordered, 2)), x),
    }));
    expect(a).toEqual([0, 0, 0, 0, 0, 0]);
    expect(b).toEqual([0, 0, 0]);
    expect(flat().family.sample).toBeNull();
    expect(() => flat(simplex)).toThrow(/one event is a vector, whose shape is \[size\]/);
    expect(() => flat(binary)).toThrow(/give probabilities/);
  });
});

describe("a mixture", () => {
  const weights = [0.2, 0.5, 0.3];
  test("of different distributions sums their densities, and its draws have the weights", async () => {
    const d = mixture(weights, [of(normal(-50, 1)), of(exponential(2)), of(uniform(100, 200))]);
    const { l, kind } = await evaluate({ x: given([3], [-50.5, 0.4, 150]) }, ({ x }) => {
      expect(d.family.support(paramsOf(x.trace, d)).kind).toBe("real");
      return { l: density(d, x), kind: x };
    });
    expect(kind).toHaveLength(3);
    const wanted = [normalAt(-50.5, -50) + Math.log(0.2), Math.log(0.5 * 2) - 0.8, Math.log(0.3 / 100)];
    for (const [i, w] of wanted.entries()) expect(l![i]).toBeCloseTo(w, 12);
    const { x } = await draws(d, [5000]);
    const shares = [x!.filter((v) => v < -40), x!.filter((v) => v > -40 && v < 90), x!.filter((v) => v > 90)];
    for (const [i, p] of weights.entries()) {
      expect(Math.abs(shares[i]!.length / 5000 - p)).toBeLessThan(4 * Math.sqrt((p * (1 - p)) / 5000));
    }
  });

  test("of vectors takes whole vectors", async () => {
    const at = (m: number) => of(multivariateNormal({ mean: [m, m], covariance: [[1, 0], [0, 1]] })); // biome-ignore format: short
    const d = mixture([0.25, 0.75], [at(-9), at(9)]);
    const { x } = await draws(d, [2000]);
    let left = 0;
    for (let i = 0; i < 2000; i++) {
      expect(Math.sign(x![2 * i]!)).toBe(Math.sign(x![2 * i + 1]!));
      if (x![2 * i]! < 0) left++;
    }
    expect(Math.abs(left / 2000 - 0.25)).toBeLessThan(4 * Math.sqrt(0.1875 / 2000));
  });

  test("gives a component of weight 0 no part, and no gradient that is not finite", async () => {
    const found = await evaluate({ w: given([2], [1, 0]), x: given([], [0.5]) }, ({ w, x }) => {
      const l = density(mixture(w, of(normal([0, 5], 1))), x);
      return { l, slope: gradient(l, [w])[0]! };
    });
    expect(found["l"]![0]).toBeCloseTo(normalAt(0.5), 12);
    expect(found["slope"]!.every(Number.isFinite)).toBe(true);
  });

  test("says what does not go", () => {
    expect(() => mixture([0.5, 0.5], of(normal([0, 1, 2], 1)))).toThrow(/have 3 and 2 elements/);
    expect(() => mixture([0.5, 0.5], [of(normal(0, 1))])).toThrow(/2 weights for 1 components/);
    expect(() => mixture([0.5, 0.6], of(normal([0, 1], 1)))).toThrow(/no probabilities: they sum to 1.1/);
    const counting = [of(normal(0, 1)), of(poisson(3))];
    expect(() => mixture([0.5, 0.5], counting).family.support({} as never)).toThrow(
      /"real" does not go with one of "counts"/,
    );
  });
});

describe("a transformed distribution", () => {
  test("by the map onto the positive numbers is a log-normal one of a normal one", async () => {
    const d = transformed(of(normal(1, 0.5)), positive);
    const { ours, theirs, outside } = await evaluate({ x: given([3], [0.2, 3, 40]) }, ({ x }) => ({
      ours: density(d, x),
      theirs: density(of(logNormal(1, 0.5)), x),
      outside: density(d, x.neg()),
    }));
    for (const [i, l] of theirs!.entries()) expect(ours![i]).toBeCloseTo(l, 12);
    expect(outside).toEqual([-Infinity, -Infinity, -Infinity]);
  });

  test("by the map onto the simplex is a logistic-normal one of a vector", async () => {
    const d = transformed(of(multivariateNormal({ mean: [0, 0.5], covariance: [[1, 0.3], [0.3, 2]] })), simplex); // biome-ignore format: short
    const { x } = await draws(d, [50]);
    for (let i = 0; i < 50; i++) expect(x![3 * i]! + x![3 * i + 1]! + x![3 * i + 2]!).toBeCloseTo(1, 12);
    expect(() => transformed(of(normal(0, 1)), simplex)).toThrow(/the map takes vectors/);
  });

  test("by a map of one's own", async () => {
    const square = {
      eventRank: 0 as const,
      support: positive,
      forward: (u: Tensor) => u.square(),
      inverse: (x: Tensor) => x.sqrt(),
      logJacobian: (u: Tensor) => u.mul(2).log(),
    };
    // X² of an exponential X with rate 2 is Weibull(½, ¼).
    const { ours, theirs } = await evaluate({ x: given([3], [0.01, 0.5, 7]) }, ({ x }) => ({
      ours: density(transformed(of(exponential(2)), square), x),
      theirs: density(of(weibull(0.5, 0.25)), x),
    }));
    for (const [i, l] of theirs!.entries()) expect(ours![i]).toBeCloseTo(l, 12);
  });
});

describe("quantiles", () => {
  test("are where the distribution function has the probability, from 1e-300 to 1 − 1e-16", async () => {
    const p = [1e-300, 1e-20, 0.003, 0.5, 0.9, 1 - 1e-13];
    for (const d of [
      normal(1, 2),
      logNormal(0, 1),
      cauchy(1, 2),
      halfNormal(3),
      exponential(2),
      weibull(1.5, 2),
      pareto(2.5, 3),
      uniform(-1, 4),
    ].map(of)) {
      // biome-ignore format: short
      const { l, s } = await evaluate({ p: given([p.length], p) }, ({ p }) => {
        const params = paramsOf(p.trace, d);
        const x = d.family.quantile!(p, params);
        return { l: d.family.logCdf!(x, params), s: d.family.logSurvival!(x, params) };
      });
      for (const [i, q] of p.entries()) {
        // Where x is next to an end that is not 0, its own rounding moves the probability.
        const exact = !["pareto", "uniform"].includes(d.family.name) || q > 1e-6;
        if (q <= 0.5 && exact) expect(l![i]! / Math.log(q), `${d.family.name} at ${q}`).toBeCloseTo(1, 9);
        if (q > 0.5)
          expect(s![i]! / Math.log1p(-q), `${d.family.name} at ${q}`).toBeCloseTo(
            1,
            d.family.name === "uniform" ? 2 : 9,
          );
      }
    }
  });
});

describe("terms of constant parameters", () => {
  test("are numbers in the graph already", async () => {
    await evaluate({ x: given([2], [1, 2]) }, ({ x }) => {
      const two = full(x, [], 2);
      const folded = settled(two.log().add(two.mul(3).lgamma()));
      expect(folded.node.op).toBe("const");
      // log 2 + log Γ(6) = log 240
      expect(folded.node.attrs["value"]).toBeCloseTo(Math.log(240), 14);
      expect(settled(x.log()).node.op).toBe("log");
      return { x };
    });
  });
});

describe("what is given and undefined is no default:", () => {
  const none = undefined as never;
  const calls: readonly (readonly [string, () => unknown])[] = [
    ["normal: sd is undefined", () => normal(0, none)],
    ["normal: mean is undefined", () => normal(none)],
    ["normal: sd is null", () => normal({ mean: 0, sd: null as never })],
    ["weibull: scale is undefined", () => weibull({ shape: 1, scale: none })],
    ["lkjCholesky(3): concentration is undefined", () => lkjCholesky(3, none)],
    ["multivariateNormal: covariance is undefined", () => multivariateNormal([0, 0], none)],
    ['multivariateNormal needs "mean"', () => multivariateNormal({ covariance: [[1]] } as never)],
    ["flat: support is undefined", () => flat(none)],
    ["truncated(normal): high is undefined", () => truncated(of(normal(0, 1)), { low: 0, high: none })],
    ["zeroInflated(poisson): inflation is undefined", () => zeroInflated(of(poisson(1)), none)],
    ["mixture: weights is undefined", () => mixture(none, of(normal([0, 1], 1)))],
  ];
  test.each(calls)("%s", (message, call) => {
    expect(call).toThrow(OptionError);
    expect(call).toThrow(message);
  });

  test("defaults are for what is left out", () => {
    expect(normal().given).toEqual({ mean: 0, sd: 1 });
    expect(normal({ mean: 2 }).given).toEqual({ mean: 2, sd: 1 });
    expect(lkjCholesky(3).given).toEqual({ concentration: 1 });
    expect(lkjCholesky(3, { concentration: 2 }).given).toEqual({ concentration: 2 });
  });
});
