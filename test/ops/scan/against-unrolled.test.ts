import { describe, expect, test } from "vitest";
import { reference } from "../../../src/backends/reference/backend.ts";
import { Runtime } from "../../../src/engine/runtime.ts";
import type { Node } from "../../../src/ir/node.ts";
import { gradient } from "../../../src/program/program.ts";
import { customVjp, full, gather, iota, matmul, reshape, where } from "../../../src/tensor/functions.ts";
import { cumsum } from "../../../src/tensor/linalg.ts";
import { Key, normal } from "../../../src/tensor/random.ts";
import { scan } from "../../../src/tensor/scan.ts";
import type { Tensor } from "../../../src/tensor/tensor.ts";
import { leavesOf, rebuildTree } from "../../../src/tensor/tree.ts";
import { vmap } from "../../../src/transforms/vmap.ts";
import type { VaePlace } from "../../../src/vae/vae.ts";
import { Random } from "../../conformance/random.ts";
import { evaluate, type Given, given } from "../../evaluate.ts";
import { type Scan, unrolled } from "./unrolled.ts";

// A loop means its step written out once a row. So must its value, its first and second derivatives, and all of that over a batch.

const T = 5;
const shapes = { h: [3], c: [], xs: [T, 3], ys: [T], w: [3, 3], k: [] } as const;
type Name = keyof typeof shapes;
type Inputs = Readonly<Record<Name, Tensor>>;

/** A model made of one scan or several: a scalar that depends on all inputs. */
type Model = (scan: Scan, inputs: Inputs) => Tensor;

const total = (...xs: readonly Tensor[]): Tensor => xs.map((x) => x.square().sum()).reduce((a, b) => a.add(b));

const models: Readonly<Record<string, Model>> = {
  "a recurrent network": (scan, { h, xs, w, k }) => {
    const { carry, ys } = scan({ carry: h, xs }, (s, x) => {
      const next = reshape(matmul(reshape(s, [1, 3]), w), [3])
        .add(x)
        .mul(k)
        .tanh();
      return { carry: next, y: next.mul(x) };
    });
    return total(carry, ys);
  },
  "several carries, a record of xs, two results": (scan, { h, c, xs, ys, k }) => {
    const result = scan({ carry: { h, c }, xs: { x: xs, y: ys } }, ({ h, c }, { x, y }) => {
      const v = c.mul(0.5).add(y.sin()).add(h.sum().mul(0.1));
      const next = h.mul(v.sigmoid()).add(x.mul(k));
      return { carry: { h: next, c: v }, y: [next.max(), v.exp()] };
    });
    return total(result.carry.h, result.carry.c, ...result.ys);
  },
  "carries that change places": (scan, { h, xs, c }) => {
    const { carry } = scan({ carry: [h, xs.sum(0).mul(c)], xs }, ([a, b], x) => ({ carry: [b!, a!.add(x).mul(0.5)] }));
    return total(...carry);
  },
  backwards: (scan, { h, xs, k }) => {
    const { carry, ys } = scan({ carry: h, xs, reverse: true }, (s, x) => ({
      carry: s.mul(k).add(x.cos()),
      y: s.mul(x),
    }));
    return total(carry, ys);
  },
  "the number of the row": (scan, { h, xs, w }) => {
    const { carry, ys } = scan({ carry: h, length: T }, (s, _x, t) => {
      const row = reshape(gather(xs, reshape(t, [1])), [3]);
      const even = t.eq(2);
      return { carry: where(even, s.mul(2), s.add(row)), y: reshape(gather(w, reshape(t, [1])), [3]).mul(s) };
    });
    return total(carry, ys);
  },
  "a loop within a loop": (scan, { h, xs, w, k }) => {
    const { carry, ys } = scan({ carry: h, xs }, (s, x) => {
      const inner = scan({ carry: s, xs: w }, (u, row) => {
        const next = u.mul(row.sum()).mul(0.3).add(x.mul(k)).tanh();
        return { carry: next, y: next.sum() };
      });
      return { carry: inner.carry, y: inner.ys };
    });
    return total(carry, ys);
  },
  "without a carry": (scan, { xs, k, h, c, ys }) => {
    const { ys: made } = scan({ carry: c, xs: { xs, ys } }, (c, { xs: x, ys: y }) => ({
      carry: c,
      y: x.mul(k).add(h).mul(y),
    }));
    return total(made);
  },
  "a log-sum-exp recursion": (scan, { h, xs, w }) => {
    const { carry } = scan({ carry: h, xs }, (alpha, x) => ({
      carry: reshape(alpha, [3, 1]).add(w).logsumexp(0).add(x),
    }));
    return carry.logsumexp();
  },
  "random numbers, a gradient and a gradient rule inside the step": (scan, { h, xs, k }) => {
    const key = new Key<Tensor>([full(h, [], 3, "u32"), full(h, [], 4, "u32")]);
    const { carry, ys } = scan({ carry: h, xs }, (s, x, t) => {
      const noise = normal(key.fold(t), [3], "f64");
      const [slope] = gradient(s.mul(k).sin().sum(), [s]);
      // Twice the gradient that sin has.
      const doubled = customVjp(s.sin(), [s], (g, _y, [s]) => [g.mul(s!.cos()).mul(2)]);
      return { carry: s.add(slope!.mul(0.1)).add(noise.mul(0.2)).add(x), y: doubled.mul(noise) };
    });
    return total(carry, ys);
  },
  "more than a few elements": (scan, { h, xs, k }) => {
    const wide = (x: Tensor) => reshape(x, [3, 1]).mul(iota(x, [1, 20], 1, "f64").mul(0.05).sub(0.4));
    const { carry, ys } = scan({ carry: wide(h), xs }, (s, x) => {
      const next = s.mul(k).add(wide(x)).tanh();
      return { carry: next, y: next.sum(0) };
    });
    return total(carry, ys);
  },
};

const random = new Random(11);
const draw = (shape: readonly number[]): Given =>
  given(
    shape,
    Float64Array.from({ length: shape.reduce((n, d) => n * d, 1) }, () => random.between(-1, 1)),
  );
const names = Object.keys(shapes) as Name[];
const values = Object.fromEntries(names.map((name) => [name, draw(shapes[name])])) as Record<Name, Given>;
const B = 3;
const batches = Object.fromEntries(names.map((name) => [name, draw([B, ...shapes[name]])])) as Record<Name, Given>;

/** Value, gradients, and gradients of a function of the gradients. */
function derivatives(model: Model, scan: Scan, inputs: Inputs): Record<string, Tensor> {
  const xs = names.map((name) => inputs[name]);
  const value = model(scan, inputs);
  const first = gradient(value, xs);
  const mixed = first.map((g, i) =>
    g
      .mul(full(g, g.shape, 0.3 + 0.1 * i))
      .add(g.square().mul(0.1))
      .sum(),
  );
  const second = gradient(mixed.reduce((a, b) => a.add(b)), xs); // biome-ignore format: short
  return {
    value,
    ...Object.fromEntries(first.map((g, i) => [`d ${names[i]}`, g])),
    ...Object.fromEntries(second.map((g, i) => [`dd ${names[i]}`, g])),
  };
}

function expectClose(got: Record<string, number[]>, want: Record<string, number[]>): void {
  for (const [name, list] of Object.entries(want)) {
    const scale = Math.max(1, ...list.map(Math.abs));
    expect(got[name]!.length, name).toBe(list.length);
    for (const [i, w] of list.entries())
      expect(Math.abs(got[name]![i]! - w) / scale, `${name}[${i}]`).toBeLessThan(1e-12);
  }
}

/** The model with some inputs given in batches. */
function overBatch(
  outputs: readonly Tensor[],
  inputs: Inputs,
  wide: Readonly<Partial<Record<Name, Tensor>>>,
): Tensor[] {
  const b = outputs[0]!.trace;
  const replaced = new Map<Node, Node>();
  for (const [name, x] of Object.entries(wide)) replaced.set(inputs[name as Name].node, x.node);
  return vmap(b, outputs.map((x) => x.node), replaced, B).map((node) => outputs[0]!.of(node)); // biome-ignore format: short
}

/** Running sums of one number each: a body with an op that only its own kernel computes is not written out. */
const kernelByKernel: Scan = (options, step) =>
  scan(options, (carry, x, t) => {
    const leaves = leavesOf(carry, "").map(({ tensor }) =>
      reshape(cumsum(reshape(tensor, [...tensor.shape, 1])), tensor.shape),
    );
    return step(rebuildTree(carry, leaves), x, t);
  });

const ways: readonly { readonly name: string; readonly scan: Scan; readonly place: () => VaePlace }[] = [
  { name: "reference", scan, place: () => ({ runtime: new Runtime({ blas: null }), backend: reference }) },
  { name: "wasm", scan, place: () => ({ runtime: new Runtime({ blas: null }) }) },
  { name: "wasm, kernel by kernel", scan: kernelByKernel, place: () => ({ runtime: new Runtime({ blas: null }) }) },
];

const oracle: VaePlace = { runtime: new Runtime({ blas: null }), backend: reference };

describe.each(Object.entries(models))("%s", (_name, model) => {
  test("value, gradients and second derivatives", async () => {
    const want = await evaluate(values, (inputs) => derivatives(model, unrolled, inputs), oracle);
    for (const { scan, place } of ways) {
      expectClose(await evaluate(values, (inputs) => derivatives(model, scan, inputs), place()), want);
    }
  });

  test.each([["h", "ys"], ["k", "w"], ["xs", "c"], names] as Name[][])(
    "over a batch of %s and %s",
    async (...chosen) => {
      const all: Record<string, Given> = { ...values };
      for (const name of chosen) all[`all ${name}`] = batches[name];
      const run = (scan: Scan, place: VaePlace) =>
        evaluate(
          all,
          (given) => {
            const inputs = given as Inputs;
            const wide = Object.fromEntries(chosen.map((name) => [name, given[`all ${name}`]!]));
            const value = model(scan, inputs);
            const outputs = overBatch([value, ...gradient(value, names.map((name) => inputs[name]))], inputs, wide); // biome-ignore format: short
            // The other order: the gradient of a batch.
            const after = gradient(outputs[0]!.square().sum(), Object.values(wide));
            return Object.fromEntries([...outputs, ...after].map((x, i) => [`${i}`, x]));
          },
          place,
        );
      const want = await run(unrolled, oracle);
      for (const { scan, place } of ways) expectClose(await run(scan, place()), want);
    },
  );
});
