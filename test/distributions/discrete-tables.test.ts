import { describe, expect, test } from "vitest";
import { bijectorTo } from "../../src/constraints/bijector.ts";
import { Runtime } from "../../src/engine/runtime.ts";
import { f64, gradient, program } from "../../src/program/program.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { evaluate, type Given } from "../evaluate.ts";
import { onBackends } from "../on-backends.ts";
import { familyOf, flat, label, type Row, rows, tensor, tensors } from "./discrete-rows.ts";

/** log Γ of large arguments is good to some units in its last place: what is left of them is measured against their size. */
const scaleOf = ({ params, x }: Row): number => {
  const size = Math.max(...Object.values(params).flatMap(flat), ...x.flatMap(flat));
  return size > 100 ? size * Math.log(size) : 1;
};

describe("the log probabilities, means and variances are those of scipy, mpmath and torch", () => {
  onBackends((place) => {
    test.each(rows.map((row) => [label(row), row] as const))("%s", async (_, row) => {
      const family = familyOf(row);
      const found = await evaluate(
        { ...tensors(row.params), x: tensor(row.x) } as Record<string, Given>,
        ({ x, ...params }) => ({
          logProb: family.logProb(x!, params),
          ...(row.mean === undefined ? {} : { mean: family.mean!(params) }),
          ...(row.variance === undefined ? {} : { variance: family.variance!(params) }),
        }),
        place(),
      );
      expect(found.logProb).toHaveLength(row.logProb.length);
      for (const [i, expected] of row.logProb.entries()) {
        const ours = found.logProb![i]!;
        if (expected === null) expect(ours).toBe(Number.NEGATIVE_INFINITY);
        else expect(Math.abs(ours - expected), `${ours} is not ${expected}`).toBeLessThan(4e-15 * scaleOf(row) + 2e-13 * Math.abs(expected) + 4e-15); // biome-ignore format: one line
      }
      for (const key of ["mean", "variance"] as const) {
        if (row[key] === undefined) continue;
        for (const [i, expected] of flat(row[key]).entries()) {
          expect(Math.abs(found[key]![i]! - expected), key).toBeLessThan(1e-11 * Math.max(1, Math.abs(expected)));
        }
      }
    });
  });
});

/** Row's density as a function of its arrays, compiled once: log probabilities and the gradient of their sum over finite ones. */
async function compiled(row: Row) {
  const family = familyOf(row);
  const names = Object.keys(row.params);
  const values = { ...tensors(row.params), x: tensor(row.x.filter((_, i) => row.logProb[i] !== null)) } as Record<
    string,
    Given
  >;
  const step = await program({
    runtime: new Runtime({ blas: null }),
    inputs: Object.fromEntries(Object.entries(values).map(([name, { shape }]) => [name, f64(shape)])),
    body: ({ inputs }) => {
      const { x, ...params } = inputs as Record<string, Tensor>;
      const logProb = family.logProb(x!, params);
      const by = [...names.map((name) => params[name]!), x!];
      const slopes = gradient(logProb.sum(), by);
      return { outputs: { logProb, ...Object.fromEntries([...names, "x"].map((name, i) => [name, slopes[i]!])) } };
    },
  });
  const run = async (changed: Record<string, Float64Array> = {}) => {
    const arrays = Object.entries(values).map(([name, { data }]) => [name, changed[name] ?? Float64Array.from(data)]);
    await step.run(Object.fromEntries(arrays));
    return Object.fromEntries(Object.entries(step.outputs).map(([name, buffer]) => [name, Array.from(buffer.read())]));
  };
  return { values, run };
}

const sum = (x: readonly number[]): number => x.reduce((a, b) => a + b, 0);

/** How far a parameter may be moved for a difference; 0 where it sits on an edge. */
function reach(values: ArrayLike<number>, i: number, kind: string): number {
  const value = values[i]!;
  if (kind === "unitInterval" || kind === "simplex") return Math.min(value, 1 - value);
  if (kind === "ordered") return Math.min(1, value - (values[i - 1] ?? -Infinity), (values[i + 1] ?? Infinity) - value);
  return kind === "positive" ? value : Math.min(Math.max(Math.abs(value), 0.1), 1);
}

describe("the gradient in every parameter is that of finite differences", () => {
  test.each(rows.map((row) => [label(row), row] as const))("%s", async (_, row) => {
    const family = familyOf(row);
    const { values, run } = await compiled(row);
    const at = await run();
    for (const [name, { support }] of Object.entries(family.params)) {
      // A number of trials, and whole numbers at which the density jumps.
      if (support.kind === "counts" || row.name === "discreteUniform") continue;
      const start = Float64Array.from(values[name]!.data);
      const size = values[name]!.shape.at(-1) ?? 1;
      for (const [i, value] of start.entries()) {
        const isMatrix = values[name]!.shape.length === 2;
        if (isMatrix && i % size > Math.floor(i / size)) continue; // above the diagonal nothing is read
        const unit = reach(start, i, support.kind);
        if (unit === 0) continue;
        const h = unit * 1e-4;
        const moved = async (by: number) => sum((await run({ [name]: start.with(i, value + by) })).logProb!);
        // Five points: the error is h⁴ / 30 times the fifth derivative.
        const difference =
          (8 * ((await moved(h)) - (await moved(-h))) - ((await moved(2 * h)) - (await moved(-2 * h)))) / 12;
        const ours = at[name]![i]! * h;
        const rounding = 1e-14 * (Math.abs(sum(at.logProb!)) + scaleOf(row)) + (1e-15 * Math.abs(value)) / unit;
        expect(Math.abs(ours - difference), `${name}[${i}]: ${ours / h} and ${difference / h}`).toBeLessThan(1e-8 * Math.abs(difference) + rounding); // biome-ignore format: one line
      }
    }
  });
});

describe("the gradient in the variable itself, through the map onto the support, is that of finite differences", () => {
  const continuous = rows.filter((row) => familyOf(row).eventRank > 0 && !/[mM]ultinomial$/.test(row.name));
  test.each(continuous.map((row) => [label(row), row] as const))("%s", async (_, row) => {
    const family = familyOf(row);
    const event = tensor(row.x[0]!).shape;
    const bijector = bijectorTo(family.support({}));
    const [size] = bijector.eventRank === 0 ? event : bijector.unconstrainedShape(event);
    const step = await program({
      runtime: new Runtime({ blas: null }),
      inputs: { u: f64([size!]), ...Object.fromEntries(Object.entries(tensors(row.params)).map(([name, { shape }]) => [name, f64(shape)])) }, // biome-ignore format: one line
      body: ({ inputs }) => {
        const { u, ...params } = inputs as Record<string, Tensor>;
        const x = bijector.forward(u!);
        const density = family.logProb(x, params).add(bijector.logJacobian(u!, x).sum());
        return { outputs: { density, slope: gradient(density, [u!])[0]! } };
      },
    });
    const params = Object.entries(tensors(row.params)).map(([name, { data }]) => [name, Float64Array.from(data)]);
    const at = async (u: Float64Array) => {
      await step.run({ u, ...Object.fromEntries(params) });
      return { density: step.outputs.density!.read()[0]!, slope: Array.from(step.outputs.slope!.read()) };
    };
    const start = Float64Array.from({ length: size! }, (_, i) => Math.sin(3 * i + 1));
    const { density, slope } = await at(start);
    const h = 1e-3;
    for (const [i, u] of start.entries()) {
      const moved = async (by: number) => (await at(start.with(i, u + by))).density;
      const difference =
        (8 * ((await moved(h)) - (await moved(-h))) - ((await moved(2 * h)) - (await moved(-2 * h)))) / (12 * h);
      expect(Math.abs(slope[i]! - difference)).toBeLessThan(
        1e-8 * Math.abs(difference) + 1e-10 * (1 + Math.abs(density)),
      );
    }
  });
});
