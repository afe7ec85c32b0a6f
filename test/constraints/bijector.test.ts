import { describe, expect, test } from "vitest";
import { OptionError } from "../../src/base/errors.ts";
import { bijectorTo } from "../../src/constraints/bijector.ts";
import * as support from "../../src/constraints/support.ts";
import { gradient } from "../../src/program/program.ts";
import { evaluate, given } from "../evaluate.ts";
import { onBackends } from "../on-backends.ts";

interface Case {
  readonly to: support.Support;
  /** Shape of one event. */
  readonly shape: readonly number[];
  /** Places of the elements of x that are free, in the row-major event; all where left out. */
  readonly free?: readonly number[];
  /** Whether an event lies in the support. */
  readonly holds: (x: readonly number[]) => boolean;
  /** Largest |u| whose image and its inverse are exact to about 1e-10. */
  readonly range?: number;
}

const LOWER_3 = [0, 3, 4, 6, 7, 8];
const increasing = (x: readonly number[]) => x.every((v, i) => i === 0 || v > x[i - 1]!);
const at = (x: readonly number[], i: number, j: number) => x[3 * i + j]!;
const lowerZeros = (x: readonly number[]) => at(x, 0, 1) === 0 && at(x, 0, 2) === 0 && at(x, 1, 2) === 0;
const diagonal = [0, 1, 2];

const CASES: Readonly<Record<string, Case>> = {
  real: { to: support.real, shape: [], holds: () => true },
  positive: { to: support.positive, shape: [], holds: ([x]) => x! > 0 },
  unitInterval: { to: support.unitInterval, shape: [], holds: ([x]) => x! > 0 && x! < 1, range: 10 },
  "interval(-3, 0)": { to: support.interval(-3, 0), shape: [], holds: ([x]) => x! >= -3 && x! <= 0, range: 10 },
  "above 2": { to: support.above(2), shape: [], holds: ([x]) => x! >= 2, range: 10 },
  "below -1": { to: support.below(-1), shape: [], holds: ([x]) => x! <= -1, range: 10 },
  circle: { to: support.circle, shape: [], holds: ([x]) => Math.abs(x!) <= Math.PI, range: 10 },
  simplex: {
    to: support.simplex,
    shape: [4],
    free: [0, 1, 2],
    holds: (x) => x.every((v) => v > 0) && Math.abs(x.reduce((a, b) => a + b) - 1) < 1e-14,
  },
  ordered: { to: support.ordered, shape: [3], holds: increasing, range: 5 },
  positiveOrdered: { to: support.positiveOrdered, shape: [3], holds: (x) => x[0]! > 0 && increasing(x), range: 5 },
  cholesky: {
    to: support.cholesky,
    shape: [3, 3],
    free: LOWER_3,
    holds: (x) => lowerZeros(x) && diagonal.every((i) => at(x, i, i) > 0),
  },
  correlationCholesky: {
    to: support.correlationCholesky,
    shape: [3, 3],
    free: [3, 6, 7],
    holds: (x) =>
      lowerZeros(x) &&
      diagonal.every((i) => at(x, i, i) > 0) &&
      diagonal.every((i) => Math.abs(diagonal.reduce((s, j) => s + at(x, i, j) ** 2, 0) - 1) < 1e-14),
    range: 5,
  },
  positiveDefinite: {
    to: support.positiveDefinite,
    shape: [3, 3],
    free: LOWER_3,
    holds: (x) => diagonal.every((i) => at(x, i, i) > 0 && diagonal.every((j) => at(x, i, j) === at(x, j, i))),
    range: 2,
  },
};

/** Fixed points in (−range, range), spread without regularity. */
const points = (count: number, range: number): number[] =>
  Array.from({ length: count }, (_, i) => range * (2 * ((i * 0.6180339887 + 0.27) % 1) - 1));

/** log |det| by elimination with pivots. */
function logDeterminant(rows: readonly (readonly number[])[]): number {
  const a = rows.map((row) => [...row]);
  let sum = 0;
  for (let k = 0; k < a.length; k++) {
    const pivot = a.slice(k).reduce((best, row, i) => (Math.abs(row[k]!) > Math.abs(a[best]![k]!) ? k + i : best), k);
    [a[k], a[pivot]] = [a[pivot]!, a[k]!];
    sum += Math.log(Math.abs(a[k]![k]!));
    for (const row of a.slice(k + 1)) {
      const factor = row[k]! / a[k]![k]!;
      for (let j = k; j < a.length; j++) row[j]! -= factor * a[k]![j]!;
    }
  }
  return sum;
}

onBackends((place) => {
  describe.each(Object.entries(CASES))("the map onto %s", (_name, { to, shape, free, holds, range = 20 }) => {
    const map = bijectorTo(to);
    const unconstrained = map.unconstrainedShape(shape);
    const size = unconstrained.reduce((a, b) => a * b, 1);
    const width = shape.reduce((a, b) => a * b, 1);
    const rows = 8;

    test("has an inverse, and lands in the support", async () => {
      const u = points(rows * size, range);
      const { x, back, shapes } = await evaluate(
        { u: given([2, 4, ...unconstrained], u) },
        ({ u }) => {
          const x = map.forward(u);
          expect(x.shape).toEqual([2, 4, ...shape]);
          expect(map.logJacobian(u, x).shape).toEqual([2, 4]);
          return { x, back: map.inverse(x), shapes: map.logJacobian(u, x) };
        },
        place(),
      );
      expect(shapes).toHaveLength(rows);
      for (let r = 0; r < rows; r++) expect(holds(x!.slice(r * width, (r + 1) * width))).toBe(true);
      for (const [i, v] of u.entries()) expect(back![i]).toBeCloseTo(v, 9);
    });

    test("has as log-Jacobian log |det| of its differences", async () => {
      const h = 1e-5;
      const base = points(size, 1.5);
      // u, then u ± h along each axis
      const moved = [base];
      for (let k = 0; k < size; k++) for (const s of [h, -h]) moved.push(base.map((v, i) => (i === k ? v + s : v)));
      const { x, logJacobian } = await evaluate(
        { u: given([moved.length, ...unconstrained], moved.flat()) },
        ({ u }) => {
          const x = map.forward(u);
          return { x, logJacobian: map.logJacobian(u, x) };
        },
        place(),
      );
      const places = free ?? Array.from({ length: width }, (_, i) => i);
      const slopes = Array.from({ length: size }, (_, k) =>
        places.map((p) => (x![(1 + 2 * k) * width + p]! - x![(2 + 2 * k) * width + p]!) / (2 * h)),
      );
      expect(logJacobian![0]).toBeCloseTo(logDeterminant(slopes), 7);
    });

    test("has finite values, log-Jacobians and gradients as far out as |u| = 700", async () => {
      // The product of two factors of e^700 has no finite value.
      const far = to.kind === "positiveDefinite" ? 300 : 700;
      const u = [0, far, -far].flatMap((v, i) => Array.from({ length: size }, (_, k) => (i && k % 2 ? v / 3 : v)));
      const { x, logJacobian, slope } = await evaluate(
        { u: given([3, ...unconstrained], u) },
        ({ u }) => {
          const x = map.forward(u);
          const logJacobian = map.logJacobian(u, x);
          return { x, logJacobian, slope: gradient(logJacobian.sum(), [u])[0]! };
        },
        place(),
      );
      for (const v of [...x!, ...logJacobian!, ...slope!]) expect(Number.isFinite(v)).toBe(true);
      if (["unitInterval", "positive", "simplex", "correlationCholesky"].includes(to.kind)) {
        const open = (i: number) => (to.kind === "correlationCholesky" ? i % 4 === 0 : true);
        for (const [i, v] of x!.entries()) if (open(i % width)) expect(v).toBeGreaterThan(0);
      }
    });
  });

  describe("an interval", () => {
    test("whose ends are tensors gives them their part of the gradient", async () => {
      const u = 0.7;
      const s = 1 / (1 + Math.exp(-u));
      const { x, low, high, byLow } = await evaluate(
        { u: given([], [u]), ends: given([2], [-1, 3]) },
        ({ u, ends }) => {
          const [a, b] = [0, 1].map((i) => ends.narrow(0, i, 1).reshape([]));
          const map = bijectorTo(support.interval(a!, b!));
          const x = map.forward(u);
          const [low, high] = gradient(x, [a!, b!]);
          return { x, low: low!, high: high!, byLow: gradient(map.logJacobian(u, x), [a!])[0]! };
        },
        place(),
      );
      expect(x![0]).toBeCloseTo(-1 + 4 * s, 14);
      expect(low![0]).toBeCloseTo(1 - s, 14);
      expect(high![0]).toBeCloseTo(s, 14);
      expect(byLow![0]).toBeCloseTo(-1 / 4, 14);
    });

    test("that ends at 0 keeps the digits of numbers next to 0", async () => {
      const map = bijectorTo(support.interval(-1, 0));
      const { x } = await evaluate({ u: given([2], [50, 300]) }, ({ u }) => ({ x: map.forward(u) }), place());
      for (const [i, u] of [50, 300].entries()) expect(x![i]! / -Math.exp(-u)).toBeCloseTo(1, 12);
    });
  });
});

test("a discrete support has no map, and the error says what to do", () => {
  for (const to of [support.binary, support.categories(3), support.counts(), support.countVector(4)]) {
    expect(() => bijectorTo(to)).toThrow(OptionError);
    expect(() => bijectorTo(to)).toThrow(/sum the variable out/);
  }
});
