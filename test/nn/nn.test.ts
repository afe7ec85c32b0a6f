import { describe, expect, test } from "vitest";
import { Runtime } from "../../src/engine/runtime.ts";
import { activations } from "../../src/nn/activation.ts";
import { constant, glorotLayers, heLayers, type Initialiser, normalLayers } from "../../src/nn/initialiser.ts";
import { layoutOf, pack, parameterAt, unpack } from "../../src/nn/layout.ts";
import { mlp } from "../../src/nn/mlp.ts";
import { f32, gradient, program } from "../../src/program/program.ts";
import { evaluate, given } from "../evaluate.ts";
import { onBackends } from "../on-backends.ts";

describe("activations", () => {
  const x = [-3, -0.5, -1e-3, 0.25, 2];
  const formulas: Record<keyof typeof activations, (x: number) => number> = {
    tanh: Math.tanh,
    relu: (v) => Math.max(v, 0),
    softplus: (v) => Math.log(1 + Math.exp(v)),
    sigmoid: (v) => 1 / (1 + Math.exp(-v)),
    elu: (v) => (v > 0 ? v : Math.exp(v) - 1),
    "leaky-relu": (v) => (v > 0 ? v : 0.01 * v),
    // Φ by Simpson's rule on the density.
    gelu: (v) => {
      let sum = 0;
      for (let i = 0; i <= 1000; i++)
        sum += (i % 1000 === 0 ? 1 : i % 2 ? 4 : 2) * Math.exp(-(((v * i) / 1000) ** 2) / 2);
      return v * (0.5 + ((v / 3000) * sum) / Math.sqrt(2 * Math.PI));
    },
    linear: (v) => v,
  };
  onBackends((place) => {
    test.each(Object.keys(activations) as (keyof typeof activations)[])("%s and its slope", async (name) => {
      const { y, slope } = await evaluate(
        { x: given([x.length], x) },
        ({ x }) => {
          const y = activations[name](x);
          return { y, slope: gradient(y.sum(), [x])[0]! };
        },
        place(),
      );
      const h = 1e-6;
      for (const [i, v] of x.entries()) {
        expect(y![i]).toBeCloseTo(formulas[name](v), 10);
        expect(slope![i]).toBeCloseTo((formulas[name](v + h) - formulas[name](v - h)) / (2 * h), 7);
      }
    });
  });
});

test("a network is its layers one after the other, with a bias each and several heads", async () => {
  const net = mlp({
    name: "n",
    inputs: 3,
    hidden: [4, 2],
    heads: { a: 1, b: 2 },
    activation: "tanh",
    initialiser: normalLayers(1),
  });
  const layout = layoutOf(net.specs);
  expect(layout.places.map((p) => [p.name, p.shape])).toEqual([
    ["n.0.weight", [3, 4]], ["n.0.bias", [4]], ["n.1.weight", [4, 2]], ["n.1.bias", [2]],
    ["n.a.weight", [2, 1]], ["n.a.bias", [1]], ["n.b.weight", [2, 2]], ["n.b.bias", [2]],
  ]); // biome-ignore format: pairs
  const flat = Array.from({ length: layout.size }, (_, i) => Math.sin(i + 1));
  const x = [0.3, -1, 2];
  const found = await evaluate({ flat: given([layout.size], flat), x: given([1, 3], x) }, ({ flat, x }) => net.apply(unpack(flat, layout), x)); // biome-ignore format: short
  const dense = (input: number[], name: string): number[] => {
    const at = (part: string) => layout.places.find((p) => p.name === `${name}.${part}`)!;
    const [w, b] = [at("weight"), at("bias")];
    const out = b.size;
    return Array.from({ length: out }, (_, j) =>
      input.reduce((s, v, i) => s + v * flat[w.offset + i * out + j]!, flat[b.offset + j]!),
    );
  };
  const hidden = dense(dense(x, "n.0").map(Math.tanh), "n.1").map(Math.tanh);
  for (const head of ["a", "b"]) dense(hidden, `n.${head}`).forEach((v, i) => expect(found[head]![i]).toBeCloseTo(v, 12)); // biome-ignore format: short
});

test("packing undoes unpacking, and every element has a name", async () => {
  const specs = [
    { name: "w", shape: [2, 3], initialise: constant(0) },
    { name: "b", shape: [], initialise: constant(0) },
    { name: "c", shape: [4], initialise: constant(0) },
  ];
  const layout = layoutOf(specs);
  const flat = Array.from({ length: 11 }, (_, i) => i);
  const { back } = await evaluate({ flat: given([11], flat) }, ({ flat }) => ({
    back: pack(Object.values(unpack(flat, layout))),
  }));
  expect(back).toEqual(flat);
  expect([0, 5, 6, 7, 10].map((i) => parameterAt(layout, i))).toEqual(["w[0, 0]", "w[1, 2]", "b[]", "c[0]", "c[3]"]);
});

describe("first weights", () => {
  const [fanIn, fanOut] = [300, 200];
  const draw = async (initialise: Initialiser, shape: readonly number[]) => {
    const run = await program({
      runtime: new Runtime({ blas: null }),
      state: { w: f32(shape) },
      body: ({ rng }) => ({ state: { w: initialise(rng, shape, "f32") } }),
    });
    await run.run({}, 1, { seed: 2 });
    return run.state.w.read() as Float32Array;
  };
  const moments = (x: Float32Array) => {
    const mean = x.reduce((s, v) => s + v / x.length, 0);
    return { mean, variance: x.reduce((s, v) => s + (v - mean) ** 2 / x.length, 0) };
  };
  const cases = [
    ["normal:0.05", normalLayers(0.05), 0.05 ** 2, 2],
    ["glorot", glorotLayers, 2 / (fanIn + fanOut), 0.8],
    ["he", heLayers, 2 / fanIn, 2],
  ] as const;
  test.each(cases)("%s have their variance", async (_name, { weight }, variance, kurtosis) => {
    const x = await draw(weight, [fanIn, fanOut]);
    const found = moments(x);
    expect(Math.abs(found.mean)).toBeLessThan(4 * Math.sqrt(variance / x.length));
    expect(Math.abs(found.variance / variance - 1)).toBeLessThan(4 * Math.sqrt(kurtosis / x.length));
  });
  test("glorot's are within √(6 / (in + out)); its biases and he's are 0, normal's are not", async () => {
    const limit = Math.sqrt(6 / (fanIn + fanOut));
    const x = await draw(glorotLayers.weight, [fanIn, fanOut]);
    expect(Math.max(...x)).toBeLessThanOrEqual(limit);
    expect(Math.max(...x)).toBeGreaterThan(0.999 * limit);
    expect((await draw(glorotLayers.bias, [50])).every((v) => v === 0)).toBe(true);
    expect((await draw(heLayers.bias, [50])).every((v) => v === 0)).toBe(true);
    expect(moments(await draw(normalLayers(1).bias, [5000])).variance).toBeCloseTo(1, 1);
  });
});
