import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { ShapeError } from "../../src/base/errors.ts";
import { Runtime } from "../../src/engine/runtime.ts";
import { nodesOf } from "../../src/ir/graph.ts";
import { createTrace } from "../../src/ops/trace.ts";
import { f64, gradient, program } from "../../src/program/program.ts";
import * as la from "../../src/tensor/linalg.ts";
import { Tensor } from "../../src/tensor/tensor.ts";
import { vmap } from "../../src/transforms/vmap.ts";
import { Random } from "../conformance/random.ts";
import { evaluate, type Given, given } from "../evaluate.ts";
import { onBackends } from "../on-backends.ts";

interface TorchCase {
  readonly n: number;
  readonly [name: string]: readonly number[] | number;
}
const torch: readonly TorchCase[] = JSON.parse(
  readFileSync(new URL("../fixtures/linalg-torch.json", import.meta.url), "utf8"),
);

function close(got: readonly number[], want: readonly number[], tolerance = 1e-11): void {
  expect(got.length).toBe(want.length);
  for (const [i, w] of want.entries())
    expect(Math.abs(got[i]! - w) / (1 + Math.abs(w)), `element ${i}`).toBeLessThan(tolerance);
}

const random = new Random(23);
const numbers = (...shape: number[]): Given =>
  given(
    shape,
    Array.from({ length: shape.reduce((n, d) => n * d, 1) }, () => random.between(-1, 1)),
  );

/** Row-major product of matrices given as lists. */
const product = (a: ArrayLike<number>, b: ArrayLike<number>, m: number, k: number, n: number): number[] =>
  Array.from({ length: m * n }, (_, at) => {
    let sum = 0;
    for (let l = 0; l < k; l++) sum += a[Math.floor(at / n) * k + l]! * b[l * n + (at % n)]!;
    return sum;
  });

onBackends((place) => {
  describe.each(torch.map((c) => [c.n, c] as const))("of a positive definite matrix of %i rows", (n, c) => {
    const want = (name: string) => c[name] as readonly number[];
    const inputs = { a: given([n, n], want("a")), y: given([n, 1], want("y")), x: given([n, n], want("x")) };
    test("factor, determinant, solution and inverse are PyTorch's", async () => {
      const got = await evaluate(
        inputs,
        ({ a, y }) => {
          const l = la.cholesky(a);
          return {
            l,
            logDet: la.logDetCholesky(l),
            solution: la.choleskySolve(l, y),
            inverse: la.inverseFromCholesky(l),
          };
        },
        place(),
      );
      close(got.l!, want("factor"));
      close(got.logDet!, [c.logDet as unknown as readonly number[]].flat());
      close(got.solution!, want("solution"));
      close(got.inverse!, want("inverse"));
    });
    test("the normal log density, its gradient and Hessian are PyTorch's", async () => {
      const got = await evaluate(
        inputs,
        ({ a, y, x }) => {
          const l = la.cholesky(a);
          const whitened = la.triangularSolve(l, y);
          const logDensity = whitened.square().sum().mul(-0.5).sub(la.logDetCholesky(l).mul(0.5));
          const first = gradient(logDensity, [a])[0]!;
          return { logDensity, first, second: gradient(first.mul(x).sum(), [a])[0]! };
        },
        place(),
      );
      close(got.logDensity!, [c.logDensity as unknown as readonly number[]].flat());
      close(got.first!, want("gradient"), 1e-10);
      close(got.second!, want("hessianProduct"), 1e-9);
    });
  });

  test("the factor of a large matrix times its transpose is the matrix", async () => {
    const n = 90;
    const root = numbers(n, n);
    const a = product(
      root.data,
      Array.from(root.data, (_, i) => root.data[(i % n) * n + Math.floor(i / n)]!),
      n,
      n,
      n,
    );
    for (let i = 0; i < n; i++) a[i * n + i]! += 1;
    const got = await evaluate({ a: given([n, n], a) }, ({ a }) => ({ l: la.cholesky(a) }), place());
    const l = got.l!;
    close(
      product(
        l,
        l.map((_, i) => l[(i % n) * n + Math.floor(i / n)]!),
        n,
        n,
        n,
      ),
      a,
    );
    expect(l.every((x, i) => i % n <= Math.floor(i / n) || x === 0)).toBe(true);
  });

  test("a matrix that is not positive definite gives NaN, its neighbours in the batch their factors", async () => {
    const data = [4, 0, 2, 10, /**/ 1, 0, 2, 4, /**/ 9, 0, 0, 1];
    const { l } = await evaluate({ a: given([3, 2, 2], data) }, ({ a }) => ({ l: la.cholesky(a) }), place());
    expect(l).toEqual([2, 0, 1, 3, NaN, 0, NaN, NaN, 3, 0, 0, 1]);
  });

  test.each([
    [true, false],
    [true, true],
    [false, false],
    [false, true],
  ])(
    "triangularSolve with lower %s and transpose %s undoes the product with that triangle",
    async (lower, transpose) => {
      const [n, k] = [6, 3];
      const [t, x] = [numbers(2, n, n), numbers(2, n, k)];
      const matrices = Array.from(t.data, (v, i) => ((i % (n * n)) % (n + 1) === 0 ? v + 3 : v));
      const y = [0, 1].flatMap((p) => {
        const at = (i: number, j: number) => ((lower ? j <= i : i <= j) ? matrices[p * n * n + i * n + j]! : 0);
        const op = Array.from({ length: n * n }, (_, i) =>
          transpose ? at(i % n, Math.floor(i / n)) : at(Math.floor(i / n), i % n),
        );
        return product(op, Array.from(x.data).slice(p * n * k, (p + 1) * n * k), n, n, k);
      });
      const inputs = { t: given([2, n, n], matrices), y: given([2, n, k], y) };
      const got = await evaluate(
        inputs,
        ({ t, y }) => ({ x: la.triangularSolve(t, y, { lower, transpose }) }),
        place(),
      );
      close(got.x!, Array.from(x.data));
    },
  );

  test("one matrix solves for a batch of right sides, and of vectors", async () => {
    const inputs = { l: given([2, 2], [2, 99, 1, 4]), y: given([3, 2, 1], [2, 5, 4, 10, 6, 7]) };
    const got = await evaluate(
      inputs,
      ({ l, y }) => ({ x: la.triangularSolve(l, y), v: la.triangularSolveVector(l, y.reshape([3, 2])) }),
      place(),
    );
    expect(got.x).toEqual([1, 1, 2, 2, 3, 1]);
    expect(got.v).toEqual([1, 1, 2, 2, 3, 1]);
  });

  test("diagonals, triangles and small products", async () => {
    const inputs = {
      a: given(
        [2, 3, 3],
        Array.from({ length: 18 }, (_, i) => i),
      ),
      u: given([3], [1, 2, 3]),
      v: given([2], [5, 7]),
    };
    const got = await evaluate(
      inputs,
      ({ a, u, v }) => ({
        diagonal: la.diagonal(a),
        one: la.diagonal(u.narrow(0, 1, 1).reshape([1, 1])),
        matrix: la.diagonalMatrix(u),
        tril: la.tril(a),
        symmetric: la.symmetrize(a.slice([0, 0, 0], [1, 3, 3])),
        outer: la.outer(u, v),
        dot: la.dot(u, u),
        matvec: la.matvec(a, u),
        identity: la.identity(u, 2),
        stacked: la.stack([u, u.neg()], 1),
      }),
      place(),
    );
    expect(got).toEqual({
      diagonal: [0, 4, 8, 9, 13, 17],
      one: [2],
      matrix: [1, 0, 0, 0, 2, 0, 0, 0, 3],
      tril: [0, 0, 0, 3, 4, 0, 6, 7, 8, 9, 0, 0, 12, 13, 0, 15, 16, 17],
      symmetric: [0, 2, 4, 2, 4, 6, 4, 6, 8],
      outer: [5, 7, 10, 14, 15, 21],
      dot: [14],
      matvec: [8, 26, 44, 62, 80, 98],
      identity: [1, 0, 0, 1],
      stacked: [1, -1, 2, -2, 3, -3],
    });
  });

  test("gradients of diagonals are diagonal matrices, and their gradients too", async () => {
    const got = await evaluate(
      { a: given([3, 3], [1, 9, 9, 9, 2, 9, 9, 9, 3]), v: given([2], [3, 4]) },
      ({ a, v }) => {
        const first = gradient(la.diagonal(a).mul(la.diagonal(a)).mul(la.diagonal(a)).sum(), [a])[0]!;
        const weights = la.diagonalMatrix(v).add(1);
        return { first, second: gradient(first.sum(), [a])[0]!, byDiagonal: gradient(weights.square().sum(), [v])[0]! };
      },
      place(),
    );
    expect(got.first).toEqual([3, 0, 0, 0, 12, 0, 0, 0, 27]);
    expect(got.second).toEqual([6, 0, 0, 0, 12, 0, 0, 0, 18]);
    expect(got.byDiagonal).toEqual([8, 10]);
  });

  test("a product of a large matrix with a vector is the one of its rows", async () => {
    const [m, n] = [37, 19];
    const [a, v] = [numbers(m, n), numbers(n)];
    const got = await evaluate({ a, v }, ({ a, v }) => ({ y: la.matvec(a, v) }), place());
    close(got.y!, product(a.data, v.data, m, n, 1), 1e-13);
  });

  test("running sums, forwards and backwards, with and without the element itself", async () => {
    const got = await evaluate(
      { x: given([2, 3], [1, 2, 3, 10, 20, 30]) },
      ({ x }) => ({
        last: la.cumsum(x),
        reverse: la.cumsum(x, 1, { reverse: true }),
        exclusive: la.cumsum(x, -1, { exclusive: true }),
        both: la.cumsum(x, 1, { reverse: true, exclusive: true }),
        first: la.cumsum(x, 0),
        // Σ_i w_i c_i, by x_j: Σ of the weights from j on.
        gradient: gradient(la.cumsum(x, 0).mul(x).sum(), [x])[0]!,
      }),
      place(),
    );
    expect(got).toEqual({
      last: [1, 3, 6, 10, 30, 60],
      reverse: [6, 5, 3, 60, 50, 30],
      exclusive: [0, 1, 3, 0, 10, 30],
      both: [5, 3, 0, 50, 30, 0],
      first: [1, 2, 3, 11, 22, 33],
      gradient: [12, 24, 36, 21, 42, 63],
    });
  });
});

describe("under vmap", () => {
  const logDensity = (a: Tensor, y: Tensor): Tensor => {
    const l = la.cholesky(a);
    return la.triangularSolveVector(l, y).square().sum().mul(-0.5).sub(la.logDetCholesky(l).mul(0.5));
  };
  const size = 5;
  const traced = (n: number) => {
    const b = createTrace();
    const [a, y] = [b.input("a", "f64", [n, n]), b.input("y", "f64", [n])].map((node) => new Tensor(b, node)) as [
      Tensor,
      Tensor,
    ];
    const value = logDensity(a, y);
    const outputs = [value, ...gradient(value, [a, y])].map((t) => t.node);
    const many = new Map([
      [a.node, b.input("as", "f64", [size, n, n])],
      [y.node, b.input("ys", "f64", [size, n])],
    ]);
    return nodesOf({ outputs: new Map(vmap(b, outputs, many, size).map((node, i) => [`${i}`, node])) });
  };

  test("a density and its gradient are as many nodes for large matrices as for small", () => {
    expect(traced(40).length).toBe(traced(8).length);
    expect(
      traced(8)
        .filter((node) => node.op === "cholesky" || node.op === "choleskyGradient")
        .map((node) => node.shape),
    ).toEqual([
      [size, 8, 8],
      [size, 8, 8],
    ]);
  });

  test("one matrix for all elements is factorised once, and solves for all at once", () => {
    const b = createTrace();
    const [a, y] = [b.input("a", "f64", [3, 3]), b.input("y", "f64", [3])].map((node) => new Tensor(b, node)) as [
      Tensor,
      Tensor,
    ];
    const many = new Map([[y.node, b.input("ys", "f64", [size, 3])]]);
    const nodes = nodesOf({
      outputs: new Map(vmap(b, [logDensity(a, y).node], many, size).map((node) => ["r", node])),
    });
    expect(nodes.filter((node) => node.op === "cholesky").map((node) => node.shape)).toEqual([[3, 3]]);
    expect(nodes.filter((node) => node.op === "triangularSolve").map((node) => node.shape)).toEqual([[3, size]]);
  });
});

test("what does not fit is refused with the shapes", () => {
  const b = createTrace();
  const x = (...shape: number[]) => new Tensor(b, b.input(`x${shape}`, "f64", shape));
  const refusals: [() => Tensor, string][] = [
    [() => la.cholesky(x(2, 3)), "cholesky of [2, 3]: the last two axes must be those of a square matrix"],
    [() => la.cholesky(x(3)), "cholesky of [3]: the last two axes must be those of a square matrix"],
    [() => la.cholesky(x(2, 2).cast("i32")), "cholesky takes f32 or f64, not i32: cast it first"],
    [() => la.triangularSolve(x(3, 3), x(2, 1)), "triangularSolve of f64[3, 3] and f64[2, 1]: the right side needs"],
    [
      () => la.triangularSolve(x(2, 3, 3), x(4, 3, 1)),
      "triangularSolve of [2, 3, 3] and [4, 3, 1]: needs operands of at least 2 and 2 axes whose leading axes broadcast",
    ],
    [
      () => la.triangularSolve(x(3, 3), x(3)),
      "triangularSolve of [3, 3] and [3]: needs operands of at least 2 and 2 axes",
    ],
    [() => la.diagonal(x(2, 3)), "diagonal of [2, 3]: the last two axes must be those of a square matrix"],
    [() => la.matvec(x(2, 3), x(2)), "matvec of [2, 3] and [2]: 3 columns for 2 elements"],
    [() => la.cumsum(x(3).gt(0)), "cumsum takes f32, f64, i32 or u32, not bool: cast it first"],
  ];
  for (const [build, message] of refusals) {
    expect(build).toThrow(ShapeError);
    expect(build).toThrow(message);
  }
});

test("many shapes run in one runtime, whatever was there before", async () => {
  const runtime = new Runtime({ blas: null });
  for (const n of [7, 3, 12]) {
    const run = await program({
      runtime,
      inputs: { a: f64([n, n]) },
      body: ({ inputs }) => ({ outputs: { l: la.cholesky(inputs.a) } }),
    });
    await run.run({ a: Float64Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 4 : 0)) });
    expect(Array.from(run.outputs.l.read())).toEqual(
      Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 2 : 0)),
    );
  }
});
