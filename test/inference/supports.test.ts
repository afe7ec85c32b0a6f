import { describe, expect, test } from "vitest";
import {
  above,
  below,
  binary,
  categories,
  cholesky,
  circle,
  correlationCholesky,
  counts,
  countVector,
  interval,
  ordered,
  positive,
  positiveDefinite,
  positiveOrdered,
  real,
  type Support,
  simplex,
  unitInterval,
} from "../../src/constraints/support.ts";
import {
  compareSupports,
  constantEnds,
  constantOf,
  hasConstantEnds,
  type SupportRelation,
} from "../../src/inference/supports.ts";
import { createTrace } from "../../src/ops/trace.ts";
import { Tensor } from "../../src/tensor/tensor.ts";

const b = createTrace();
const constant = (value: number) => new Tensor(b, b.constant(value, "f64"));
const other = new Tensor(b, b.input("another quantity", "f64", []));

/** q, p, and what q is as seen from p. */
const rows: readonly (readonly [string, Support, Support, SupportRelation])[] = [
  ["the line and itself", real, real, "equal"],
  ["a normal for a positive quantity", real, positive, "beyond"],
  ["a gamma for a real quantity", positive, real, "within"],
  ["a gamma for a share", positive, unitInterval, "beyond"],
  ["a beta for a positive quantity", unitInterval, positive, "within"],
  ["a uniform on (0, 1) for a share", interval(0, 1), unitInterval, "equal"],
  ["a uniform on (0, 2) for a share", interval(0, 2), unitInterval, "beyond"],
  ["a uniform on (¼, ¾) for a share", interval(0.25, 0.75), unitInterval, "within"],
  ["a uniform that overlaps", interval(-1, 1), interval(0, 2), "beyond"],
  ["a uniform elsewhere", interval(3, 4), interval(0, 2), "beyond"],
  ["above 0 is positive", above(0), positive, "equal"],
  ["above 1 is less than positive", above(1), positive, "within"],
  ["above −1 is more than positive", above(-1), positive, "beyond"],
  ["below for below", below(1), below(2), "within"],
  ["below for above", below(1), above(0), "beyond"],
  ["angles for real numbers", circle, real, "within"],
  ["angles for a uniform on (−π, π)", circle, interval(-Math.PI, Math.PI), "equal"],
  ["a normal for angles", real, circle, "beyond"],
  ["ends that are constants of a trace", interval(constant(0), constant(1)), unitInterval, "equal"],
  ["an end that is another quantity", interval(0, other), unitInterval, "unknown"],
  ["another quantity, where the other end sticks out", interval(-1, other), positive, "beyond"],
  ["a support that another quantity ends", unitInterval, interval(0, other), "unknown"],
  ["bits as categories", binary, categories(2), "equal"],
  ["bits as counts", binary, counts(), "within"],
  ["counts as bits", counts(), binary, "beyond"],
  ["counts from 1 as counts", counts(1), counts(), "within"],
  ["counts up to another quantity", counts(0, other), counts(0, 5), "unknown"],
  ["whole numbers among real ones", counts(), positive, "beyond"],
  ["real numbers for whole ones", positive, counts(), "beyond"],
  ["vectors of counts with a sum, as counts", countVector(3), counts(), "within"],
  ["counts as vectors with a sum", counts(), countVector(3), "beyond"],
  ["sums that are equal", countVector(3), countVector(3), "equal"],
  ["sums that are not", countVector(3), countVector(4), "beyond"],
  ["a sum that is another quantity", countVector(other), countVector(4), "unknown"],
  ["a sum beyond the categories", countVector(3), categories(3), "beyond"],
  ["a normal for each element of an ordered vector", real, ordered, "beyond"],
  ["ordered vectors among all", ordered, real, "within"],
  ["ordered vectors for positive elements", ordered, positive, "beyond"],
  ["positive ordered ones for positive elements", positiveOrdered, positive, "within"],
  ["positive ordered ones among ordered ones", positiveOrdered, ordered, "within"],
  ["ordered ones for positive ordered ones", ordered, positiveOrdered, "beyond"],
  ["positive elements for positive ordered ones", positive, positiveOrdered, "beyond"],
  ["a simplex and itself", simplex, simplex, "equal"],
  ["a simplex has no volume among vectors of shares", simplex, unitInterval, "beyond"],
  ["nor have those mass on it", unitInterval, simplex, "beyond"],
  ["Cholesky factors of correlations among all factors", correlationCholesky, cholesky, "beyond"],
  ["and the other way round", cholesky, correlationCholesky, "beyond"],
  ["a normal for each element of a covariance", real, positiveDefinite, "beyond"],
  ["covariances and themselves", positiveDefinite, positiveDefinite, "equal"],
  ["factors for covariances", cholesky, positiveDefinite, "beyond"],
];

describe("where q has mass, as seen from where p has", () => {
  test.each(rows)("%s", (_name, q, p, expected) => {
    expect(compareSupports(q, p)).toBe(expected);
  });

  const kinds: readonly Support[] = [real, positive, unitInterval, interval(0, 2), above(1), below(-1), circle, binary, categories(4), counts(), counts(2), countVector(3), simplex, ordered, positiveOrdered, cholesky, correlationCholesky, positiveDefinite]; // biome-ignore format: a list
  test("every pair of kinds has an answer, and what lies within has the other beyond it", () => {
    const seen = new Set(kinds.map((k) => k.kind));
    expect(seen.size).toBe(17);
    for (const q of kinds) {
      expect(compareSupports(q, q), q.kind).toBe("equal");
      for (const p of kinds) {
        const [there, back] = [compareSupports(q, p), compareSupports(p, q)];
        expect(["equal", "within", "beyond"], `${q.kind}, ${p.kind}`).toContain(there);
        if (there === "within") expect(back, `${q.kind}, ${p.kind}`).toBe("beyond");
        if (there === "equal") expect(back).toBe("equal");
      }
    }
  });

  test("of real numbers it is what membership of numbers says", () => {
    const holds = ({ kind, ...ends }: Support, x: number): boolean => {
      const { low = kind === "positive" || kind === "unitInterval" ? 0 : kind === "circle" ? -Math.PI : -Infinity } = ends as { low?: number }; // biome-ignore format: short
      const { high = kind === "unitInterval" ? 1 : kind === "circle" ? Math.PI : Infinity } = ends as { high?: number };
      return x > low && x < high;
    };
    const grid = Array.from({ length: 4001 }, (_, i) => (i - 2000.5) / 100);
    const numbers = kinds.filter((k) =>
      ["real", "positive", "unitInterval", "interval", "above", "below", "circle"].includes(k.kind),
    );
    for (const q of numbers) {
      for (const p of numbers) {
        const beyond = grid.some((x) => holds(q, x) && !holds(p, x));
        const missed = grid.some((x) => holds(p, x) && !holds(q, x));
        expect(compareSupports(q, p), `${q.kind}, ${p.kind}`).toBe(beyond ? "beyond" : missed ? "within" : "equal");
      }
    }
  });
});

test("a bound is a number where it is a constant of the trace, copied or not", () => {
  expect(constantOf(2)).toBe(2);
  expect(constantOf(constant(3).broadcastTo([4]))).toBe(3);
  expect(constantOf(other)).toBeNull();
  expect(constantEnds(interval(constant(0), constant(2)))).toEqual(interval(0, 2));
  expect(constantEnds(interval(constant(0), other))).toEqual(interval(0, other));
  expect([interval(constant(0), 2), interval(0, other), counts(0, null)].map(hasConstantEnds)).toEqual([
    true,
    false,
    true,
  ]);
});
