import { describe, expect, test } from "vitest";
import { reference } from "../../../src/backends/reference/backend.ts";
import type { DType } from "../../../src/base/dtype.ts";
import { sizeOf } from "../../../src/base/shape.ts";
import { Runtime } from "../../../src/engine/runtime.ts";
import { f32, f64, gradient, program } from "../../../src/program/program.ts";
import { concat, gather, matmul, reshape, scatterAdd, transpose, where } from "../../../src/tensor/functions.ts";
import { scan } from "../../../src/tensor/scan.ts";
import type { Tensor } from "../../../src/tensor/tensor.ts";
import { Random } from "../../conformance/random.ts";
import { type Scan, unrolled } from "./unrolled.ts";

// Bodies nobody thought of: what they give must be what the same steps written out give, in any type and form of the loop.

const T = 4;
const carries = { a: [3], b: [], c: [2, 3] } as const;
const rows = { x: [3], m: [3, 2] } as const;
const outside = { w: [3, 3], k: [2] } as const;
const shapes: Readonly<Record<string, readonly number[]>> = {
  ...carries,
  ...outside,
  x: [T, ...rows.x],
  m: [T, ...rows.m],
};

const axisOf = (random: Random, x: Tensor): number => random.below(x.shape.length);

/** One more tensor from a pool; null where the choice does not fit. */
function grow(random: Random, pool: readonly Tensor[], t: Tensor): Tensor | null {
  const x = random.pick(pool);
  const y = random.pick(pool);
  const same = pool.filter((z) => z.shape.join() === x.shape.join());
  const matrix = x.shape.length === 2;
  const index = t.add(random.below(4)).sub(2);
  switch (random.below(15)) {
    case 0:
      return x.tanh();
    case 1:
      return random.pick([x.sin(), x.sigmoid(), x.square().neg().exp(), x.softplus(), x.square().add(1).log()]);
    case 2:
      return x.add(random.pick(same));
    case 3:
      return x.mul(random.pick(same));
    case 4:
      return x.sub(random.pick(pool.filter((z) => z.shape.length === 0)));
    case 5:
      return x.maximum(random.pick(same));
    case 6:
      return where(x.gt(random.pick(same)), x, random.pick(same).mul(0.5));
    case 7:
      return x.shape.length ? x.sum(axisOf(random, x)) : null;
    case 8:
      return x.shape.length ? x.max(axisOf(random, x)) : null;
    case 9:
      return matrix ? transpose(x) : null;
    case 10:
      return matrix && y.shape.length === 2 && x.shape[1] === y.shape[0] ? matmul(x, y).mul(0.5) : null;
    case 11: {
      if (!x.shape.length) return null;
      const axis = axisOf(random, x);
      const from = random.below(x.shape[axis]!);
      return x.narrow(axis, from, 1 + random.below(x.shape[axis]! - from));
    }
    case 12:
      return x.shape.length && sizeOf(x.shape) < 12 ? concat([x, random.pick(same)], axisOf(random, x)) : null;
    case 13:
      return x.shape.length ? gather(x, reshape(index, [1])) : reshape(x, [1]);
    default:
      return x.shape.length ? scatterAdd(reshape(x, [1, ...x.shape]), reshape(index, [1]), 3) : null;
  }
}

/** A tensor of the wanted shape from whatever is there, and bounded. */
const fitted = (random: Random, pool: readonly Tensor[], shape: readonly number[]): Tensor => {
  const fits = pool.filter((x) => x.shape.join() === shape.join());
  return random.pick(fits).add(random.pick(pool).sum().mul(0.3)).tanh();
};

function body(seed: number, scan: Scan, inputs: Readonly<Record<string, Tensor>>): Tensor[] {
  const { a, b, c, x, m, w, k } = inputs as Record<"a" | "b" | "c" | "x" | "m" | "w" | "k", Tensor>;
  const result = scan(
    { carry: { a, b, c }, xs: { x, m }, reverse: seed % 3 === 0 },
    (carry, row, t) => {
      const random = new Random(seed);
      const pool: Tensor[] = [...Object.values(carry), ...Object.values(row), w, k];
      for (let i = 0; i < 18; i++) {
        const made = grow(random, pool, t);
        if (made && sizeOf(made.shape) < 40) pool.push(made);
      }
      const recent = pool.slice(-6);
      return {
        carry: { a: fitted(random, pool, [3]), b: fitted(random, pool, []), c: fitted(random, pool, [2, 3]) },
        y: [random.pick(recent), random.pick(recent)],
      };
    },
  ); // biome-ignore format: one call
  return [...Object.values(result.carry), ...result.ys];
}

const names = Object.keys(shapes);
const number = new Random(7);
const values = Object.fromEntries(
  names.map((name) => [name, Float64Array.from({ length: sizeOf(shapes[name]!) }, () => number.between(-1, 1))]),
);

async function run(seed: number, scan: Scan, dtype: DType, onReference: boolean): Promise<number[][]> {
  const spec = dtype === "f32" ? f32 : f64;
  const p = await program({
    runtime: new Runtime({ blas: null }),
    backend: onReference ? reference : undefined,
    inputs: Object.fromEntries(names.map((name) => [name, spec(shapes[name]!)])),
    body: ({ inputs }) => {
      const results = body(seed, scan, inputs);
      const cost = results.map((x) => x.square().sum()).reduce((p, q) => p.add(q));
      const all = [...results, ...gradient(cost, names.map((name) => inputs[name]!))]; // biome-ignore format: short
      return { outputs: Object.fromEntries(all.map((x, i) => [`${i}`, x])) };
    },
  });
  await p.run(values);
  return Object.values(p.outputs).map((buffer) => [
    ...(buffer as { read(): ArrayLike<number> & Iterable<number> }).read(),
  ]);
}

describe.each(Array.from({ length: 24 }, (_, i) => i + 1))("body %d", (seed) => {
  test("in f64 on both backends, and in f32", async () => {
    const want = await run(seed, unrolled, "f64", true);
    for (const [dtype, onReference, bound] of [
      ["f64", true, 1e-12],
      ["f64", false, 1e-12],
      ["f32", false, 2e-4],
    ] as const) {
      const got = await run(seed, scan, dtype, onReference);
      for (const [i, list] of want.entries()) {
        const scale = Math.max(1, ...list.map(Math.abs));
        expect(got[i]!.length).toBe(list.length);
        for (const [j, w] of list.entries())
          expect(Math.abs(got[i]![j]! - w) / scale, `${dtype} ${i} ${j}`).toBeLessThan(bound);
      }
    }
  });
});
