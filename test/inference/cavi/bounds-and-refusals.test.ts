import { describe, expect, test } from "vitest";
import { digamma } from "../../../src/base/special.ts";
import { bernoulli, beta, binomial, categorical, cauchy, cumsum, dirichlet, erf, exponential, gamma, halfCauchy, infer, model, multinomial, multivariateNormal, normal, poisson, problemOf, stack, svi, type Tensor, truncated, where, wishart, zeroInflated } from "../../../src/index.ts"; // biome-ignore format: one import
import { cavi } from "../../../src/inference/cavi/cavi.ts";
import { fixedDraws } from "../../../src/inference/fixed-draws.ts";
import { integrate } from "../../quadrature.ts";
import { generator } from "./monte-carlo-bound.ts";

const g = generator("bounds");
const x = Array.from({ length: 30 }, () => [g.normal(), g.normal()]);
const y = x.map((r) => Number(r[0]! + 0.5 * g.normal() > 0));
const logits = (sample: (name: string, d: ReturnType<typeof normal>, shape?: number[]) => Tensor, x: Tensor) =>
  x.matmul(sample("w", normal(0, 1), [2]).reshape([2, 1])).reshape([30]);

const rises = (elbos: readonly number[]) => {
  for (const [i, bound] of elbos.entries()) if (i) expect(bound).toBeGreaterThanOrEqual(elbos[i - 1]! - 1e-10 * Math.abs(bound)); // biome-ignore format: one line
};

describe("terms that are conjugate under an augmentation", () => {
  const counts = Array.from({ length: 8 }, (_, i) => Array.from({ length: 5 }, (_, j) => (i % 2 === j % 2 ? 3 + g.integer(4) : g.integer(2)))); // biome-ignore format: one line

  test("Poisson counts of summed rates are allocated to the addends: the bound is the formula of Cemgil 2009", async () => {
    const factorisation = model(({ sample, observe }, { counts }: { counts: Tensor }) => {
      const theta = sample("theta", gamma(0.5, 1), [8, 2]);
      const beta = sample("beta", gamma(0.5, 2), [2, 5]);
      observe("counts", poisson(theta.matmul(beta)), counts);
    });
    const fit = await cavi(factorisation, { counts }, { tolerance: 1e-12, maxSweeps: 5000 });
    rises(fit.elbos);
    const [theta, beta] = (["theta", "beta"] as const).map((name) => {
      const { shape, rate } = fit.factors[name]!.parameters;
      return { a: [...shape!.values], b: [...rate!.values] };
    }) as [{ a: number[]; b: number[] }, { a: number[]; b: number[] }];
    const mean = (q: { a: number[]; b: number[] }, i: number) => q.a[i]! / q.b[i]!;
    const log = (q: { a: number[]; b: number[] }, i: number) => digamma(q.a[i]!) - Math.log(q.b[i]!);
    // At a fixed point the shape is a0 + Σ_j x_ij ρ_ijk with ρ ∝ exp(E log θ_ik + E log β_kj), and the rate b0 + Σ_j E β_kj.
    for (let i = 0; i < 8; i++) {
      for (let k = 0; k < 2; k++) {
        let [shape, rate] = [0.5, 1];
        for (let j = 0; j < 5; j++) {
          const parts = [0, 1].map((l) => Math.exp(log(theta, i * 2 + l) + log(beta, l * 5 + j)));
          shape += (counts[i]![j]! * parts[k]!) / (parts[0]! + parts[1]!);
          rate += mean(beta, k * 5 + j);
        }
        expect(theta.a[i * 2 + k]! / shape).toBeCloseTo(1, 4);
        expect(theta.b[i * 2 + k]! / rate).toBeCloseTo(1, 4);
      }
    }
  });

  test("a topic model with summed-out words is the one with allocations", async () => {
    const document = Array.from({ length: 60 }, (_, i) => i % 4);
    const word = document.map((d) => (d < 2 ? g.integer(4) : 4 + g.integer(4)));
    const prior = (sample: Parameters<Parameters<typeof model>[0]>[0]["sample"]) => ({
      phi: sample("phi", dirichlet(Array(8).fill(0.5)), [2]),
      theta: sample("theta", dirichlet([0.5, 0.5]), [4]),
    });
    const allocated = model(({ sample, observe, plate }, { document, word }: { document: Tensor; word: Tensor }) => {
      const { phi, theta } = prior(sample);
      plate("token", 60, (i) => {
        const z = sample("z", categorical(theta.at(document.at(i))));
        observe("w", categorical(phi.at(z)), word.at(i));
      });
    });
    const summed = model(({ sample, observe, plate }, { document, word }: { document: Tensor; word: Tensor }) => {
      const { phi, theta } = prior(sample);
      plate("token", 60, (i) => {
        observe("w", categorical(theta.at(document.at(i)).reshape([1, 2]).matmul(phi).reshape([8])), word.at(i));
      });
    });
    const options = { restarts: 8, tolerance: 1e-13, maxSweeps: 5000 };
    const [one, other] = [
      await cavi(allocated, { document, word }, options),
      await cavi(summed, { document, word }, options),
    ];
    expect(other.elbo).toBeCloseTo(one.elbo, 6);
  });

  test("probit regression: the fixed point of Albert and Chib's augmentation", async () => {
    const probit = model(({ sample, observe }, { x, y }: { x: Tensor; y: Tensor }) => {
      observe("y", bernoulli(erf(logits(sample, x).div(Math.SQRT2)).add(1).mul(0.5)), y);
    });
    const fit = await cavi(probit, { x, y }, { tolerance: 1e-14 });
    rises(fit.elbos);
    const { mean, precision } = fit.factors.w!.parameters;
    const m = [...mean!.values];
    // S = I + XᵀX, S m = Xᵀ E u with E u = η ± φ(η) / Φ(±η)
    const hazard = (t: number) => Math.exp(-0.5 * t * t) / Math.sqrt(2 * Math.PI) / (0.5 * erfc(-t / Math.SQRT2));
    for (const i of [0, 1]) {
      let [left, right] = [m[i]!, 0];
      for (const [n, r] of x.entries()) {
        const eta = r[0]! * m[0]! + r[1]! * m[1]!;
        const sign = 2 * y[n]! - 1;
        left += r[i]! * eta;
        right += r[i]! * (eta + sign * hazard(sign * eta));
      }
      expect(left).toBeCloseTo(right, 5);
    }
    expect(precision!.values[0]).toBeCloseTo(1 + x.reduce((s, r) => s + r[0]! ** 2, 0), 9);
  });

  test("logistic regression under the bound of Jaakkola and Jordan lies below what gradients reach", async () => {
    const logistic = model(({ sample, observe }, { x, y }: { x: Tensor; y: Tensor }) => {
      observe("y", bernoulli({ logits: logits(sample, x) }), y);
    });
    const fit = await cavi(logistic, { x, y }, { logistic: "jaakkola-jordan" });
    rises(fit.elbos);
    const asProbability = model(({ sample, observe }, { x, y }: { x: Tensor; y: Tensor }) => {
      observe("y", bernoulli(logits(sample, x).neg().sigmoid().mul(-1).add(1)), y);
    });
    const same = await cavi(asProbability, { x, y }, { logistic: "jaakkola-jordan" });
    expect(same.elbo).toBeCloseTo(fit.elbo, 9);
    const free = await fixedDraws(await problemOf(logistic, { x, y }), { seed: 1 });
    expect(fit.elbo).toBeLessThan(-free.negElbo + 4 * free.negElboSe);
    expect(fit.elbo).toBeGreaterThan(-free.negElbo - 2);
  });
});

/** erfc by its continued fraction and series, enough for a test: 1e-12 on |t| < 4. */
function erfc(t: number): number {
  let [sum, term] = [t, t];
  for (let k = 1; k < 120; k++) {
    term *= (-t * t) / k;
    sum += term / (2 * k + 1);
  }
  return 1 - (2 / Math.sqrt(Math.PI)) * sum;
}

test("gradients reach the same bound in the same family", async () => {
  const line = model(({ sample, observe }, { x, t }: { x: Tensor; t: Tensor }) => {
    const [a, b] = [sample("a", normal(0, 3)), sample("b", normal(0, 3))];
    observe("t", normal(a.add(x.mul(b)), 0.7), t);
  });
  const data = { x: x.map((r) => r[0]! + 1), t: x.map((r) => 2 * r[0]! + r[1]!) };
  const closed = await cavi(line, data, { tolerance: 1e-14 });
  const free = await fixedDraws(await problemOf(line, data), { seed: 1 });
  expect(Math.abs(closed.elbo + free.negElbo)).toBeLessThan(5 * free.negElboSe + 1e-3);
});

describe("what is not conjugate is refused, by name and with the ways out", () => {
  const refused = async (body: Parameters<typeof model>[0], words: RegExp, data: Record<string, unknown> = {}) =>
    await expect(cavi(model(body as never) as never, data as never)).rejects.toThrow(words);

  test("a standard deviation that is no power of a precision", () =>
    refused(({ sample, observe }) => {
      const s = sample("s", gamma(1, 1));
      observe("y", normal(0, s), 1);
    }, /"y" has no closed-form update.*"s".*precision/s));
  test("a logistic likelihood without a bound", () =>
    refused(({ sample, observe }) => {
      observe("y", bernoulli({ logits: sample("w", normal(0, 1)) }), 1);
    }, /"y".*"w".*jaakkola-jordan/s));
  test("a nonlinear mean", () =>
    refused(({ sample, observe }) => {
      observe("y", normal(sample("w", normal(0, 1)).exp(), 1), 1);
    }, /"y".*"exp" of "w"/s));
  test("a step, which gradients are no way out of", () =>
    refused(({ sample, observe }) => {
      observe("y", bernoulli(where(sample("w", normal(0, 1)).gt(0), 1, 0)), 1);
    }, /^"y" has no closed-form update as a bernoulli: in its probs, it takes "gt" of "w" (?!.*gradient).*expectation propagation/s));
  test("the weights of a stick by running sums, with the word for them", () =>
    refused(({ sample, observe }) => {
      const v = sample("v", beta(1, 2), [2]);
      observe("y", categorical(cumsum(v.neg().log1p(), 0).exp()), 1);
    }, /"y".*through "cumsum" \(for the weights of a broken stick there is stickBreaking\)/s));
  test("a state of a chain that is handed on and is no site", () =>
    refused(({ sample, observe, chain }) => {
      chain("t", 4, { now: sample("x0", normal(0, 1)), last: sample("x1", normal(0, 1)) }, ({ now, last }) => {
        const x = sample("x", normal(now.add(last), 1));
        observe("y", normal(x, 1), 1);
        return { now: x, last: now };
      });
    }, /"x".*through "scan": a chain hands on what is no site that its body samples/s));
  test("a moment that exists but is no statistic of the factor", () =>
    refused(({ sample, observe }) => {
      observe("y", poisson(sample("rate", gamma(1, 1)).square()), 1);
    }, /"y".*E\[rate\^2\].*x and log x/s));
  test("a sum over a discrete site's elements inside a density", () =>
    refused(({ sample, observe }) => {
      observe("y", normal(sample("z", bernoulli(0.5), [3]).sum(), 1), 1);
    }, /"y".*sums over the elements of the discrete "z"/s));
  test("the distribution and the argument are named", () =>
    refused(({ sample, observe }) => {
      observe("y", normal(sample("w", normal(0, 1)).exp(), 1), 1);
    }, /"y" has no closed-form update as a normal: in its mean, .*"exp" of "w"/s));
  test("a half-Cauchy sd, with the precision that has a factor", () =>
    refused(({ sample, observe }) => {
      observe("y", normal(0, sample("s", halfCauchy(1))), 1);
    }, /"s".*halfCauchy.*gamma.*pow\(-0.5\)/s));
  test("a probability that is a difference", () =>
    refused(({ sample, observe }) => {
      const p = sample("p", beta(1, 1));
      observe("y", categorical(stack([p.mul(0.5), p.mul(-0.5).add(1)])), 1);
    }, /"y".*logarithm of a difference that holds "p"/s));
  test("a covariance that has the prior of a precision", () =>
    refused(({ sample, observe }) => {
      const lambda = sample("lambda", wishart(3, [[1, 0], [0, 1]])); // biome-ignore format: short
      observe("y", multivariateNormal([0, 0], lambda), [1, 2]);
    }, /"y".*the inverse of "lambda".*inverseWishart/s));
  test("counts of more values than a factor holds, and of a truncation whose normaliser depends on a site", async () => {
    await refused(({ sample, observe }) => {
      observe("y", normal(sample("count", poisson(9000)), 1), 9000);
    }, /"count".*more than 4096 values/s);
    await refused(({ sample, observe }) => {
      observe("y", normal(sample("count", truncated(poisson(sample("rate", gamma(1, 1))), { high: 9 })), 1), 1);
    }, /"count".*its rate depends on "rate".*Instead: under cavi, poisson itself/s);
  });
  test("zeros in excess, with the switch that has a factor", () =>
    refused(({ sample, observe }) => {
      observe("y", zeroInflated(poisson(sample("rate", gamma(1, 1))), sample("zero", beta(1, 1))), 1);
    }, /"y" is a zeroInflated poisson.*Instead: sample on from bernoulli\(1 − zero\)/s));
  test("a prior that no factor belongs to", () =>
    refused(({ sample, observe }) => {
      observe("y", normal(sample("w", cauchy(0, 1)), 1), 1);
    }, /"w".*cauchy/s));
});

test("spins that depend on one another are one site but no exact factor; an estimate is no posterior", async () => {
  const pair = model(({ sample, factor }) => {
    const s = sample("s", bernoulli(0.5), [2]);
    factor("bond", s.at(0).mul(s.at(1)).mul(2));
  });
  // log (3 + e²) / 4, which independent spins do not reach
  const fit = await cavi(pair, {});
  expect(fit.exact).toBe(false);
  expect(fit.elbo).toBeLessThan(Math.log((3 + Math.exp(2)) / 4) - 0.01);
  const apart = model(({ sample, factor }) => factor("field", sample("s", bernoulli(0.5), [2]).mul(2).sum()));
  const free = await cavi(apart, {});
  expect(free.exact).toBe(true);
  expect(free.elbo).toBeCloseTo(2 * Math.log((1 + Math.exp(2)) / 2), 10);
  const estimate = model(({ param, observe }) => void observe("y", normal(param("mu"), 1), [1, 2]));
  expect((await cavi(estimate, {})).exact).toBe(false);
});

test("a model in which nothing is unknown is refused", async () => {
  const known = model(({ observe, plate }) => plate("n", 2, () => void observe("y", normal(0, 1), 1)));
  await expect(cavi(known, {})).rejects.toThrow(/nothing unknown: sample\(\.\.\.\)/);
  await expect(svi(known, {})).rejects.toThrow(/nothing unknown/);
});

describe("data outside a support are refused, though their expected density is finite", () => {
  type Words = Parameters<Parameters<typeof model>[0]>[0];
  const p = ({ sample }: Words) => sample("p", beta(1, 1));
  const shares = ({ sample }: Words) => sample("shares", dirichlet([1, 1, 1]));
  const rate = ({ sample }: Words) => sample("rate", gamma(1, 1));
  const cases: readonly [string, (words: Words, y: Tensor) => unknown, unknown, RegExp][] = [
    ["gray values under a Bernoulli", (w, y) => w.observe("y", bernoulli(p(w)), y), [1, 0.7, 0], /element \[2\] is 0\.7,.*0 or 1/],
    ["a fractional count", (w, y) => w.observe("y", poisson(rate(w)), y), [1, 0.5], /element \[2\] is 0\.5,.*whole numbers from 0 on/],
    ["a category that does not exist", (w, y) => w.observe("y", categorical(shares(w)), y), [1, 3, 0], /element \[2\] is 3,.*from 0 to 2/],
    ["more successes than trials", (w, y) => w.observe("y", binomial(4, p(w)), y), [4, 5], /element \[2\] is 5,.*from 0 to 4/],
    ["counts with another sum", (w, y) => w.observe("y", multinomial(3, shares(w)), y), [[1, 2, 0], [1, 7, 0]], /element \[2\] is \[1, 7, 0\],.*the sum 3/],
    ["of as many trials as the data say", (w, y) => w.observe("y", multinomial(y.at(0), shares(w)), y), [3, 1, 0], /is \[3, 1, 0\],.*vectors of counts/],
    ["waits below 0", (w, y) => w.observe("y", gamma(2, rate(w)), y), [1, -1], /element \[2\] is -1,.*above 0/],
    ["elements of nested plates", (w, y) => {
      const all = w.plate("kind", 2, () => shares(w));
      w.plate("row", 2, (i) => {
        const z = w.sample("z", categorical([0.5, 0.5]));
        w.plate("column", 2, (j) => void w.observe("y", categorical(all.at(z)), y.at(i).at(j)));
      });
    }, [[0, 1], [-1, 2]], /element \[2,1\] is -1,.*from 0 to 2/],
    ["elements of nested plates that see the data's columns first", (w, y) => {
      const all = shares(w);
      w.plate("column", 2, (j) => void w.plate("row", 2, (i) => void w.observe("y", categorical(all), y.at(i).at(j))));
    }, [[0, 1], [-1, 2]], /element \[1,2\] is -1,.*from 0 to 2/],
    ["an infinite value", (w, y) => w.observe("y", normal(w.sample("m", normal(0, 1)), 1), y), [0, Infinity], /element \[2\] is Infinity/],
    ["known probabilities with another sum", (w, y) => {
      const before = w.sample("before", categorical([0.5, 0.5]));
      w.observe("y", categorical(y.at(before)), 1);
    }, [[0.5, 0.5], [2, 3]], /probs of its categorical are no probabilities: \[2, 3\] sum to 5/],
    ["a negative sd", (w, y) => w.observe("y", normal(w.sample("m", normal(0, 1)), y), 1), [1, -2], /sd of its normal is -2 at element \[2\]/],
  ]; // biome-ignore format: a table
  for (const [name, body, y, words] of cases) {
    test(name, () =>
      expect(cavi(model((w, { y }: { y: Tensor }) => void body(w, y)) as never, { y } as never)).rejects.toThrow(words),
    );
  }
  test("but a wait of 0, which an exponential has", async () => {
    const waits = model(({ sample, observe }, { y }: { y: Tensor }) => {
      observe("y", exponential(sample("rate", gamma(1, 1))), y);
    });
    const { shape, rate: own } = (await cavi(waits, { y: [0, 2] })).factors.rate!.parameters;
    expect([shape!.values[0], own!.values[0]]).toEqual([3, 3]);
  });
  test("stochastic steps refuse them too, and what is missing is not asked", async () => {
    const kinds = model(({ sample, observe, plate }, { y }: { y: Tensor }) => {
      const all = sample("shares", dirichlet([1, 1, 1]));
      plate("row", y.shape[0]!, (i) => void observe("y", categorical(all), y.at(i)));
    });
    await expect(svi(kinds, { y: [0, 1, 2.5, 1] }, { batch: 2 })).rejects.toThrow(/element \[3\] is 2\.5/);
    const { concentration } = (await cavi(kinds, { y: [0, 1, null, 1] })).factors.shares!.parameters;
    expect([...concentration!.values]).toEqual([2, 3, 1]);
  });
});

test("as a method of infer, a single exact factor has the lightest weights; a mean field that is too narrow is put right by its own", async () => {
  const t = [2.1, 1.9, 3.2, 2.2, 2.8, 1.1];
  const body = (scaled: boolean) =>
    model(({ sample, observe }, { t }: { t: Tensor }) => {
      const tau = sample("tau", gamma(2, 1));
      const mu = sample("mu", normal(0, scaled ? tau.mul(0.1).pow(-0.5) : 10));
      observe("t", normal(mu, tau.pow(-0.5)), t);
      return { mu, tau };
    });
  const exact = await infer(body(true), { t }, { method: "cavi" });
  expect(exact.trusted).toBe(true);
  expect(exact.khat).toBeLessThan(0);
  const factorised = await infer(body(false), { t }, { method: "cavi" });
  expect(factorised.khat).toBeGreaterThan(0);
  // p(tau | t) without mu: the t are jointly normal around 0 with covariance I / tau + 100.
  const n = t.length;
  const sum = t.reduce((p, q) => p + q, 0);
  const squares = t.reduce((p, q) => p + q * q, 0);
  const [mass, first, second] = [0, 1, 2].map((power) =>
    integrate(
      (tau) => {
        const rest = squares - (100 * tau * sum ** 2) / (1 + 100 * n * tau);
        return tau ** (power + 1 + n / 2) * Math.exp(-tau - 0.5 * tau * rest) * (1 + 100 * n * tau) ** -0.5;
      },
      0,
      12,
    ),
  ) as [number, number, number];
  const sd = Math.sqrt(second / mass - (first / mass) ** 2);
  expect(factorised.trusted).toBe(true);
  expect(Math.abs(factorised.mean("tau")[0]! - first / mass)).toBeLessThan(0.1 * sd);
  expect(Math.abs(factorised.sd("tau")[0]! / sd - 1)).toBeLessThan(0.1);
});
