import {
  bernoulli,
  type Context,
  categorical,
  censored,
  condition,
  dirichlet,
  exponential,
  flat,
  gamma,
  halfCauchy,
  infer,
  intervene,
  loadPosterior,
  logNormal,
  loo,
  type Model,
  mcseMean,
  model,
  normal,
  ordered,
  positive,
  restricted,
  type Tensor,
} from "ansatz";
import { describe, expect, test } from "vitest";
import { abortAfter } from "./abort-after.ts";

const variance = (x: readonly number[]): number => {
  const mean = x.reduce((a, b) => a + b, 0) / x.length;
  return x.reduce((a, b) => a + (b - mean) ** 2, 0) / (x.length - 1);
};

const columns = { y: [28, 8, -3, 7, -1, 1, 18, 12], sigma: [15, 10, 16, 11, 9, 11, 10, 18] };
const eightSchools = model(({ sample, observe, plate, deterministic }, { y, sigma }: { y: Tensor; sigma: Tensor }) => {
  const mu = sample("mu", normal(0, 5));
  const tau = sample("tau", halfCauchy(5));
  const theta = plate("school", 8, (i) => {
    const theta = deterministic("theta", mu.add(tau.mul(sample("t", normal(0, 1)))));
    observe("y", normal(theta, sigma.at(i)), y.at(i));
    return theta;
  });
  return { mu, tau, theta };
});

describe("infer", () => {
  test("a single Gaussian observation has the exact posterior N(8, 0.2) (what PyMC #6271 got wrong)", async () => {
    const one = model(({ sample, observe }, { y }: { y: number }) => {
      const x = sample("x", normal(0, 1));
      observe("y", normal(x, 0.5), y);
      return { x };
    });
    const posterior = await infer(one, { y: 10 });
    expect(posterior.trusted).toBe(true);
    expect(Math.abs(posterior.mean("x")[0]! - 8)).toBeLessThan(4 * Math.sqrt(0.2 / 4000));
    expect(posterior.sd("x")[0]!).toBeCloseTo(Math.sqrt(0.2), 1);
  });

  test("eight schools agree with posteriordb's reference draws, and the ladder tells what it did", async () => {
    const events: string[] = [];
    const posterior = await infer(eightSchools, columns, { onEvent: (event) => events.push(event.kind) });
    expect(posterior.trusted).toBe(true);
    // Means and sds of the reference draws: mu 4.4105 ± 3.3091, tau 3.6021 ± 3.1983.
    expect(Math.abs(posterior.mean("mu")[0]! - 4.4105) / 3.3091).toBeLessThan(0.1);
    expect(Math.abs(posterior.mean("tau")[0]! - 3.6021) / 3.1983).toBeLessThan(0.1);
    expect(Math.abs(posterior.sd("tau")[0]! / 3.1983 - 1)).toBeLessThan(0.1);
    expect(posterior.attempts[0]).toMatchObject({ method: "laplace", trusted: false });
    expect(posterior.attempts.at(-1)!.method).toBe(posterior.method);
    expect(events[0]).toBe("start");
    expect(events.at(-1)).toBe("done");
    expect(posterior.draws.theta.shape).toEqual([8]);
    expect(posterior.table.map((row) => row.name)).toContain("theta[8]");
    expect(posterior.summary()).toMatch(/trusted\. k-hat is/);
  });

  test("in many coordinates, far from a Gaussian, goes on to NUTS without fits that take as long", async () => {
    const funnels = model(({ sample, plate }) => ({
      x: plate("funnel", 55, () => sample("x", normal(0, sample("s", normal(0, 1)).exp()))),
    }));
    const options = { chains: 2, warmUp: 50, draws: 50 };
    const { attempts } = await infer(funnels, {}, options);
    const [laplace, ...rest] = attempts;
    expect(laplace!.khat).toBeGreaterThan(1.5);
    for (const { reason } of rest.slice(0, 2)) expect(reason).toMatch(/^left out: in 110 coordinates it takes as long as NUTS, and a k-hat of \d+\.\d/); // biome-ignore format: one line
    expect(rest.map(({ method }) => method).slice(2, 4)).toEqual(["nuts", "longer nuts"]);
    // Asked for by name it is done.
    expect((await infer(funnels, {}, { method: "meanfield" })).reason).not.toMatch(/left out/);
  });

  test("a site that may take what the parameter it is cannot have is warned of", async () => {
    const halved = model(({ sample, observe }, { y }: { y: Tensor }) => {
      const s = sample("s", normal(0, 1));
      const p = sample("p", logNormal(-1, 1));
      const scale = sample("scale", halfCauchy(1));
      observe("y", normal(0, s), y);
      observe("z", bernoulli(p), 1);
      observe("other", normal(0, scale), 1);
      observe("again", normal(s, s.exp()), 0.5);
    });
    const said: string[] = [];
    const onEvent = (event: { kind: string; message?: string }) => void (event.kind === "warning" && said.push(event.message!)); // biome-ignore format: one line
    const { warnings } = await infer(halved, { y: [0.3, -0.2, 0.5] }, { onEvent });
    expect(warnings).toEqual([
      'sample("s") is from a normal, which takes numbers below 0, but is the sd of observe("y"): the density is 0 there, so that s has in truth a truncated ' +
        "prior, without its constant. Give it a distribution on positive numbers (halfNormal, logNormal, gamma), or take its exp.",
      'sample("p") is from a logNormal, which takes numbers above 1, but is the probs of observe("z"): the density is 0 there, so that p has in truth a truncated ' +
        "prior, without its constant. Give it a distribution on (0, 1) (beta, uniform), or take its sigmoid.",
    ]);
    expect(said).toEqual(warnings);
    expect((await infer(eightSchools, columns)).warnings).toEqual([]);
  });

  test("censored times have the conjugate posterior: a rate given what was seen and for how long", async () => {
    const months = [2, 5, 1, 9, 12, 12, 4, 12];
    const limit = months.map((m) => (m === 12 ? 12 : Number.POSITIVE_INFINITY));
    const survival = model(({ sample, observe, plate }, { months, limit }: { months: Tensor; limit: Tensor }) => {
      const rate = sample("rate", gamma(2, 10));
      plate("patient", months.shape[0]!, (i) => {
        observe("months", censored(exponential(rate), { high: limit.at(i) }), months.at(i));
      });
      return { rate };
    });
    const posterior = await infer(survival, { months, limit });
    expect(posterior.trusted).toBe(true);
    // Gamma(2 + events, 10 + time under observation)
    expect(Math.abs(posterior.mean("rate")[0]! / (7 / 67) - 1)).toBeLessThan(0.03);
    expect(Math.abs(posterior.sd("rate")[0]! / (Math.sqrt(7) / 67) - 1)).toBeLessThan(0.05);
    const latent = model(({ sample }) => ({ x: sample("x", censored(normal(0, 1), { high: 1 })) }));
    await expect(infer(latent, {})).rejects.toThrow('sample("x"): a censored normal is for data: observe it');
  });

  test("chains are refused of methods that make none", async () => {
    await expect(infer(eightSchools, columns, { method: "laplace", chains: 2 })).rejects.toThrow(
      'infer: chains is for auto, nuts, hmc, sgld; the method is "laplace", which makes no chains',
    );
  });

  test("the same seed gives the same bits, another seed others", async () => {
    const run = async (seed: number) =>
      (await infer(eightSchools, columns, { seed, deterministic: true })).draws.mu.values;
    const [a, b, c] = [await run(3), await run(3), await run(4)];
    expect(a).toEqual(b);
    expect(a).not.toEqual(c);
  });

  test("NUTS reports R-hat, draws by chain and what the sampler recorded", async () => {
    const posterior = await infer(eightSchools, columns, { method: "nuts", seed: 1 });
    expect(posterior.allDraws).toMatchObject({ chains: 4, draws: 1000 });
    expect(posterior.khat).toBeNull();
    for (const row of posterior.table) expect(row.rhat).toBeLessThan(1.02);
    expect(Math.abs(posterior.mean("mu")[0]! - 4.4105) / 3.3091).toBeLessThan(0.1);
  });

  test("two modes far apart are never certified by one that was found", async () => {
    // y = 9 = x² + noise: x is near 3 or near −3.
    const square = model(({ sample, observe }, { y }: { y: number }) => {
      const x = sample("x", normal(0.5, 3));
      observe("y", normal(x.square(), 0.5), y);
      return { x };
    });
    const posterior = await infer(square, { y: 9 });
    if (posterior.trusted) expect(Math.abs(posterior.sd("x")[0]!)).toBeGreaterThan(2);
    expect(posterior.attempts[0]!.trusted).toBe(false);
  });

  test("other data of the same shapes give other answers from the same text", async () => {
    const moved = { ...columns, y: columns.y.map((v) => v + 10) };
    const [a, b] = [await infer(eightSchools, columns), await infer(eightSchools, moved)];
    expect(b.mean("mu")[0]! - a.mean("mu")[0]!).toBeGreaterThan(3);
  });

  test("a method that is not there is named beside those that are", async () => {
    await expect(infer(eightSchools, columns, { method: "vibes" as never })).rejects.toThrow(
      /there is no method "vibes"; there are: auto, laplace/,
    );
  });
});

describe("condition and intervene", () => {
  const groups = model(({ sample, observe, plate }, { y }: { y: Tensor }) => {
    const mu = sample("mu", normal(0, 10));
    const theta = plate("group", 3, (i) => {
      const theta = sample("theta", normal(mu, 1));
      observe("y", normal(theta, 1), y.at(i));
      return theta;
    });
    return { mu, theta };
  });
  const y = [1, 2, 3];

  test("data about a site inform what it comes from: μ given θ is N(Σθ / (n + 1/100), …)", async () => {
    const [mean] = (await infer(condition(groups, { theta: [5, 5, 5] }), { y })).mean("mu");
    expect(Math.abs(mean! - 15 / 3.01)).toBeLessThan(4 * Math.sqrt(1 / 3.01 / 4000));
  });

  test("do(θ) cuts θ off from μ, which keeps its prior", async () => {
    const posterior = await infer(intervene(groups, { theta: [5, 5, 5] }), { y });
    expect(Math.abs(posterior.mean("mu")[0]!)).toBeLessThan(4 * (10 / Math.sqrt(4000)));
    expect(posterior.sd("mu")[0]!).toBeCloseTo(10, 0);
  });

  test("a name that is no site, and a value of another shape, are refused", async () => {
    await expect(infer(condition(groups, { nu: 1 }), { y })).rejects.toThrow(
      'a value was given for "nu", but the model samples mu, theta',
    );
    await expect(infer(condition(groups, { theta: [1] }), { y })).rejects.toThrow(
      /has the shape \[1\]; its site stands in plates of the sizes \[3\]/,
    );
  });
});

describe("a signal", () => {
  // A density that takes a while: thousands of observations, some of which bend it.
  const slow = model(({ sample, observe }, { x, y }: { x: Tensor; y: Tensor }) => {
    const b = sample("b", normal(0, 1), [8]);
    observe("y", normal(x.mul(b).sum(-1).sin().add(b.at(0)), 1), y);
  });
  const x = Array.from({ length: 8000 }, (_, i) => Array.from({ length: 8 }, (_, j) => Math.sin(7.1 * i + j * j)));
  const y = x.map((row) => Math.sin(row[0]! + row[1]!));

  for (const [method, piece] of [
    ["laplace", "searches"],
    ["importance", "weighted draws"],
  ] as const) {
    test(`ends ${method} between its ${piece}, and timers have their turn meanwhile`, async () => {
      const { signal, expectHeard } = abortAfter(5);
      await expectHeard(infer(slow, { x, y }, { method, signal }), /abort/i);
    });
  }
});

describe("many fits in a row", () => {
  test("leave timers their turn, though each of them is done before its own is due", async () => {
    const level = model(({ sample, observe }, { y }: { y: Tensor }) => {
      observe("y", normal(sample("mean", normal(0, 1)), 1), y);
    });
    await infer(level, { y: [1, 2] }, { method: "laplace" });
    let longest = 0;
    let turn = performance.now();
    const timer = setInterval(() => {
      longest = Math.max(longest, performance.now() - turn);
      turn = performance.now();
    }, 1);
    let fits = 0;
    for (const since = turn; performance.now() - since < 1500; fits++)
      await infer(level, { y: [fits, 2] }, { method: "laplace" });
    longest = Math.max(longest, performance.now() - turn);
    clearInterval(timer);
    expect(fits).toBeGreaterThan(10);
    expect(longest).toBeLessThan(750);
  });
});

describe("what a posterior offers", () => {
  test("quantiles and intervals take probabilities, not percentages", async () => {
    const posterior = await infer(eightSchools, columns, { method: "laplace" });
    expect(() => posterior.interval("mu", 95)).toThrow("a probability is a number from 0 to 1, not 95: 0.9 for 90 %");
    expect(() => posterior.quantile("mu", -0.1)).toThrow("from 0 to 1");
    expect(() => posterior.quantile("mu", Number.NaN)).toThrow("from 0 to 1");
    const [{ low, high }] = posterior.interval("mu", 0.5) as [{ low: number; high: number }];
    expect([low, high]).toEqual([...posterior.quantile("mu", 0.25), ...posterior.quantile("mu", 0.75)]);
  });

  test("a file of it has the same draws and says the same, without the model", async () => {
    const posterior = await infer(eightSchools, columns);
    const loaded = loadPosterior(posterior.save());
    expect(loaded).toMatchObject({ method: posterior.method, trusted: true, reason: posterior.reason });
    expect(loaded.draws.theta!.values).toEqual(posterior.draws.theta.values);
    expect(loaded.sample(50, 1).sites.tau!.values.every((tau) => tau > 0)).toBe(true);
  });

  test("a file says all that the posterior says of its draws, of whatever method they are", async () => {
    for (const method of ["importance", "advi", "nuts"] as const) {
      const posterior = await infer(eightSchools, columns, { method, seed: 2, draws: 200 });
      const loaded = loadPosterior(posterior.save());
      expect(loaded.table).toEqual(posterior.table);
      expect(loaded.summary()).toBe(posterior.summary());
      expect(loaded.attempts).toEqual(posterior.attempts);
      expect(loaded.samplerStats).toEqual(posterior.samplerStats);
      for (const offer of ["mean", "sd", "interval"] as const) expect(loaded[offer]("theta")).toEqual(posterior[offer]("theta")); // biome-ignore format: one line
      expect(loaded.toStanCsv()).toEqual(posterior.toStanCsv());
      expect(await loaded.toParquet()).toEqual(await posterior.toParquet());
      expect(Object.keys(await loaded.toArviz()).some((path) => path.startsWith("posterior/theta/"))).toBe(true);
    }
  });

  test("resampled draws count in a file as in the posterior: by their weights", async () => {
    const posterior = await infer(eightSchools, columns, { method: "importance", seed: 2, draws: 20_000 });
    const [row] = loadPosterior(posterior.save()).table;
    expect(row!.essBulk).toBe(posterior.importanceEss);
    expect(row!.essBulk).toBeLessThan(posterior.allDraws.draws);
  });

  test("what the body returns has its draws under the name it has there, also where that is a site's other name", async () => {
    const named = model(({ sample, observe, plate }, { y }: { y: Tensor }) => {
      const level = sample("mean level", normal(0, 1));
      const all = plate("row", 3, (i) => {
        const e = sample("e", normal(level, 1));
        observe("y", normal(e, 1), y.at(i));
        return e;
      });
      return { level, all };
    });
    const posterior = await infer(named, { y: [1, 2, 3] }, { method: "laplace" });
    expect(posterior.draws.level).toBe(posterior.draws["mean level"]);
    expect(posterior.draws.all.shape).toEqual([3]);
    expect(posterior.mean("all")).toEqual(posterior.mean("e"));
    expect(posterior.table.map(({ name }) => name)).toEqual(["mean level", "e[1]", "e[2]", "e[3]"]);
  });

  test("ArviZ gets what was observed and the log-likelihood of each observation", async () => {
    const posterior = await infer(eightSchools, columns, { method: "nuts", chains: 2, draws: 100 });
    const files = await posterior.toArviz();
    const numbers = (path: string) => new Float64Array(files[path]!.slice().buffer);
    expect([...numbers("observed_data/y/0")]).toEqual(columns.y);
    const second = numbers("log_likelihood/y/1.0.0");
    const theta = posterior.draws.theta.values.subarray(100 * 8);
    for (let d = 0; d < 100; d++) {
      for (const [i, y] of columns.y.entries()) {
        const z = (y - theta[d * 8 + i]!) / columns.sigma[i]!;
        expect(second[d * 8 + i]).toBeCloseTo(-0.5 * z * z - Math.log(columns.sigma[i]! * Math.sqrt(2 * Math.PI)), 10);
      }
    }
  });

  test("leave-one-out takes draws of chains for as many as their likelihoods are worth", async () => {
    const posterior = await infer(eightSchools, columns, { method: "nuts", draws: 250 });
    const { count, values } = await posterior.pointwise();
    const matrix = { values, draws: 1000, observations: count };
    const efficiency = Array.from({ length: count }, (_, i) => {
      const chains = [0, 1, 2, 3].map((c) =>
        Float64Array.from({ length: 250 }, (_, d) => Math.exp(values[(c * 250 + d) * count + i]!)),
      );
      return variance(chains.flatMap((x) => [...x])) / mcseMean(chains) ** 2 / 1000;
    });
    const { khat } = await posterior.loo();
    expect([...khat]).toEqual(
      [...loo(matrix, { relativeEfficiency: efficiency }).khat].map((k) => expect.closeTo(k, 8)),
    );
    expect(khat).not.toEqual(loo(matrix).khat);
  });

  test("replicates of the data have the posterior's predictive mean and variance", async () => {
    const location = model(({ sample, observe, plate }, { y }: { y: Tensor }) => {
      const mu = sample("mu", normal(0, 100));
      plate("row", y.shape[0]!, (i) => observe("y", normal(mu, 2), y.at(i)));
      return { mu };
    });
    const y = [4, 6, 5, 7];
    const posterior = await infer(location, { y });
    const replicated = (await posterior.predict()).sites.y!;
    expect(replicated.shape).toEqual([4]);
    const all = replicated.values;
    const mean = all.reduce((a, b) => a + b, 0) / all.length;
    const variance = all.reduce((a, b) => a + (b - mean) ** 2, 0) / all.length;
    // μ given y is N(5.5, 4/4) but for the vague prior, and y_rep is N(μ, 4).
    expect(mean).toBeCloseTo(5.5, 0);
    expect(Math.abs(variance / 5 - 1)).toBeLessThan(0.08);
    const wider = await posterior.predict({ y: new Array(9).fill(0) });
    expect(wider.sites.y!.shape).toEqual([9]);
  });

  test("LOO of a Gaussian mean agrees with the leave-one-out density in closed form", async () => {
    const location = model(({ sample, observe, plate }, { y }: { y: Tensor }) => {
      const mu = sample("mu", normal(0, 100));
      plate("row", y.shape[0]!, (i) => observe("y", normal(mu, 2), y.at(i)));
      return { mu };
    });
    const y = [4, 6, 5, 7, 3, 8, 5, 6];
    const { elpd } = await (await infer(location, { y })).loo();
    let exact = 0;
    for (const [i, value] of y.entries()) {
      const others = y.filter((_, j) => j !== i);
      const precision = others.length / 4 + 1e-4;
      const mean = others.reduce((a, b) => a + b, 0) / 4 / precision;
      const variance = 4 + 1 / precision;
      exact += -0.5 * Math.log(2 * Math.PI * variance) - (value - mean) ** 2 / (2 * variance);
    }
    expect(Math.abs(elpd - exact)).toBeLessThan(0.1);
  });

  test("states of a mixture's points have the probabilities of Bayes' rule", async () => {
    const mixture = model(({ sample, observe, plate }, { y }: { y: Tensor }) => {
      const shift = sample("shift", normal(0, 1e-3));
      plate("point", y.shape[0]!, (i) => {
        const k = sample("k", categorical([0.3, 0.7]));
        observe("y", normal(k.mul(2).add(shift), 1), y.at(i));
      });
    });
    const y = [0, 1, 2];
    const { k } = await (await infer(mixture, { y })).discrete();
    expect(k!).toMatchObject({ states: [0, 1], shape: [3, 2] });
    for (const [i, v] of y.entries()) {
      const [a, b] = [0.3 * Math.exp(-(v ** 2) / 2), 0.7 * Math.exp(-((v - 2) ** 2) / 2)];
      expect(k!.probabilities[2 * i + 1]!).toBeCloseTo(b / (a + b), 4);
    }
  });
});

test("a posterior that cannot be normalised is not certified", async () => {
  const improper = model(({ sample, observe }, { y }: { y: Tensor }) => {
    const mu = sample("mu", flat());
    const scale = sample("scale", flat(positive));
    observe("y", normal(mu, 1), y);
    return { mu, scale };
  });
  const outcome = await infer(improper as Model<{ y: Tensor }>, { y: [1, 2] }).then(
    ({ trusted }) => trusted,
    (error: Error) => error.message,
  );
  expect(outcome === false || /normalis|prior|mode|converge/.test(String(outcome))).toBe(true);
});

describe("a mixture whose components may have no data", () => {
  const y = [1.9, 0.4, 2.2, -0.3, 1.1, 0.8, 2.6, -0.9, 1.4, 0.1, 1.7, -0.4, 2.0, 0.6, 1.2, -0.1, 2.4, 0.3, 1.6, -0.7];
  const mixture = (prior: () => Parameters<Context["sample"]>[1]) =>
    model(({ sample, observe, plate }, { y }: { y: Tensor }) => {
      const weights = sample("weights", dirichlet([2, 2, 2]));
      const centre = sample("centre", prior()) as Tensor;
      plate("point", y.shape[0]!, (i) => {
        observe("y", normal(centre.at(sample("kind", categorical(weights))), 0.8), y.at(i));
      });
    });

  test("is refused where nothing else keeps a centre from going to infinity", async () => {
    const fit = infer(
      mixture(() => flat(ordered, 3)),
      { y },
      { method: "laplace" },
    );
    await expect(fit).rejects.toThrow(/the log density falls no further however far one goes along centre\[[23]\], as that of a component's mean does/); // biome-ignore format: one line
  });

  test("is fitted where a vague prior does", async () => {
    const vague = mixture(() => restricted(normal(0, 1e4), ordered, 3));
    await expect(infer(vague, { y }, { method: "laplace" })).resolves.toBeDefined();
  });
});
