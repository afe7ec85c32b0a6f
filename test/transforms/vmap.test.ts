import { describe, expect, test } from "vitest";
import { evaluateGraph } from "../../src/backends/reference/backend.ts";
import type { TypedArray } from "../../src/base/dtype.ts";
import { nodesOf } from "../../src/ir/graph.ts";
import type { Node } from "../../src/ir/node.ts";
import { createTrace } from "../../src/ops/trace.ts";
import type { Trace } from "../../src/ops/vocabulary.ts";
import { gradient } from "../../src/transforms/vjp.ts";
import { vmap } from "../../src/transforms/vmap.ts";
import { Random } from "../conformance/random.ts";

const [N, D, H] = [5, 3, 4];

/** Squared error of a small network on one example, and what it is made of. */
function network(b: Trace) {
  const [x, y] = [b.input("x", "f64", [D]), b.input("y", "f64", [])];
  const [v, w] = [b.input("v", "f64", [D, H]), b.input("w", "f64", [H, 1])];
  const hidden = b.tanh(b.matmul(b.reshape(x, [1, D]), v));
  const out = b.reshape(b.matmul(hidden, w), []);
  const error = b.sub(out, y);
  return { x, y, v, w, cost: b.mul(error, error) };
}

const random = new Random(5);
const numbers = (n: number) => Float64Array.from({ length: n }, () => random.between(-1, 1));
const data: Record<string, Float64Array> = { x: numbers(N * D), y: numbers(N), v: numbers(D * H), w: numbers(H) };

function evaluate(nodes: Record<string, Node>, values: Record<string, TypedArray>): Record<string, number[]> {
  const results = evaluateGraph({ outputs: new Map(Object.entries(nodes)) }, new Map(Object.entries(values)));
  return Object.fromEntries([...results].map(([name, v]) => [name, [...v]]));
}

const close = (got: readonly number[], want: readonly number[]) => {
  expect(got.length).toBe(want.length);
  for (const [i, w] of want.entries()) expect(got[i]).toBeCloseTo(w, 13);
};

describe("over examples", () => {
  const b = createTrace();
  const { x, y, v, w, cost } = network(b);
  const batch = new Map([
    [x, b.input("xs", "f64", [N, D])],
    [y, b.input("ys", "f64", [N])],
  ]);
  const parts = gradient(b, cost, [v, w]);
  const all = { ...data, xs: data.x!, ys: data.y! };
  const single = (i: number) => ({ ...data, x: data.x!.slice(i * D, (i + 1) * D), y: data.y!.slice(i, i + 1) });

  test("the costs are those of each example", () => {
    const [costs] = vmap(b, [cost], batch, N);
    const want = Array.from({ length: N }, (_, i) => evaluate({ cost }, single(i)).cost![0]!);
    close(evaluate({ costs: costs! }, all).costs!, want);
  });
  test("the gradients are those of each example", () => {
    const [dv, dw] = vmap(b, parts, batch, N);
    expect([dv!.shape, dw!.shape]).toEqual([
      [N, D, H],
      [N, H, 1],
    ]);
    const got = evaluate({ dv: dv!, dw: dw! }, all);
    for (let i = 0; i < N; i++) {
      const want = evaluate({ dv: parts[0]!, dw: parts[1]! }, single(i));
      close(got.dv!.slice(i * D * H, (i + 1) * D * H), want.dv!);
      close(got.dw!.slice(i * H, (i + 1) * H), want.dw!);
    }
  });
  test("the gradient of the summed costs is the sum of the gradients, whichever comes first", () => {
    const [costs] = vmap(b, [cost], batch, N);
    const [after] = gradient(b, b.sum(costs!, [0]), [v]);
    const [each] = vmap(b, [parts[0]!], batch, N);
    const got = evaluate({ after: after!, before: b.sum(each!, [0]) }, all);
    close(got.after!, got.before!);
  });
  test("a shared right operand makes one product of all rows", () => {
    const [costs] = vmap(b, [cost], batch, N);
    const products = nodesOf({ outputs: new Map([["c", costs!]]) }).filter((n) => n.op === "matmul");
    expect(products.map((n) => n.shape)).toEqual([
      [N, H],
      [N, 1],
    ]);
  });
});

test("nests: particles of examples", () => {
  const b = createTrace();
  const { x, y, v, w, cost } = network(b);
  const P = 2;
  const many = { xs: b.input("xs", "f64", [N, D]), ys: b.input("ys", "f64", [N]), vs: b.input("vs", "f64", [P, D, H]) };
  const [examples] = vmap(
    b,
    [cost],
    new Map([
      [x, many.xs],
      [y, many.ys],
    ]),
    N,
  );
  const [particles] = vmap(b, [examples!], new Map([[v, many.vs]]), P);
  expect(particles!.shape).toEqual([P, N]);
  const vs = numbers(P * D * H);
  const got = evaluate({ particles: particles! }, { ...data, xs: data.x!, ys: data.y!, vs }).particles!;
  for (let p = 0; p < P; p++) {
    for (let i = 0; i < N; i++) {
      const one = {
        ...data,
        v: vs.slice(p * D * H, (p + 1) * D * H),
        x: data.x!.slice(i * D, (i + 1) * D),
        y: data.y!.slice(i, i + 1),
      };
      expect(got[p * N + i]).toBeCloseTo(evaluate({ cost }, one).cost![0]!, 13);
    }
  }
  expect(w.shape).toEqual([H, 1]);
});

test("what does not depend on the batch is computed once and repeated", () => {
  const b = createTrace();
  const [x, z] = [b.input("x", "f64", [2]), b.input("z", "f64", [2])];
  const shared = b.exp(z);
  const [a, c] = vmap(b, [b.add(x, shared), shared], new Map([[x, b.input("xs", "f64", [3, 2])]]), 3);
  expect(nodesOf({ outputs: new Map([["a", a!]]) })).toContain(shared);
  expect(c!.shape).toEqual([3, 2]);
  expect(evaluate({ c: c! }, { z: Float64Array.of(0, 1), xs: new Float64Array(6) }).c).toEqual([
    1,
    Math.E,
    1,
    Math.E,
    1,
    Math.E,
  ]);
});
