import { describe, expect, test } from "vitest";
import { evaluateGraph, reference } from "../../src/backends/reference/backend.ts";
import type { TypedArray } from "../../src/base/dtype.ts";
import { threefry2x32, type Words } from "../../src/base/rng.ts";
import type { Shape } from "../../src/base/shape.ts";
import { graphProgram } from "../../src/engine/program.ts";
import { Runtime } from "../../src/engine/runtime.ts";
import { createTrace } from "../../src/ops/trace.ts";
import { program, u32 } from "../../src/program/program.ts";
import * as f from "../../src/tensor/functions.ts";
import {
  bernoulli,
  type Key,
  normal,
  randomWords,
  threefry,
  uniform,
  unit32,
  unit64,
} from "../../src/tensor/random.ts";
import { Tensor } from "../../src/tensor/tensor.ts";
import * as d from "./normality.ts";

const runtime = new Runtime({ relaxed: false });

describe.each([
  ["wasm", undefined],
  ["reference", reference],
])("threefry in a program on %s", (_name, backend) => {
  test("gives Random123's known answers, and the host's words for every counter", async () => {
    // Counter, key: kat_vectors' three, then others.
    const rows: [Words, Words][] = [
      [
        [0, 0],
        [0, 0],
      ],
      [
        [0xffffffff, 0xffffffff],
        [0xffffffff, 0xffffffff],
      ],
      [
        [0x243f6a88, 0x85a308d3],
        [0x13198a2e, 0x03707344],
      ],
      ...Array.from({ length: 30 }, (_, i): [Words, Words] => [
        [i, i * 77],
        [i * 1234567, 9],
      ]),
    ];
    const p = await graphProgram({
      state: {},
      inputs: Object.fromEntries(["c0", "c1", "k0", "k1"].map((name) => [name, u32([rows.length])])),
      runtime,
      backend,
      trace: (b, _state, x) => {
        const t = (name: string) => new Tensor(b, x[name]!);
        const [w0, w1] = threefry([t("k0"), t("k1")], [t("c0"), t("c1")]);
        return { state: {}, outputs: { w0: w0.node, w1: w1.node } };
      },
    });
    const column = (i: 0 | 1, j: 0 | 1) => rows.map((r) => r[i][j]);
    await p.run({ c0: column(0, 0), c1: column(0, 1), k0: column(1, 0), k1: column(1, 1) });
    const got = rows.map((_, i) => [p.outputs.w0!.view()[i], p.outputs.w1!.view()[i]]);
    expect(got.slice(0, 3)).toEqual([
      [0x6b200159, 0x99ba4efe],
      [0x1cb996fc, 0xbb002be7],
      [0xc4923a9c, 0x483df7a0],
    ]);
    expect(got).toEqual(rows.map(([counter, key]) => threefry2x32(key, counter)));
  });
});

type Draw = (key: Key<Tensor>, like: Tensor) => Tensor;

/** What a draw gives for this seed, compiled. */
async function drawn(draw: Draw, seed = 1): Promise<TypedArray> {
  const p = await program({
    runtime,
    deterministic: true,
    body: ({ rng }) => ({ outputs: { y: draw(rng, rng.words[0]) } }),
  });
  await p.run({}, 1, { seed });
  return p.outputs.y.read();
}

const N = 200_000;
const SHAPE: Shape = [N / 100, 100];
/** Standard errors beyond which a sampler is taken for wrong. */
const LIMIT = 4;

const badMoments = (x: ArrayLike<number>) => d.momentErrors(x).some((e) => Math.abs(e) > LIMIT);
const badTails = (x: ArrayLike<number>) => d.tailErrors(x).some((e) => Math.abs(e) > LIMIT);
const badNormal = (x: ArrayLike<number>) => d.kolmogorovSmirnov(x, d.normalCdf) > 1.95;
const badUniform = (x: ArrayLike<number>) => d.kolmogorovSmirnov(x, d.uniformCdf) > 1.95;

function badBits(words: ArrayLike<number>): boolean {
  return Array.from({ length: 32 }, (_, bit) => {
    let ones = 0;
    for (let i = 0; i < words.length; i++) ones += (words[i]! >>> bit) & 1;
    return d.countError(ones, words.length, 0.5);
  }).some((e) => Math.abs(e) > LIMIT);
}

describe.each(["f32", "f64"] as const)("normal draws in %s", (dtype) => {
  const right: Draw = (key) => normal(key, SHAPE, dtype);
  test("have the distribution, four moments and tails of N(0, 1)", async () => {
    const x = await drawn(right);
    expect(d.kolmogorovSmirnov(x, d.normalCdf)).toBeLessThan(1.95);
    for (const e of [...d.momentErrors(x), ...d.tailErrors(x)]) expect(Math.abs(e)).toBeLessThan(LIMIT);
  });
  test("have a tail beyond 4.5 of the right weight", async () => {
    const x = await drawn((key) =>
      f.cast(f.sum(f.cast(f.gt(f.abs(normal(key, [4_000_000], dtype)), 4.5), "u32")), "f64"),
    );
    // P(|z| > 4.5) = 6.795e-6, so 27.2 expected.
    expect(Math.abs(d.countError(x[0]!, 4_000_000, 6.795346e-6))).toBeLessThan(3);
  });
  test("do not depend on their neighbours", async () => {
    const x = await drawn(right);
    for (const lag of [1, 2, 100, 101])
      expect(Math.abs(d.correlationError(x.subarray(lag), x.subarray(0, -lag)))).toBeLessThan(LIMIT);
    const square = x.map((v) => (v * v - 1) / Math.SQRT2);
    for (const lag of [1, 100])
      expect(Math.abs(d.correlationError(square.subarray(lag), square.subarray(0, -lag)))).toBeLessThan(LIMIT);
  });

  describe("a sampler that is slightly wrong is found out", () => {
    test("by its scale: sd 1.02", async () => {
      const x = await drawn((key) => f.mul(right(key, key.words[0]), 1.02));
      expect([badMoments(x), badNormal(x)]).toEqual([true, true]);
    });
    test("by its mean: 0.02", async () => {
      const x = await drawn((key) => f.add(right(key, key.words[0]), 0.02));
      expect([badMoments(x), badNormal(x)]).toEqual([true, true]);
    });
    test("by its tails: cut at 3", async () => {
      const x = await drawn((key) => f.minimum(f.maximum(right(key, key.words[0]), -3), 3));
      expect([badTails(x), badMoments(x)]).toEqual([true, true]);
    });
    test("by its tails: the sum of twelve uniform draws", async () => {
      const x = await drawn((key) => f.sub(f.sum(uniform(key, [N, 12], dtype), 1), 6));
      expect([badTails(x), badMoments(x)]).toEqual([true, true]);
    });
    test("Box and Muller with one uniform draw used twice", async () => {
      const x = await drawn((key) => {
        const u = uniform(key, SHAPE, dtype);
        return f.mul(f.sqrt(f.mul(f.log(u), -2)), f.cos(f.mul(u, 2 * Math.PI)));
      });
      expect([badNormal(x), badMoments(x)]).toEqual([true, true]);
    });
    test("one draw used for two", async () => {
      const x = await drawn((key) => f.broadcastTo(normal(key, [N / 2, 1], dtype), [N / 2, 2]));
      expect(Math.abs(d.correlationError(x.subarray(1), x.subarray(0, -1)))).toBeGreaterThan(10);
    });
  });
});

describe.each(["f32", "f64"] as const)("uniform draws in %s", (dtype) => {
  test("have the distribution of U(0, 1), every bit of it", async () => {
    const x = await drawn((key) => uniform(key, SHAPE, dtype));
    expect(badUniform(x)).toBe(false);
    expect(badBits(await drawn((key) => randomWords(key, SHAPE)))).toBe(false);
    const cells = new Float64Array(400);
    for (let i = 0; i + 1 < x.length; i += 2) cells[20 * Math.floor(20 * x[i]!) + Math.floor(20 * x[i + 1]!)]!++;
    expect(Math.abs(d.chiSquareError(cells))).toBeLessThan(LIMIT);
  });
  test("a missing bit is found out", async () => {
    const dropped =
      (bit: number): Draw =>
      (key) =>
        f.and(randomWords(key, SHAPE), ~(1 << bit) >>> 0);
    for (const bit of [31, 12, 0]) expect(badBits(await drawn(dropped(bit)))).toBe(true);
    const unit = dtype === "f32" ? (w: Tensor) => unit32(w) : (w: Tensor) => unit64(w, w);
    expect(badUniform(await drawn((key, like) => unit(dropped(31)(key, like))))).toBe(true);
    expect(badUniform(await drawn((key, like) => unit(dropped(24)(key, like))))).toBe(true);
  });
  test("never are 0 or 1, whatever the words", () => {
    const b = createTrace();
    const w = (value: number) => new Tensor(b, b.constant(value, "u32", []));
    const unit = (value: number) => (dtype === "f32" ? unit32(w(value)) : unit64(w(value), w(value)));
    const ends = { low: unit(0).node, high: unit(0xffffffff).node };
    const values = evaluateGraph({ outputs: new Map(Object.entries(ends)) }, new Map());
    expect(values.get("low")![0]).toBeGreaterThan(0);
    expect(values.get("high")![0]).toBeLessThan(1);
    expect(values.get("low")![0]! + values.get("high")![0]!).toBe(1);
  });
});

describe("Bernoulli draws", () => {
  const share = async (p: number, dtype: "f32" | "f64" = "f32", seed = 1) => {
    const x = await drawn((key, like) => bernoulli(key, f.full(like, [], p, dtype), SHAPE), seed);
    return Array.from(x).reduce((s, v) => s + v, 0);
  };
  test.each([0.5, 0.3, 0.01, 0.999])("of probability %d are 1 that often", async (p) => {
    for (const dtype of ["f32", "f64"] as const)
      expect(Math.abs(d.countError(await share(p, dtype), N, p))).toBeLessThan(LIMIT);
  });
  test("of probability 0 and 1 are sure", async () => {
    expect(await share(0)).toBe(0);
    expect(await share(1)).toBe(N);
  });
  test("p + 0.01 is found out", async () => {
    expect(Math.abs(d.countError(await share(0.31), N, 0.3))).toBeGreaterThan(LIMIT);
  });
});

describe("draws follow their key and their rows, and nothing else", () => {
  const rows = (list: readonly number[], like: Tensor) => f.concat(list.map((r) => f.full(like, [1], r, "u32")));
  test("a row's draw is the same in any batch, order and layout", async () => {
    for (const dtype of ["f32", "f64"] as const) {
      const all = await drawn((key) => normal(key, [10, 7], dtype));
      const some = [5, 3, 9, 3];
      const few = await drawn((key, like) => normal(key, [4, 7], dtype, { rows: rows(some, like) }));
      for (const [i, r] of some.entries()) expect(few.slice(7 * i, 7 * i + 7)).toEqual(all.slice(7 * r, 7 * r + 7));
      const apart = await drawn((key) => f.reshape(f.transpose(f.transpose(normal(key, [10, 7], dtype))), [70]));
      expect(apart).toEqual(all);
    }
  });
  test("a row's draw does not depend on how many follow it", async () => {
    const [long, short] = [
      await drawn((key) => normal(key, [10, 7], "f32")),
      await drawn((key) => normal(key, [4, 7], "f32")),
    ];
    expect(short).toEqual(long.slice(0, 28));
  });
  test("sites, steps and seeds have draws of their own", async () => {
    const draw = (key: Key<Tensor>) => normal(key, [N], "f32");
    const samples = [
      await drawn(draw),
      await drawn(draw, 2),
      await drawn(draw, 2 ** 32 + 1),
      await drawn((key) => draw(key.site("a"))),
      await drawn((key) => draw(key.site("b"))),
      await drawn((key, like) => draw(key.fold(f.full(like, [], 0)))),
      await drawn((key, like) => draw(key.fold(f.full(like, [], 1)))),
      await drawn((key, like) => draw(key.site("a").fold(f.full(like, [], 1)))),
      await drawn((key, like) => draw(key.fold(f.full(like, [], 1)).site("a"))),
    ];
    for (const [i, x] of samples.entries()) {
      for (const y of samples.slice(i + 1)) expect(Math.abs(d.correlationError(x, y))).toBeLessThan(LIMIT);
    }
  });
  test("the same seed gives the same bits", async () => {
    expect(await drawn((key) => normal(key, [50], "f32"), 9)).toEqual(
      await drawn((key) => normal(key, [50], "f32"), 9),
    );
  });
});

describe("shuffle", () => {
  const DRAWS = 24_000;
  /** How often each of the 24 permutations of 4 comes. */
  const counts = (codes: ArrayLike<number>) => {
    const out = new Map<number, number>();
    for (let i = 0; i < codes.length; i++) out.set(codes[i]!, (out.get(codes[i]!) ?? 0) + 1);
    return out;
  };
  test("gives every permutation equally often", async () => {
    const p = await program({
      state: { t: u32([]) },
      runtime,
      deterministic: true,
      body: ({ state: { t }, rng }) => {
        const order = f.shuffle(randomWords(rng.fold(t), [4]));
        const digit = (i: number) => f.mul(f.cast(order.slice([i], [1]).reshape([]), "f64"), 10 ** i);
        const code = [0, 1, 2, 3].map(digit).reduce((x, y) => x.add(y));
        return { state: { t: t.add(1) }, outputs: { code } };
      },
    });
    const { metrics } = await p.run({}, DRAWS, { seed: 3 });
    const found = counts(metrics.code!);
    expect([...found.keys()].every((code) => [...String(code).padStart(4, "0")].sort().join("") === "0123")).toBe(true);
    expect(found.size).toBe(24);
    expect(d.chiSquareError([...found.values()])).toBeLessThan(LIMIT);
  });
  test("exchanging with any place instead of an earlier one would be found out", () => {
    const codes = Array.from({ length: DRAWS }, (_, i) => {
      const order = [0, 1, 2, 3];
      for (let k = 0; k < 4; k++) {
        const j = Math.floor((threefry2x32([1, 2], [i, k])[0] / 2 ** 32) * 4);
        [order[k], order[j]] = [order[j]!, order[k]!];
      }
      return order.reduce((n, v, k) => n + v * 10 ** k, 0);
    });
    expect(d.chiSquareError([...counts(codes).values()])).toBeGreaterThan(LIMIT);
  });
});
