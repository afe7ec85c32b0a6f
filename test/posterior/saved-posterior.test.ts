import { describe, expect, test } from "vitest";
import { DataError, OptionError } from "../../src/base/errors.ts";
import { bijectorTo } from "../../src/constraints/bijector.ts";
import { encodeSafetensors } from "../../src/data/safetensors.ts";
import { hostGaussian } from "../../src/inference/approximation.ts";
import { drawsOf } from "../../src/posterior/draws.ts";
import { constrain, type StoredSupport, unconstrainedSize } from "../../src/posterior/host-transforms.ts";
import { loadPosterior, type SavedPosterior, savePosterior } from "../../src/posterior/saved-posterior.ts";
import {
  canDraw,
  drawStored,
  type StoredApproximation,
  storedGaussian,
} from "../../src/posterior/stored-approximation.ts";
import { evaluate, given } from "../evaluate.ts";

const numbers = (count: number, scale = 1): Float64Array =>
  Float64Array.from({ length: count }, (_, i) => scale * Math.sin(12.9898 * (i + 1)));

describe("maps onto supports, on the host", () => {
  const cases: readonly [StoredSupport, readonly number[]][] = [
    [{ kind: "real" }, [2, 3]],
    [{ kind: "positive" }, [3]],
    [{ kind: "unitInterval" }, []],
    [{ kind: "circle" }, [4]],
    [{ kind: "interval", low: -1, high: 3 }, [5]],
    [{ kind: "above", low: 2 }, [2]],
    [{ kind: "below", high: -2 }, [2]],
    [{ kind: "simplex" }, [2, 4]],
    [{ kind: "ordered" }, [2, 3]],
    [{ kind: "positiveOrdered" }, [4]],
    [{ kind: "cholesky" }, [2, 3, 3]],
    [{ kind: "correlationCholesky" }, [2, 4, 4]],
    [{ kind: "positiveDefinite" }, [3, 3]],
  ];

  test.each(cases)("$kind is what the compiled map gives", async (support, shape) => {
    const bijector = bijectorTo(support);
    const freeShape = bijector.unconstrainedShape(shape);
    const size = freeShape.reduce((n, d) => n * d, 1);
    expect(unconstrainedSize(support, shape)).toBe(size);
    const u = numbers(size, 3);
    const expected = await evaluate({ u: given(freeShape, u) }, ({ u }) => ({ x: bijector.forward(u) }));
    // Written into the middle, from the middle, of longer arrays.
    const from = Float64Array.of(9, ...u, 9);
    const x = new Float64Array(shape.reduce((n, d) => n * d, 1) + 2).fill(7);
    constrain(support, shape, from, 1, x, 1);
    expect([x[0], x.at(-1)]).toEqual([7, 7]);
    expect(Array.from(x.slice(1, -1))).toEqual(expected.x!.map((value) => expect.closeTo(value, 12)));
  });

  test("values stay inside where rounding would reach the edge", () => {
    const x = new Float64Array(16);
    constrain({ kind: "unitInterval" }, [], Float64Array.of(60), 0, x, 0);
    expect(x[0]).toBeLessThan(1);
    constrain({ kind: "simplex" }, [3], Float64Array.of(-900, 900), 0, x, 0);
    expect(Math.min(...x.slice(0, 3))).toBeGreaterThan(0);
    constrain({ kind: "correlationCholesky" }, [2, 2], Float64Array.of(800), 0, x, 0);
    expect(x[3]).toBeGreaterThan(0);
  });
});

const mean = Float64Array.of(1, -0.5, 0.3);
const sites = [
  { name: "mu", shape: [], offset: 0, support: { kind: "real" } },
  { name: "tau", shape: [2], offset: 1, support: { kind: "positive" } },
] as const;
const meanField: StoredApproximation = {
  family: "mean-field",
  form: "diagonalGaussian",
  dim: 3,
  sites,
  tensors: { mean: { shape: [3], values: mean }, sd: { shape: [3], values: Float64Array.of(0.5, 0.2, 0.1) } },
};
const factor = Float64Array.of(0.5, 0, 0, 0.1, 0.2, 0, -0.2, 0.1, 0.3);
const fullRank: StoredApproximation = {
  family: "full-rank",
  form: "gaussian",
  dim: 3,
  sites,
  tensors: { mean: { shape: [3], values: mean }, factor: { shape: [3, 3], values: factor } },
};
const lowRank: StoredApproximation = {
  family: "low-rank",
  form: "lowRankGaussian",
  dim: 3,
  sites,
  tensors: { ...meanField.tensors, factor: { shape: [3, 1], values: Float64Array.of(0.4, -0.3, 0.2) } },
};

const mixture: StoredApproximation = {
  family: "mixture",
  form: "gaussianMixture",
  dim: 3,
  sites,
  tensors: {
    weights: { shape: [2], values: Float64Array.of(0.25, 0.75) },
    // Their mean is `mean`.
    mean: { shape: [2, 3], values: Float64Array.of(2.5, -0.5, 0.3, 0.5, -0.5, 0.3) },
    sd: { shape: [2, 3], values: Float64Array.of(0.1, 0.3, 0.2, 0.1, 0.1, 0.2) },
  },
};

describe("draws from a stored approximation", () => {
  const covarianceOf: Readonly<Record<string, number[][]>> = {
    // diag(sd²), L Lᵀ, F Fᵀ + diag(sd²), by hand.
    "mean-field": [
      [0.25, 0, 0],
      [0, 0.04, 0],
      [0, 0, 0.01],
    ],
    "full-rank": [
      [0.25, 0.05, -0.1],
      [0.05, 0.05, 0],
      [-0.1, 0, 0.14],
    ],
    "low-rank": [
      [0.41, -0.12, 0.08],
      [-0.12, 0.13, -0.06],
      [0.08, -0.06, 0.05],
    ],
    // Within: Σ w sd². Between, in mu: 0.25 · 0.75 · 2².
    mixture: [
      [0.76, 0, 0],
      [0, 0.03, 0],
      [0, 0, 0.04],
    ],
  };

  test.each([meanField, fullRank, lowRank, mixture])(
    "$family has its mean and covariance, within their errors",
    (q) => {
      const count = 20_000;
      const { sites } = drawStored(q, count, 5);
      const tau = sites.tau!.values;
      const columns = [
        sites.mu!.values,
        Float64Array.from({ length: count }, (_, s) => Math.log(tau[2 * s]!)),
        Float64Array.from({ length: count }, (_, s) => Math.log(tau[2 * s + 1]!)),
      ];
      const average = (f: (s: number) => number): number => {
        let sum = 0;
        for (let s = 0; s < count; s++) sum += f(s);
        return sum / count;
      };
      const expected = covarianceOf[q.family]!;
      for (let i = 0; i < 3; i++) {
        // Four standard errors; that of a covariance is √((c_ii c_jj + c_ij²) / n).
        const distance = average((s) => columns[i]![s]!) - mean[i]!;
        expect(Math.abs(distance)).toBeLessThan(4 * Math.sqrt(expected[i]![i]! / count));
        for (let j = 0; j < 3; j++) {
          const covariance = average((s) => (columns[i]![s]! - mean[i]!) * (columns[j]![s]! - mean[j]!));
          const error = Math.sqrt((expected[i]![i]! * expected[j]![j]! + expected[i]![j]! ** 2) / count);
          expect(Math.abs(covariance - expected[i]![j]!)).toBeLessThan(4 * error);
        }
      }
    },
  );

  test("the same seed gives the same draws, another seed others", () => {
    expect(drawStored(fullRank, 3, 11)).toEqual(drawStored(fullRank, 3, 11));
    expect(drawStored(fullRank, 3, 12)).not.toEqual(drawStored(fullRank, 3, 11));
  });

  test("are those of the fit itself, to the bit", () => {
    const ofFit = [hostGaussian(mean, Float64Array.of(0.5, 0.2, 0.1)), hostGaussian(mean, factor)];
    [meanField, fullRank].forEach((q, i) => {
      const u = ofFit[i]!.draw(7, 21);
      const { mu, tau } = drawStored(q, 7, 21).sites;
      expect(Array.from(mu!.values)).toEqual(Array.from({ length: 7 }, (_, s) => u[3 * s]));
      expect(Array.from(tau!.values.subarray(0, 2))).toEqual([Math.exp(u[1]!), Math.exp(u[2]!)]);
    });
  });

  test("a Gaussian is stored by its moments: the sd of independent coordinates, else the Cholesky factor", () => {
    const covariance = (q: StoredApproximation) => Float64Array.from(covarianceOf[q.family]!.flat());
    for (const q of [meanField, fullRank]) {
      const stored = storedGaussian(q, mean, covariance(q));
      expect(stored.form).toBe(q.form);
      for (const [name, { values }] of Object.entries(q.tensors)) {
        expect(Array.from(stored.tensors[name]!.values)).toEqual(
          Array.from(values, (value) => expect.closeTo(value, 14)),
        );
      }
    }
    expect(() => storedGaussian(fullRank, mean.slice(0, 2), Float64Array.of(1, 2, 2, 1))).toThrow(
      new OptionError(
        "the covariance of q is not positive definite: pivot 2 of 2 is -3. Fit again, or save the draws alone.",
      ),
    );
  });

  test("what cannot be drawn without the model is refused, with what can be done", () => {
    const flow = { ...meanField, family: "coupling-flow", form: null };
    expect(canDraw(flow)).toBe(false);
    expect(canDraw(meanField)).toBe(true);
    expect(() => drawStored(flow, 1, 0)).toThrow(
      new OptionError(
        'new draws from the family "coupling-flow" need the model. Use the draws that were saved with it.',
      ),
    );
    const bounded = { ...meanField, sites: [{ ...sites[0], support: null }] };
    expect(canDraw(bounded)).toBe(false);
    expect(() => drawStored(bounded, 1, 0)).toThrow(
      new OptionError(
        'the support of "mu" depends on other sites, so that new draws need the model. Use the draws that were saved with it.',
      ),
    );
    expect(() => drawStored({ ...fullRank, tensors: meanField.tensors }, 1, 0)).toThrow(
      new OptionError('the array "factor" of the family "full-rank" is missing; [3, 3] was expected.'),
    );
  });
});

describe("a saved posterior", () => {
  const posterior: SavedPosterior = {
    method: "full-rank",
    seed: 42,
    versions: { ansatz: "0.1.0" },
    certificate: {
      trusted: false,
      khat: Infinity,
      reason: "k-hat could not be found",
      perSite: [Number.NaN, 0.3, -Infinity],
    },
    draws: drawsOf(2, 3, {
      mu: { shape: [], values: numbers(6) },
      tau: { shape: [2], values: numbers(12) },
    }),
    supports: { tau: { kind: "interval", low: -Infinity, high: 3 } },
    stats: { logDensity: numbers(6), divergent: Float64Array.of(0, 1, 0, 0, 0, 1) },
    approximation: fullRank,
    notes: { free: ["text", 1, null] },
  };

  test("comes back as it was, numbers that are not finite included", () => {
    expect(loadPosterior(savePosterior(posterior))).toEqual(posterior);
    expect(savePosterior(loadPosterior(savePosterior(posterior)))).toEqual(savePosterior(posterior));
  });

  test("gives the same new draws after loading as before", () => {
    const { approximation } = loadPosterior(savePosterior(posterior));
    expect(drawStored(approximation!, 4, 9)).toEqual(drawStored(fullRank, 4, 9));
  });

  test("without statistics, q or supports comes back without them", () => {
    const { method, seed, versions, certificate, draws } = posterior;
    const plain = { method, seed, versions, certificate, draws };
    expect(loadPosterior(savePosterior(plain))).toEqual(plain);
  });

  test("files of another kind, of a later version or damaged are named as such", () => {
    const metadata = { format: "ansatz.posterior", version: "1", posterior: "{}" };
    const load = (changed: Readonly<Record<string, string>>) => () =>
      loadPosterior(encodeSafetensors({}, changed), "fit.safetensors");
    expect(load({})).toThrow(
      new DataError(
        'fit.safetensors is a safetensors file with no format in its metadata; a posterior says "ansatz.posterior". Give ' +
          "the file that a posterior was saved to.",
      ),
    );
    expect(load({ ...metadata, version: "2" })).toThrow(
      new DataError("fit.safetensors has version 2 of the format; version 1 is read. Update ansatz."),
    );
    expect(load(metadata)).toThrow(
      new DataError("fit.safetensors: the description of the posterior in its metadata is damaged. Save it again."),
    );
    expect(() => loadPosterior(savePosterior(posterior).slice(0, -8), "fit.safetensors")).toThrow(/truncated/);
  });
});
