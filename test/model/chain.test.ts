import { describe, expect, test } from "vitest";
import { halfCauchy } from "../../src/distributions/half-cauchy.ts";
import { normal } from "../../src/distributions/normal.ts";
import { model } from "../../src/model/model.ts";
import { full } from "../../src/tensor/functions.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { halfCauchyLog, normalLog, sum } from "./formulas.ts";
import { expectGradient, logJoint } from "./log-joint.ts";

const y = [0.3, -0.5, 1.2, 0.8, 1.9];

describe("a chain is a loop over time", () => {
  test("a latent random walk", async () => {
    const walk = model(({ sample, observe, chain }, { y }: { y: Tensor }) => {
      const sd = sample("sd", halfCauchy(1));
      const start = sample("start", normal(0, 1));
      const path = chain("time", 5, start, (z, t) => {
        const next = sample("z", normal(z.mul(0.9), sd));
        observe("y", normal(next, 0.5), y.at(t));
        return next;
      });
      observe("end", normal(path.at(4), 0.1), 2);
    });
    const density = await logJoint(walk, { y });
    expect(density.names).toEqual(["log sd", "start", "z[1]", "z[2]", "z[3]", "z[4]", "z[5]"]);
    const u = [-0.4, 0.2, 0.1, -0.3, 0.9, 1.1, 1.8];
    const [sd, z] = [Math.exp(u[0]!), u.slice(2)];
    const formula =
      halfCauchyLog(sd, 1) +
      u[0]! +
      normalLog(u[1]!, 0, 1) +
      sum(z.map((x, t) => normalLog(x, 0.9 * (t ? z[t - 1]! : u[1]!), sd) + normalLog(y[t]!, x, 0.5))) +
      normalLog(2, z[4]!, 0.1);
    expect(density.value(u)).toBeCloseTo(formula, 10);
    expectGradient(density, u);
  });

  test("two states, of which one is a vector", async () => {
    const pairs = model(({ sample, observe, chain }, { y }: { y: Tensor }) => {
      const level = sample("level0", normal(0, 1));
      const season = sample("season0", normal(0, 1), [2]);
      chain("time", 5, { level, season }, (before, t) => {
        const level = sample("level", normal(before.level, 0.3));
        const season = sample("season", normal(before.season.mul(0.5), 0.2));
        observe("y", normal(level.add(season.sum()), 0.5), y.at(t));
        return { level, season };
      });
    });
    const density = await logJoint(pairs, { y });
    const u = Array.from({ length: 18 }, (_, i) => 0.5 * Math.sin(2 * i + 1));
    const level = [u[0]!, ...u.slice(3, 8)];
    const season = [u.slice(1, 3), ...Array.from({ length: 5 }, (_, t) => u.slice(8 + 2 * t, 10 + 2 * t))];
    let formula = sum(u.slice(0, 3).map((x) => normalLog(x, 0, 1)));
    for (let t = 0; t < 5; t++) {
      formula += normalLog(level[t + 1]!, level[t]!, 0.3);
      for (const k of [0, 1]) formula += normalLog(season[t + 1]![k]!, 0.5 * season[t]![k]!, 0.2);
      formula += normalLog(y[t]!, level[t + 1]! + sum(season[t + 1]!), 0.5);
    }
    expect(density.value(u)).toBeCloseTo(formula, 10);
    expectGradient(density, u);
  });

  test("several series in a plate", async () => {
    const rows = [y, y.map((v) => -v)];
    const series = model(({ sample, observe, plate, chain }, { rows }: { rows: Tensor }) => {
      plate("series", 2, (i) => {
        const start = sample("start", normal(0, 1));
        chain("time", 5, start, (z, t) => {
          const next = sample("z", normal(z, 0.4));
          observe("y", normal(next, 0.5), rows.at(i).at(t));
          return next;
        });
      });
    });
    const density = await logJoint(series, { rows });
    const u = Array.from({ length: 12 }, (_, i) => Math.cos(i));
    let formula = 0;
    for (const i of [0, 1]) {
      formula += normalLog(u[i]!, 0, 1);
      for (let t = 0; t < 5; t++) {
        const [z, before] = [u[2 + 5 * i + t]!, t ? u[2 + 5 * i + t - 1]! : u[i]!];
        formula += normalLog(z, before, 0.4) + normalLog(rows[i]![t]!, z, 0.5);
      }
    }
    expect(density.value(u)).toBeCloseTo(formula, 10);
    expectGradient(density, u);
  });
});

describe("a chain whose state is computed from the one before", () => {
  test("GARCH(1, 1), with the data observed outside", async () => {
    const garch = model(({ sample, observe, chain }, { y }: { y: Tensor }) => {
      const [a, b, c] = ["a", "b", "c"].map((name) => sample(name, halfCauchy(1))) as [Tensor, Tensor, Tensor];
      const variance = chain("time", 4, full(y, [], 1.5), (v, t) => a.add(b.mul(y.at(t).square())).add(c.mul(v)));
      observe("first", normal(0, Math.sqrt(1.5)), y.at(0));
      observe("y", normal(0, variance.sqrt()), y.narrow(0, 1, 4));
    });
    const density = await logJoint(garch, { y });
    const u = [-0.5, -1, -0.2];
    const [a, b, c] = u.map(Math.exp) as [number, number, number];
    let variance = 1.5;
    let formula = sum([a, b, c].map((x) => halfCauchyLog(x, 1))) + sum(u) + normalLog(y[0]!, 0, Math.sqrt(1.5));
    for (let t = 1; t < 5; t++) {
      variance = a + b * y[t - 1]! ** 2 + c * variance;
      formula += normalLog(y[t]!, 0, Math.sqrt(variance));
    }
    expect(density.value(u)).toBeCloseTo(formula, 10);
    expectGradient(density, u);
  });

  test("a moving average, with the data observed and shocks drawn inside", async () => {
    const moving = model(({ sample, observe, chain }, { y }: { y: Tensor }) => {
      const theta = sample("theta", normal(0, 1));
      const last = chain("time", 5, { error: theta.mul(0) }, ({ error }, t) => {
        const shock = sample("shock", normal(0, 0.2));
        const mean = theta.mul(error).add(shock);
        observe("y", normal(mean, 0.8), y.at(t));
        return { error: y.at(t).sub(mean) };
      });
      observe("last", normal(last.error.at(4), 1), 0.5);
    });
    const density = await logJoint(moving, { y });
    const u = [0.6, 0.1, -0.2, 0.05, 0.3, -0.1];
    let error = 0;
    let formula = normalLog(u[0]!, 0, 1);
    for (let t = 0; t < 5; t++) {
      const mean = u[0]! * error + u[1 + t]!;
      formula += normalLog(u[1 + t]!, 0, 0.2) + normalLog(y[t]!, mean, 0.8);
      error = y[t]! - mean;
    }
    expect(density.value(u)).toBeCloseTo(formula + normalLog(0.5, error, 1), 10);
    expectGradient(density, u);
  });

  test("one for each element of a plate", async () => {
    const decays = model(({ sample, observe, plate, chain }, { y }: { y: Tensor }) => {
      plate("i", 3, (i) => {
        const rate = sample("rate", normal(0, 1));
        const path = chain("time", 5, rate.mul(0).add(1), (x) => x.mul(rate));
        observe("y", normal(path, 0.5), y.mul(i.cast("f64")));
      });
    });
    const density = await logJoint(decays, { y });
    const u = [0.5, -0.8, 1.1];
    let formula = 0;
    for (const [i, rate] of u.entries()) {
      formula += normalLog(rate, 0, 1);
      for (let t = 0; t < 5; t++) formula += normalLog(i * y[t]!, rate ** (t + 1), 0.5);
    }
    expect(density.value(u)).toBeCloseTo(formula, 10);
    expectGradient(density, u);
  });
});
