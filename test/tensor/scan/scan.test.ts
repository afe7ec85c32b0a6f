import { describe, expect, test } from "vitest";
import { Runtime } from "../../../src/engine/runtime.ts";
import { f32, f64, gradient, i32, program } from "../../../src/program/program.ts";
import { full, gather, reshape, where } from "../../../src/tensor/functions.ts";
import { cholesky, cumsum } from "../../../src/tensor/linalg.ts";
import { scan, whileLoop } from "../../../src/tensor/scan.ts";
import type { Tensor } from "../../../src/tensor/tensor.ts";
import { vmap } from "../../../src/transforms/vmap.ts";
import { evaluate, given, scalar } from "../../evaluate.ts";
import { onBackends } from "../../on-backends.ts";

onBackends((place) => {
  test("an AR(1) from 0 is the geometric sum of its noise", async () => {
    const noise = [1, -2, 0.5, 3];
    const { carry, ys } = await evaluate(
      { phi: scalar(0.5), noise: given([4], noise) },
      ({ phi, noise }) => {
        const { carry, ys } = scan({ carry: full(phi, [], 0), xs: noise }, (y, e) => {
          const next = phi.mul(y).add(e);
          return { carry: next, y: next };
        });
        return { carry, ys };
      },
      place(),
    );
    const sums = noise.map((_, t) => noise.slice(0, t + 1).reduce((sum, e, s) => sum + 0.5 ** (t - s) * e, 0));
    expect(ys).toEqual(sums);
    expect(carry).toEqual([sums[3]]);
  });

  test("backwards, results stay in the order of the rows", async () => {
    const { ys } = await evaluate(
      { x: given([4], [1, 2, 3, 4]) },
      ({ x }) => ({ ys: scan({ carry: full(x, [], 0), xs: x, reverse: true }, (s, x) => ({ carry: s.add(x), y: s.add(x) })).ys }), // biome-ignore format: short
      place(),
    );
    expect(ys).toEqual([10, 9, 7, 4]);
  });

  test("no rows: the carry is that of the start, the results are empty", async () => {
    const got = await evaluate(
      { x: given([0, 2], []), c: given([2], [3, 4]) },
      ({ x, c }) => {
        const { carry, ys } = scan({ carry: c, xs: x }, (c, x) => ({ carry: c.add(x), y: x }));
        return { carry, ys, slope: gradient(carry.sum(), [c])[0]! };
      },
      place(),
    );
    expect(got).toEqual({ carry: [3, 4], ys: [], slope: [1, 1] });
  });

  test("carries and results keep their dtypes", async () => {
    const p = await program({
      ...place(),
      inputs: { a: f32([2]), n: i32([]), x: f64([3]) },
      body: ({ inputs: { a, n, x } }) => {
        const big = n.mul(2 ** 20).add(1);
        const { carry, ys } = scan({ carry: { a, big, even: n.eq(0) }, xs: x }, ({ a, big, even }, x, t) => ({
          carry: { a: a.mul(x.cast("f32")), big: big.add(t), even: even.eq(t.gt(0)) },
          y: { t, even, x, a },
        }));
        return {
          outputs: { ...carry, even: carry.even.cast("u8"), t: ys.t, evens: ys.even.cast("u8"), x: ys.x, as: ys.a },
        };
      },
    });
    await p.run({ a: [0.1, 2], n: 1000, x: [1, 2, 3] });
    const types = Object.fromEntries(Object.entries(p.outputs).map(([name, x]) => [name, `${x.dtype}${x.shape}`]));
    expect(types).toEqual({ a: "f322", big: "i32", even: "u8", t: "i323", evens: "u83", x: "f643", as: "f323,2" });
    const f = Math.fround;
    expect([...p.outputs.a.read()]).toEqual([f(f(f(0.1) * 2) * 3), 12]);
    // 1000 · 2²⁰ + 1 + 0 + 1 + 2: more than f32 holds exactly.
    expect([...p.outputs.big.read()]).toEqual([1000 * 2 ** 20 + 4]);
    expect([...p.outputs.t.read()]).toEqual([0, 1, 2]);
    expect([...p.outputs.evens.read()]).toEqual([0, 1, 1]);
    expect([...p.outputs.as.read()]).toEqual([0.1, 2, 0.1, 2, 0.2, 4].map(f));
  });

  test("an f32 program computes in f32", async () => {
    const p = await program({
      ...place(),
      inputs: { x: f32([5, 3]) },
      body: ({ inputs: { x } }) => {
        const { carry, ys } = scan({ carry: full(x, [3], 0), xs: x }, (s, x) => {
          const next = s.mul(0.5).add(x.exp());
          return { carry: next, y: next.sum() };
        });
        return { outputs: { carry, ys, dx: gradient(ys.sum(), [x])[0]! } };
      },
    });
    const x = Float32Array.from({ length: 15 }, (_, i) => Math.sin(i));
    await p.run({ x });
    const want = [0, 0, 0];
    const rows = Array.from({ length: 5 }, (_, t) => {
      for (let i = 0; i < 3; i++) want[i] = want[i]! * 0.5 + Math.exp(x[3 * t + i]!);
      return want[0]! + want[1]! + want[2]!;
    });
    for (const [i, w] of want.entries()) expect(p.outputs.carry.read()[i]).toBeCloseTo(w, 5);
    for (const [t, w] of rows.entries()) expect(p.outputs.ys.read()[t]).toBeCloseTo(w, 5);
    // A row's x counts in its own sum and, halved each time, in those after it: 2 − 2^(t − 4) times.
    for (const [i, d] of p.outputs.dx.read().entries()) {
      expect(d).toBeCloseTo(Math.exp(x[i]!) * (2 - 2 ** (Math.floor(i / 3) - 4)), 5);
    }
  });

  test("carries that only change places, and one that is a part of another before", async () => {
    const got = await evaluate(
      { a: given([3], [1, 2, 3]), b: given([3], [4, 5, 6]), c: scalar(7), d: scalar(8), e: given([2], [1, 2]) },
      ({ a, b, c, d, e }) => {
        const { carry } = scan({ carry: { a, b, c, d, e, first: c }, length: 3 }, ({ a, b, c, d, e }) => ({
          carry: { a: b, b: a, c: d, d: c, e: e.mul(10), first: reshape(e.narrow(0, 0, 1), []) },
        }));
        return carry;
      },
      place(),
    );
    expect(got).toEqual({ a: [4, 5, 6], b: [1, 2, 3], c: [8], d: [7], e: [1000, 2000], first: [100] });
  });

  test("rows that are spread over an axis still change with time", async () => {
    const { ys } = await evaluate(
      { x: given([3], [1, 2, 3]) },
      ({ x }) => {
        const xs = reshape(x, [3, 1]).broadcastTo([3, 2]);
        return { ys: scan({ carry: full(x, [2], 0), xs }, (s, x) => ({ carry: s.add(x), y: s.add(x) })).ys };
      },
      place(),
    );
    expect(ys).toEqual([1, 1, 3, 3, 6, 6]);
  });

  describe("until", () => {
    test.each([
      ["written out", (x: Tensor) => x],
      ["kernel by kernel", (x: Tensor) => reshape(cumsum(reshape(x, [1])), [])],
    ])("rows that another run took are 0 in a run that does not take them, %s", async (_name, through) => {
      const p = await program({
        ...place(),
        inputs: { limit: f64([]), start: f64([]) },
        body: ({ inputs: { limit, start } }) => {
          const doubled = scan({ carry: start, length: 6, until: (x) => x.gt(limit) }, (x) => ({
            carry: through(x).mul(2),
            y: x,
          }));
          return { outputs: { ys: doubled.ys, carry: doubled.carry, slope: gradient(doubled.ys.sum(), [start])[0]! } };
        },
      });
      await p.run({ limit: 1e9, start: 1 });
      expect([...p.outputs.ys.read()]).toEqual([1, 2, 4, 8, 16, 32]);
      expect([...p.outputs.slope.read()]).toEqual([63]);
      await p.run({ limit: 10, start: 3 });
      expect([...p.outputs.ys.read()]).toEqual([3, 6, 0, 0, 0, 0]);
      expect([...p.outputs.carry.read()]).toEqual([12]);
      expect([...p.outputs.slope.read()]).toEqual([3]);
    });

    const fibonacci = (limit: Tensor) =>
      scan({ carry: { a: full(limit, [], 0), b: full(limit, [], 1) }, length: 20, until: ({ b }) => b.gt(limit) }, ({ a, b }) => ({
        carry: { a: b, b: a.add(b) },
        y: b,
      })); // biome-ignore format: one call

    test("no step is taken from a carry where it holds; rows of steps not taken are 0", async () => {
      const got = await evaluate(
        { limit: scalar(10) },
        ({ limit }) => {
          const { carry, ys, steps } = fibonacci(limit);
          return { ...carry, ys, steps };
        },
        place(),
      );
      const first = [1, 1, 2, 3, 5, 8];
      expect(got).toEqual({ a: [8], b: [13], steps: [6], ys: [...first, ...new Array(14).fill(0)] });
    });

    test("Newton's iteration gives √a, and its gradient 1 / (2 √a) and −1 / (4 a √a)", async () => {
      const root = (a: Tensor) =>
        whileLoop(
          { x: a, before: a.mul(2) },
          ({ x, before }) => x.sub(before).abs().gt(1e-13),
          ({ x }) => ({ x: x.add(a.div(x)).mul(0.5), before: x }),
          { max: 100 },
        );
      const got = await evaluate(
        { a: scalar(7) },
        ({ a }) => {
          const { carry, steps } = root(a);
          const [first] = gradient(carry.x, [a]);
          return { x: carry.x, steps, first: first!, second: gradient(first!, [a])[0]! };
        },
        place(),
      );
      expect(got.x![0]).toBeCloseTo(Math.sqrt(7), 14);
      expect(got.first![0]).toBeCloseTo(0.5 / Math.sqrt(7), 13);
      expect(got.second![0]).toBeCloseTo(-0.25 / 7 / Math.sqrt(7), 12);
      expect(got.steps![0]).toBeLessThan(10);
    });

    test("over a batch, each element takes its own number of steps, in value and gradient", async () => {
      // Halving until below 1: x 2^(−n), with n the number of bits.
      const halved = (x: Tensor) =>
        scan({ carry: x, length: 30, until: (x) => x.lt(1) }, (x, _row, t) => ({
          carry: x.mul(0.5),
          y: x.mul(t.cast("f64")),
        }));
      const xs = [0.5, 3, 100, 7, 1];
      const got = await evaluate(
        { x: scalar(1), all: given([5], xs) },
        ({ x, all }) => {
          const { carry, steps, ys } = halved(x);
          const [slope] = gradient(carry.add(ys.sum()), [x]);
          const wide = vmap(x.trace, [carry, steps, slope!, ys.sum()].map((v) => v.node), new Map([[x.node, all.node]]), 5); // biome-ignore format: short
          const [carries, counts, slopes, sums] = wide.map((node) => x.of(node)) as [Tensor, Tensor, Tensor, Tensor];
          return { carries, counts, slopes, sums, after: gradient(carries.sum().add(sums.sum()), [all])[0]! };
        },
        place(),
      );
      const counts = xs.map((x) => (x < 1 ? 0 : Math.floor(Math.log2(x)) + 1));
      const sums = counts.map((n) => Array.from({ length: n }, (_, t) => t * 2 ** -t).reduce((a, b) => a + b, 0));
      expect(got.counts).toEqual(counts);
      expect(got.carries).toEqual(xs.map((x, i) => x * 2 ** -counts[i]!));
      expect(got.sums).toEqual(xs.map((x, i) => x * sums[i]!));
      const slopes = counts.map((n, i) => 2 ** -n + sums[i]!);
      expect(got.slopes).toEqual(slopes);
      expect(got.after).toEqual(slopes);
    });

    test("it is longer than one call of the loop", async () => {
      const got = await evaluate(
        { a: scalar(1) },
        ({ a }) => {
          const { carry, steps } = whileLoop(
            a,
            (x) => x.lt(1700),
            (x) => x.add(1),
            { max: 5000 },
          );
          const all = scan({ carry: a, length: 3000 }, (x, _row, t) => ({ carry: x.add(1), y: t }));
          return {
            carry,
            steps,
            last: all.carry,
            ys: all.ys.cast("f64"),
            slope: gradient(all.carry.square(), [a])[0]!,
          };
        },
        place(),
      );
      expect(got).toMatchObject({ carry: [1700], steps: [1699], last: [3001], slope: [6002] });
      expect(got.ys).toEqual(Array.from({ length: 3000 }, (_, t) => t));
    });
  });

  test("special functions and a Cholesky factor may stand in the body", async () => {
    const got = await evaluate(
      { x: given([3], [0.5, 1.5, 4]), a: given([2, 2], [4, 2, 2, 3]) },
      ({ x, a }) => {
        const { carry } = scan({ carry: full(x, [], 0), xs: x }, (s, x) => ({
          carry: s.add(x.lgamma()).add(x.pow(1.5)),
        }));
        const { ys } = scan({ carry: full(x, [], 0), xs: x }, (s, x) => ({ carry: s, y: cholesky(a.mul(x)).sum() }));
        return { carry, slope: gradient(carry, [x])[0]!, ys };
      },
      place(),
    );
    const lgamma = [Math.log(Math.PI) / 2, Math.log(Math.sqrt(Math.PI) / 2), Math.log(6)];
    const powers = [0.5, 1.5, 4].map((x) => x ** 1.5);
    expect(got.carry![0]).toBeCloseTo(
      [...lgamma, ...powers].reduce((a, b) => a + b, 0),
      12,
    );
    // ψ(½) = −γ − 2 log 2, ψ(3/2) = ψ(½) + 2, ψ(4) = 11/6 − γ
    const gamma = 0.5772156649015329;
    const psi = [-gamma - 2 * Math.LN2, 2 - gamma - 2 * Math.LN2, 11 / 6 - gamma];
    for (const [i, x] of [0.5, 1.5, 4].entries()) expect(got.slope![i]).toBeCloseTo(psi[i]! + 1.5 * Math.sqrt(x), 12);
    // [[2, 0], [1, √2]] √x
    for (const [i, x] of [0.5, 1.5, 4].entries()) expect(got.ys![i]).toBeCloseTo((3 + Math.SQRT2) * Math.sqrt(x), 12);
  });

  test("an index outside a table goes to its nearest row", async () => {
    const got = await evaluate(
      { table: given([3], [10, 20, 30]), s: given([3], [1, 2, 3]) },
      ({ table, s }) => {
        const { ys } = scan({ carry: s, length: 6 }, (s, _x, t) => {
          const at = reshape(t.sub(2), [1]);
          return { carry: s, y: [gather(table, at), gather(s, at), gather(s, at.maximum(0).cast("u32").mul(7))] };
        });
        return { outside: ys[0]!, inside: ys[1]!, far: ys[2]! };
      },
      place(),
    );
    expect(got.outside).toEqual([10, 10, 10, 20, 30, 30]);
    expect(got.inside).toEqual([1, 1, 1, 2, 3, 3]);
    expect(got.far).toEqual([1, 1, 1, 3, 3, 3]);
  });
});

describe("compiled", () => {
  const runtime = new Runtime({ blas: null });
  const ar = (steps: number) =>
    program({
      runtime,
      inputs: { k: f64([]), x: f64([steps]) },
      body: ({ inputs: { k, x } }) => {
        const { carry, ys } = scan({ carry: k, xs: x }, (s, x) => {
          const next = s.mul(k.exp()).add(x);
          return { carry: next, y: [next.sin(), next.tanh()] };
        });
        const value = carry.add(ys[0]!.sum());
        return { outputs: { value, slope: gradient(value, [k])[0]! } };
      },
    });

  test("what does not change from step to step is computed before the loop, what nobody reads not at all", async () => {
    const { graph } = (await ar(7)).explain();
    const lines = graph.split("\n");
    expect(lines.filter((l) => l.includes("exp("))).toEqual([expect.stringMatching(/^%\d+: f64\[\] = exp/)]);
    expect(graph).not.toContain("tanh");
    expect(lines.filter((l) => l.includes("= scan(")).length).toBe(2);
  });

  test("the graph prints the body", async () => {
    const { graph } = (await ar(7)).explain();
    expect(graph).toContain('\n    %2: f64[] = input() {name="state.0"}\n');
    expect(graph).toMatch(/\n {4}return state\.0 = %\d+\n/);
  });

  test("derivatives are also right where a value is read whole", async () => {
    const got = await evaluate({ x: given([3], [1, 2, 3]) }, ({ x }) => {
      const { ys } = scan({ carry: full(x, [], 1), xs: x }, (s, x) => ({ carry: s.mul(x), y: s.mul(x) }));
      return { ys, y: where(ys.gt(1.5), ys, ys.mul(ys)), slope: gradient(ys.sum(), [x])[0]! };
    });
    // x1 + x1 x2 + x1 x2 x3
    expect(got).toEqual({ ys: [1, 2, 6], y: [1, 2, 6], slope: [9, 4, 2] });
  });
});

describe("refuses", () => {
  const traced = (body: (x: Tensor) => unknown) =>
    program({ inputs: { x: f64([4, 2]) }, body: ({ inputs: { x } }) => ({ outputs: { y: body(x) as Tensor } }) });

  test.each<[string, (x: Tensor) => unknown]>([
    [
      "scan: carry.h begins as f64[2] and the step returns f64[1]: a carry keeps its dtype and shape; reshape, broadcast or cast one of them",
      (x) => scan({ carry: { h: full(x, [2], 0) }, xs: x }, ({ h }) => ({ carry: { h: h.narrow(0, 0, 1) } })),
    ],
    [
      "scan: carry begins as f64[] and the step returns f32[]: a carry keeps its dtype and shape; reshape, broadcast or cast one of them",
      (x) => scan({ carry: full(x, [], 0), xs: x }, (h) => ({ carry: h.cast("f32") })),
    ],
    [
      "scan: without xs (tensors whose first axis is time) the number of steps is needed: give `length`",
      (x) => scan({ carry: x }, (x) => ({ carry: x })),
    ],
    [
      "scan: xs.b is f64[2]; its first axis is time and must be 4, as that of the first of xs",
      (x) => scan({ carry: x, xs: { a: x, b: full(x, [2], 0) } }, (x) => ({ carry: x })),
    ],
    [
      "scan: xs is f64[4, 2]; its first axis is time and must be 5, as `length` says",
      (x) => scan({ carry: x, xs: x, length: 5 }, (x) => ({ carry: x })),
    ],
    [
      "scan: carry.h is a number; it must be a tensor: full(like, [], 0) makes one of a number",
      (x) => scan({ carry: { h: 0 as unknown as Tensor }, xs: x }, ({ h }) => ({ carry: { h } })),
    ],
    [
      "a tensor of a scan's step (its carry, x, t or what was made of them) is used outside that step",
      (x) => {
        const inside: Tensor[] = [];
        const { carry } = scan({ carry: x, length: 2 }, (x) => {
          inside.push(x);
          return { carry: x.mul(2) };
        });
        return carry.add(inside[0]!);
      },
    ],
    ["scan: length 2.5 is not a number of steps", (x) => scan({ carry: x, length: 2.5 }, (x) => ({ carry: x }))],
    [
      "scan: until gives f64[]; it must give one bool",
      (x) => scan({ carry: x, length: 2, until: (x) => x.sum() }, (x) => ({ carry: x })),
    ],
    [
      "scan: the step returns no carry.b: it must return every part of the carry it was given",
      (x) => scan({ carry: { a: x, b: x } as Record<string, Tensor>, length: 2 }, ({ a }) => ({ carry: { a: a! } })),
    ],
    [
      "scan: the step returns carry.b, which the carry at the start does not have",
      (x) => scan({ carry: { a: x } as Record<string, Tensor>, length: 2 }, ({ a }) => ({ carry: { a: a!, b: a! } })),
    ],
    [
      "scan: there is neither a carry nor xs: one of them needs a tensor",
      () => scan({ carry: {}, length: 2 }, () => ({ carry: {} })),
    ],
    [
      "scan: the step returns neither a carry nor y: there is no result",
      (x) => scan({ carry: {}, xs: x }, () => ({ carry: {} })),
    ],
  ])("%s", async (message, body) => {
    await expect(traced(body)).rejects.toThrow(message);
  });
});
