import {
  bernoulli,
  beta,
  categorical,
  dirichlet,
  exponential,
  flat,
  gamma,
  halfNormal,
  type InferenceEvent,
  infer,
  lkjCholesky,
  loadPosterior,
  logNormal,
  model,
  multinomial,
  multivariateNormal,
  normal,
  type Problem,
  poisson,
  problemOf,
  studentT,
  type Tensor,
  truncated,
  uniform,
  wishart,
} from "ansatz";
import { describe, expect, test } from "vitest";
import { digamma, lgamma } from "../../src/base/special.ts";
import { Runtime } from "../../src/engine/runtime.ts";
import type { SiteFamilies } from "../../src/inference/site-choice.ts";
import { type SiteViOptions, siteVi } from "../../src/inference/site-vi.ts";

const problem = async (m: unknown, data: object = {}) =>
  (await problemOf(m as never, data as never, { runtime: new Runtime({ blas: null }) })) as unknown as Problem;
const fitted = async (m: unknown, data: object, q: SiteFamilies, options: Omit<SiteViOptions, "q"> = {}) =>
  siteVi(await problem(m, data), { q, ...options });

const logBeta = (...a: number[]) => a.reduce((sum, x) => sum + lgamma(x), 0) - lgamma(a.reduce((x, y) => x + y, 0));
const factorial = (n: number) => lgamma(n + 1);

const counts = [3, 4, 5, 3];
const rateModel = model(({ sample, observe }, { n }: { n: Tensor }) => {
  const rate = sample("rate", gamma(2, 1));
  observe("n", poisson(rate), n);
});
/** log p(n) of Poisson counts under Gamma(2, 1): the posterior is Gamma(2 + Σ n, 1 + N). */
const rateEvidence = lgamma(17) - 17 * Math.log(5) - lgamma(2) - counts.reduce((sum, n) => sum + factorial(n), 0);

describe("q by site", () => {
  test("of conjugate families is the exact posterior, and its bound the evidence", async () => {
    const m = model(({ sample, observe }, { c, n, f }: { c: Tensor; n: Tensor; f: Tensor }) => {
      observe("c", multinomial(10, sample("p", dirichlet([1, 1, 1]))), c);
      observe("n", poisson(sample("rate", gamma(2, 1))), n);
      observe("f", bernoulli(sample("bias", beta(1, 1))), f);
    });
    const fit = await fitted(
      m,
      { c: [2, 3, 5], n: counts, f: [1, 1, 0, 1] },
      { p: dirichlet, rate: gamma, bias: beta },
    );
    expect(fit.converged, fit.reason).toBe(true);
    const { p, rate, bias } = fit.sites as Record<string, (typeof fit.sites)[string]>;
    for (const [i, a] of [3, 4, 6].entries()) expect(p!.params.concentration!.values[i]).toBeCloseTo(a, 6);
    expect(rate!.params.shape!.values[0]).toBeCloseTo(17, 6);
    expect(rate!.params.rate!.values[0]).toBeCloseTo(5, 6);
    expect([bias!.params.a!.values[0], bias!.params.b!.values[0]].map((x) => Number(x!.toFixed(6)))).toEqual([4, 2]);
    const multinomialEvidence = factorial(10) - [2, 3, 5].reduce((s, n) => s + factorial(n), 0) + logBeta(3, 4, 6) - logBeta(1, 1, 1); // biome-ignore format: a formula
    const coinEvidence = logBeta(4, 2) - logBeta(1, 1);
    expect(fit.negElbo).toBeCloseTo(-(multinomialEvidence + rateEvidence + coinEvidence), 8);
  });

  test("of a normal and a gamma is the fixed point of coordinate ascent (Bishop 2006, section 10.1.3)", async () => {
    const y = [1, 2, 3, 2.5, 1.2];
    const m = model(({ sample, observe }, d: { y: Tensor }) => {
      const mu = sample("mu", normal(0, 10));
      const precision = sample("precision", gamma(2, 1));
      observe("y", normal(mu, precision.pow(-0.5)), d.y);
    });
    const sum = y.reduce((a, b) => a + b, 0);
    let [mean, variance, shape, rate] = [0, 1, 2 + y.length / 2, 1];
    for (let k = 0; k < 200; k++) {
      rate = 1 + 0.5 * y.reduce((s, v) => s + (v - mean) ** 2 + variance, 0);
      const precision = 0.01 + (y.length * shape) / rate;
      [mean, variance] = [((shape / rate) * sum) / precision, 1 / precision];
    }
    const fit = await fitted(m, { y }, { mu: normal, precision: gamma });
    expect(fit.converged, fit.reason).toBe(true);
    const { mu, precision } = fit.sites;
    const sd = Math.sqrt(variance);
    // A symmetric KL of 10⁻³ a coordinate is promised.
    expect(Math.abs(mu!.params.mean!.values[0]! - mean) / sd).toBeLessThan(0.05);
    expect(Math.abs(Math.log(mu!.params.sd!.values[0]! / sd))).toBeLessThan(0.05);
    const own = precision!.params.shape!.values[0]! / precision!.params.rate!.values[0]!;
    expect(Math.abs(own / (shape / rate) - 1) * Math.sqrt(shape)).toBeLessThan(0.1);
    expect(Math.abs(precision!.params.shape!.values[0]! / shape - 1)).toBeLessThan(0.15);
  });

  test("a site that is not named gets a Gaussian on its unconstrained scale", async () => {
    const m = model(({ sample }) => {
      sample("x", normal(3, 2));
      sample("s", logNormal(1, 0.5));
      sample("g", gamma(4, 2));
    });
    const fit = await fitted(m, {}, { g: gamma });
    expect(fit.converged, fit.reason).toBe(true);
    expect(fit.sites.s!.family).toBe("normal (unconstrained)");
    expect(fit.sites.s!.params.mean!.values[0]).toBeCloseTo(1, 4);
    expect(fit.sites.s!.params.sd!.values[0]).toBeCloseTo(0.5, 4);
    expect(fit.sites.x!.params.mean!.values[0]).toBeCloseTo(3, 4);
    expect(fit.sites.g!.params.shape!.values[0]).toBeCloseTo(4, 4);
    expect(fit.negElbo).toBeCloseTo(0, 4);
  });

  test("has parameters of its own for each element of a plate and of a vector", async () => {
    const m = model(({ sample, observe, plate }, { n, c }: { n: Tensor; c: Tensor }) => {
      plate("group", 3, (i) => observe("n", poisson(sample("rate", gamma(2, 1))), n.at(i)));
      plate("row", 2, (i) => observe("c", multinomial(4, sample("p", dirichlet([1, 2]))), c.at(i)));
      const v = sample("v", normal(0, 1), [2]);
      observe("y", normal(v, 1), [1, -1]);
    });
    const fit = await fitted(m, { n: [1, 5, 9], c: [[1, 3], [4, 0]] }, { rate: gamma, p: dirichlet, v: normal }); // biome-ignore format: short
    expect(fit.converged, fit.reason).toBe(true);
    const { rate, p, v } = fit.sites;
    expect(rate!.params.shape!.shape).toEqual([3]);
    expect(p!.params.concentration!.shape).toEqual([2, 2]);
    expect([...rate!.params.shape!.values].map((x) => Number(x.toFixed(4)))).toEqual([3, 7, 11]);
    expect([...p!.params.concentration!.values].map((x) => Number(x.toFixed(4)))).toEqual([2, 5, 5, 2]);
    expect([...v!.params.mean!.values].map((x) => Number(x.toFixed(4)))).toEqual([0.5, -0.5]);
    for (const sd of v!.params.sd!.values) expect(sd).toBeCloseTo(Math.SQRT1_2, 4);
  });

  test("families of vectors and matrices have a joint q of each event", async () => {
    const covariance = [[1, 0.8], [0.8, 2]]; // biome-ignore format: a matrix
    const m = model(({ sample }) => {
      sample("x", multivariateNormal({ mean: [1, -1], covariance }));
      sample("w", wishart(5, [[1, 0.2], [0.2, 0.5]])); // biome-ignore format: a matrix
      sample("l", lkjCholesky(2, 3));
    });
    const fit = await fitted(m, {}, {
      x: multivariateNormal({ mean: [0, 0], covariance: [[1, 0], [0, 1]] }),
      w: wishart(4, [[1, 0], [0, 1]]),
      l: lkjCholesky(2, 1),
    }); // biome-ignore format: matrices
    expect(fit.converged, fit.reason).toBe(true);
    expect(fit.sites.x!.params.mean!.values[1]).toBeCloseTo(-1, 3);
    for (const [i, c] of covariance.flat().entries())
      expect(fit.sites.x!.params.covariance!.values[i]).toBeCloseTo(c, 3);
    expect(fit.sites.w!.params.df!.values[0]).toBeCloseTo(5, 2);
    expect(fit.sites.l!.params.concentration!.values[0]).toBeCloseTo(3, 2);
    expect(fit.negElbo).toBeCloseTo(0, 3);
  });

  test("a Wishart of four rows begins where it has a density, beyond three degrees of freedom", async () => {
    const square = (on: number, off: number) => [0, 1, 2, 3].map((i) => [0, 1, 2, 3].map((j) => (i === j ? on : off)));
    const m = model(({ sample }) => {
      sample("w", wishart(9, square(1, 0.2)));
    });
    const fit = await fitted(m, {}, { w: wishart });
    expect(fit.converged, fit.reason).toBe(true);
    expect(fit.sites.w!.params.df!.values[0]).toBeCloseTo(9, 3);
    expect(fit.negElbo).toBeCloseTo(0, 6);
  });

  test("a family without a reparameterisation is fitted by the score function", async () => {
    const q = { rate: { ...gamma, name: "gamma", reparameterised: null } };
    const fit = await fitted(rateModel, { n: counts }, q);
    expect(fit.converged, fit.reason).toBe(true);
    // At the exact posterior the weights have no variance, and the leave-one-out baselines leave no noise.
    expect(fit.sites.rate!.params.shape!.values[0]! / 17).toBeCloseTo(1, 2);
    expect(fit.negElbo).toBeCloseTo(-rateEvidence, 3);
    const refused = fitted(rateModel, { n: counts }, q, { estimator: "reparameterised" });
    await expect(refused).rejects.toThrow(
      'draws of gamma of "rate" are no smooth function of the parameters, which the estimator "reparameterised" needs: use "score"',
    );
  });

  test("parameters that decide where q has mass keep their values, the others begin with theirs", async () => {
    // E_q log q − log p of a uniform q on (0, 1) against an exponential p, and a truncated normal that holds p.
    const m = model(({ sample }) => {
      sample("u", beta(2, 1));
      sample("t", truncated(normal(0.3, 0.2), { low: 0, high: 1 }));
    });
    const fit = await fitted(m, {}, { u: uniform(0, 1), t: truncated(normal(0.5, 1), { low: 0, high: 1 }) });
    expect(fit.sites.u!.params.high!.values[0]).toBe(1);
    expect(fit.sites.t!.params.low!.values[0]).toBe(0);
    expect(fit.sites.t!.params.mean!.values[0]).toBeCloseTo(0.3, 2);
    expect(fit.sites.t!.params.sd!.values[0]).toBeCloseTo(0.2, 2);
    // −E log 2u = 1 − log 2 nats for the uniform, none for the other.
    expect(Math.abs(fit.negElbo - (1 - Math.LN2))).toBeLessThan(5 * fit.negElboSe);
  });

  test("is far from 0 and of any scale without being told", async () => {
    const m = model(({ sample }) => {
      sample("x", normal(1e5, 3));
      sample("y", normal(-2, 1e-4));
      sample("g", gamma(50, 1e4));
    });
    const fit = await fitted(m, {}, { x: normal, y: normal, g: gamma });
    expect(fit.converged, fit.reason).toBe(true);
    expect(Math.abs(fit.sites.x!.params.mean!.values[0]! - 1e5)).toBeLessThan(1e-3);
    expect(fit.sites.y!.params.sd!.values[0]! / 1e-4).toBeCloseTo(1, 3);
    expect(fit.sites.g!.params.shape!.values[0]! / 50).toBeCloseTo(1, 3);
    expect(Math.abs(fit.negElbo)).toBeLessThan(1e-5);
  });

  test("the bound of a q that cannot be the posterior is KL(q ‖ p) at its least", async () => {
    // The gamma nearest to an exponential of rate 1 in KL(q ‖ p) is itself; the nearest half-normal has
    // KL(σ) = ½ log 2/π − log σ − ½ + σ √(2/π), least at σ = √(π/2): log(2/π) + ½.
    const m = model(({ sample }) => void sample("x", exponential(1)));
    const fit = await fitted(m, {}, { x: halfNormal });
    expect(fit.sites.x!.params.sd!.values[0]! / Math.sqrt(Math.PI / 2)).toBeCloseTo(1, 1);
    expect(Math.abs(fit.negElbo - (Math.log(2 / Math.PI) + 0.5))).toBeLessThan(5 * fit.negElboSe);
    const exact = await fitted(m, {}, { x: gamma });
    expect(exact.negElbo).toBeCloseTo(0, 5);
    expect(digamma(exact.sites.x!.params.shape!.values[0]!)).toBeCloseTo(digamma(1), 4);
  });
});

const positiveSite = model(({ sample, observe }, { y }: { y: number }) => {
  const tau = sample("tau", halfNormal(1));
  observe("y", normal(tau, 1), y);
});
const shareSite = model(({ sample }) => void sample("share", beta(2, 2)));
const realSite = model(({ sample }) => void sample("mu", normal(0, 1)));

describe("where q and the model have mass", () => {
  test.each([
    [
      positiveSite,
      { tau: normal },
      'q of "tau" is a normal, which has mass on real numbers, but the model gives "tau" probability only on numbers above 0. Where q has mass and the model has none, the bound is −∞. Choose a q that stays inside, such as gamma, logNormal or inverseGamma, or leave "tau" out of q: it then gets a Gaussian on its unconstrained scale.',
    ],
    [
      shareSite,
      { share: gamma },
      'q of "share" is a gamma, which has mass on numbers above 0, but the model gives "share" probability only on numbers from 0 to 1. Where q has mass and the model has none, the bound is −∞. Choose a q that stays inside, such as beta, or leave "share" out of q: it then gets a Gaussian on its unconstrained scale.',
    ],
    [
      shareSite,
      { share: uniform(0, 2) },
      'q of "share" is a uniform, which has mass on numbers between 0 and 2, but the model gives "share" probability only on numbers from 0 to 1. Where q has mass and the model has none, the bound is −∞. Choose a q that stays inside, such as beta, or leave "share" out of q: it then gets a Gaussian on its unconstrained scale.',
    ],
  ] as const)("mass of q where the model has none is refused (%#)", async (m, q, message) => {
    await expect(infer(m as typeof positiveSite, { y: 1 }, { method: "sites", q })).rejects.toThrow(
      expect.objectContaining({ name: "SupportError", message }),
    );
  });

  test.each([
    [positiveSite, { tau: uniform(0, 1) }, "uniform", "numbers between 0 and 1", "tau", "numbers above 0", "gamma, logNormal or inverseGamma"], // biome-ignore format: a row
    [positiveSite, { tau: beta }, "beta", "numbers from 0 to 1", "tau", "numbers above 0", "gamma, logNormal or inverseGamma"], // biome-ignore format: a row
    [realSite, { mu: halfNormal }, "halfNormal", "numbers above 0", "mu", "real numbers", "normal, studentT or logistic"], // biome-ignore format: a row
  ] as const)(
    "mass of the model that q misses is warned of, and nothing is certified (%#)",
    async (m, q, family, own, site, all, instead) => {
      const events: InferenceEvent[] = [];
      const options = { method: "sites", q, onEvent: (e: InferenceEvent) => events.push(e) } as const;
      const fixed = family === "uniform";
      const message =
        `q of "${site}" is a ${family}, which has mass only on ${own}, but the model has some on all ${all}. What lies outside is ` +
        `left out, and neither the bound nor k-hat shows how much that is. Choose one that has it all, such as ${instead}, or ` +
        `leave "${site}" out of q: it then gets a Gaussian on its unconstrained scale.`;
      if (fixed) {
        await expect(infer(m as typeof positiveSite, { y: 1 }, options)).rejects.toThrow(
          'q has no parameter to fit: the uniform of "tau" keeps the values given',
        );
      } else {
        const posterior = await infer(m as typeof positiveSite, { y: 1 }, options);
        expect(posterior.warnings).toEqual([message]);
        expect(posterior.trusted).toBe(false);
        expect(posterior.reason).toBe("q leaves out a part of the model's support by construction: see the warnings.");
        expect(posterior.summary()).toContain(`\nWarning: ${message}\n`);
        expect(loadPosterior(posterior.save()).warnings).toEqual([message]);
      }
      expect(events.filter((e) => e.kind === "warning")).toEqual([{ kind: "warning", message }]);
    },
  );

  test("equal supports draw no warning, and the certificate says what k-hat cannot see", async () => {
    const posterior = await infer(positiveSite, { y: 1 }, { method: "sites", q: { tau: gamma } });
    expect(posterior.warnings).toEqual([]);
    expect(posterior.summary()).toContain(
      "\nk-hat is made of draws of q and around it: it cannot see a mode that was never visited.\n",
    );
    expect(posterior.approximation!.sites!.tau!.family).toBe("gamma");
    // E[τ] of the half-normal prior times N(1; τ, 1), by quadrature.
    let [mass, first] = [0, 0];
    for (let t = 0.0005; t < 8; t += 0.001) {
      const p = Math.exp(-0.5 * t * t - 0.5 * (1 - t) ** 2);
      mass += p;
      first += t * p;
    }
    expect(Math.abs(posterior.mean("tau")[0]! - first / mass)).toBeLessThan(0.03);
  });
});

describe("mistakes in q", () => {
  const lengths = model(({ sample }) => {
    const top = sample("top", gamma(2, 1));
    sample("inside", uniform(0, top));
    sample("k", categorical([0.5, 0.5]));
    sample("v", dirichlet([1, 1, 1]));
    sample("x", normal(0, 1));
  });
  test.each([
    [{}, 'method "sites" takes q, a family for some of the latent sites: infer(model, data, { method: "sites", q: { mu: normal, tau: gamma } })'],
    [{ tau: gamma }, 'q names "tau", but the latent sites of the model are top, inside, v, x'],
    [{ k: normal }, 'q names "k", whose values are whole numbers from 0 to 1: it is summed out exactly and has no q. Leave it out.'],
    [{ x: "normal" }, 'q of "x" is a family, as normal, or a distribution to begin with, as normal(0, 1); it was string'],
    [{ x: flat() }, 'q of "x" is a flat, which has no sampler: draws from q are what the bound is estimated from. Choose another.'],
    [{ x: uniform }, 'q of "x": low and high of a uniform decide where it has mass. Give their values: uniform({ low: …, high: … })'],
    [{ x: dirichlet }, 'q of "x": a draw of dirichlet has 1 axes, but "x" has the shape []'],
    [{ v: dirichlet([1, 1]) }, 'q of "v": a draw of dirichlet has the shape [2], but "v" has the shape [3]'],
    [{ x: normal([0, 1], 1) }, 'q of "x": mean was given with the shape [2], but "x" needs []'],
    [{ inside: beta }, 'q of "inside": the model\'s support of "inside" (numbers between 0 and another quantity) depends on other quantities, and no fixed family follows it. Leave "inside" out of q: it gets a Gaussian on its unconstrained scale.'],
  ] as const)("%#", async (q, message) => {
    await expect(fitted(lengths, {}, q as never)).rejects.toThrow(message);
  }); // biome-ignore format: a table of messages

  test("q without its method", async () => {
    await expect(infer(realSite, {}, { q: { mu: studentT } })).rejects.toThrow(
      'q names a family for each site, which method "sites" fits; the method is "auto"',
    );
  });
});
