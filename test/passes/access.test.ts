import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { evaluateGraph } from "../../src/backends/reference/backend.ts";
import { type Shape, sizeOf, stridesOf } from "../../src/base/shape.ts";
import type { Node } from "../../src/ir/node.ts";
import { createTrace } from "../../src/ops/trace.ts";
import { Accesses, isContiguous, reshapeStrides } from "../../src/passes/access.ts";

/** Where each element lies, in row-major order. */
function places(shape: Shape, strides: readonly number[], offset = 0): number[] {
  const index = shape.map(() => 0);
  return Array.from({ length: sizeOf(shape) }, () => {
    const at = index.reduce((n, v, axis) => n + v * strides[axis]!, offset);
    for (let d = index.length - 1; d >= 0 && ++index[d]! === shape[d]; d--) index[d] = 0;
    return at;
  });
}

/** All ways to write n as an ordered product, 1s thrown in. */
const factorizations = (n: number): fc.Arbitrary<number[]> =>
  fc.array(fc.nat(), { minLength: 1, maxLength: 5 }).map((choices) => {
    const out: number[] = [];
    let rest = n;
    for (const choice of choices) {
      const divisors = Array.from({ length: rest }, (_, i) => i + 1).filter((d) => rest % d === 0);
      const d = divisors[choice % divisors.length]!;
      out.push(d);
      rest /= d;
    }
    return [...out, rest];
  });

/** Shapes with strides as views make them: any order of axes, gaps, and axes that were made by copying. */
const layouts = fc
  .array(
    fc.record({ size: fc.integer({ min: 1, max: 4 }), gap: fc.integer({ min: 1, max: 2 }), copied: fc.boolean() }),
    { maxLength: 4 },
  )
  .chain((axes) =>
    fc.record({
      axes: fc.constant(axes),
      order: fc.shuffledSubarray(
        axes.map((_, i) => i),
        { minLength: axes.length },
      ),
      gaps: fc.boolean(),
    }),
  )
  .map(({ axes, order, gaps }) => {
    const strides: number[] = new Array(axes.length);
    let stride = 1;
    for (const axis of order.toReversed()) {
      strides[axis] = axes[axis]!.copied && gaps ? 0 : stride;
      stride *= axes[axis]!.size * (gaps ? axes[axis]!.gap : 1);
    }
    return { shape: axes.map((a) => a.size), strides };
  });

const reshapes = layouts.chain(({ shape, strides }) =>
  fc.record({ shape: fc.constant(shape), strides: fc.constant(strides), to: factorizations(sizeOf(shape)) }),
);

/** The only strides that could serve: read off where the elements next to the first lie. */
function candidate(from: readonly number[], to: Shape): number[] {
  const step = stridesOf(to);
  return to.map((d, axis) => (d > 1 ? from[step[axis]!]! - from[0]! : 0));
}

describe("strides after a reshape", () => {
  test("lead every element to its place", () => {
    fc.assert(
      fc.property(reshapes, ({ shape, strides, to }) => {
        const out = reshapeStrides(shape, strides, to);
        if (out) expect(places(to, out)).toEqual(places(shape, strides));
      }),
      { numRuns: 2000, seed: 1 },
    );
  });
  test("are found wherever there are any", () => {
    let found = 0;
    fc.assert(
      fc.property(reshapes, ({ shape, strides, to }) => {
        const wanted = places(shape, strides);
        const exists = String(places(to, candidate(wanted, to))) === String(wanted);
        if (exists) found++;
        expect(reshapeStrides(shape, strides, to) !== null).toBe(exists);
      }),
      { numRuns: 2000, seed: 2 },
    );
    expect(found).toBeGreaterThan(200);
    expect(found).toBeLessThan(1990);
  });
  test("of one element or none are 0", () => {
    expect(reshapeStrides([1], [7], [])).toEqual([]);
    expect(reshapeStrides([0, 3], [3, 1], [5, 0])).toEqual([0, 0]);
  });
});

test("isContiguous is row-major order from the first element, whatever axes of size 1 say", () => {
  const root = createTrace().input("x", "f32", [12]);
  expect(isContiguous({ root, offset: 0, strides: [4, 1] }, [3, 4])).toBe(true);
  expect(isContiguous({ root, offset: 0, strides: [4, 99, 1] }, [3, 1, 4])).toBe(true);
  expect(isContiguous({ root, offset: 1, strides: [4, 1] }, [3, 4])).toBe(false);
  expect(isContiguous({ root, offset: 0, strides: [1, 3] }, [3, 4])).toBe(false);
});

/** A chain of views as the choices that made it. */
const chains = fc.array(fc.record({ kind: fc.nat({ max: 3 }), a: fc.nat(), b: fc.nat() }), {
  minLength: 1,
  maxLength: 6,
});

function apply(
  x: Node,
  { kind, a, b: c }: { kind: number; a: number; b: number },
  trace: ReturnType<typeof createTrace>,
): Node {
  const { shape } = x;
  switch (kind) {
    case 0: {
      const order = shape.map((_, i) => i);
      const by = order.length ? a % order.length : 0;
      return trace.transpose(x, [...order.slice(by), ...order.slice(0, by)]);
    }
    case 1: {
      const starts = shape.map((d, i) => (a + i) % Math.ceil(d / 2));
      return trace.slice(
        x,
        starts,
        shape.map((d, i) => Math.max(1, (d - starts[i]! + (c % 2)) >> (c % 2))),
      );
    }
    case 2: {
      const size = sizeOf(shape);
      const divisors = Array.from({ length: size }, (_, i) => i + 1).filter((d) => size % d === 0);
      const d = divisors[a % divisors.length]!;
      return trace.reshape(x, [d, size / d]);
    }
    default:
      return shape.length < 4
        ? trace.broadcast(
            x,
            [2, ...shape],
            shape.map((_, i) => i + 1),
          )
        : x;
  }
}

describe("the access of a chain of views", () => {
  test("leads to the elements that the views mean", () => {
    fc.assert(
      fc.property(chains, fc.boolean(), (chain, counted) => {
        const b = createTrace();
        const shape = [4, 3, 2];
        const root = counted ? b.iota("i32", shape, 1) : b.input("x", "i32", shape);
        const values = Int32Array.from({ length: 24 }, (_, i) => i);
        let y = root;
        for (const step of chain) y = apply(y, step, b);
        const accesses = new Accesses();
        const access = accesses.of(y);
        // A view that is stored is an array of its own; what it holds is what its own access says, and so on down.
        const content = (node: Node): ArrayLike<number> => {
          if (node.op === "input") return values;
          const { root: source, offset, strides } = accesses.sourceOf(node);
          const computed = source === node || accesses.isComputed(source, node);
          const below = computed ? null : content(source);
          return places(node.shape, strides, offset).map((at) => (below ? below[at]! : at));
        };
        const below = accesses.isComputed(access.root) ? null : content(access.root);
        const got = places(y.shape, access.strides, access.offset).map((at) => (below ? below[at]! : at));
        const want = evaluateGraph({ outputs: new Map([["y", y]]) }, new Map([["x", values]])).get("y")!;
        expect(got).toEqual([...want]);
      }),
      { numRuns: 1000, seed: 3 },
    );
  });
});
