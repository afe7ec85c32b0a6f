import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ModuleBuilder } from "../../../src/backends/wasm/assembler/module.ts";
import { emitLoop } from "../../../src/backends/wasm/loop.ts";
import { mergeAxes } from "../../../src/backends/wasm/loop-nest.ts";
import type { LoopSpec, Stream } from "../../../src/backends/wasm/loop-spec.ts";
import { bytesOf, type DType, dtypes, isFloat, type TypedArray } from "../../../src/base/dtype.ts";
import { type Shape, sizeOf, stridesOf } from "../../../src/base/shape.ts";
import { keptAxes } from "../../../src/ops/reduce.ts";

/** Every index of a shape, in row-major order. */
function indices(shape: Shape): number[][] {
  const index = shape.map(() => 0);
  return Array.from({ length: sizeOf(shape) }, () => {
    const copy = [...index];
    for (let d = index.length - 1; d >= 0 && ++index[d]! === shape[d]; d--) index[d] = 0;
    return copy;
  });
}
const at = (index: readonly number[], strides: readonly number[]): number =>
  index.reduce((n, v, axis) => n + v * strides[axis]!, 0);

const shapes = fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 4 });

describe("merged axes", () => {
  test("walk the same places in the same order", () => {
    const cases = shapes.chain((shape) =>
      fc.record({
        shape: fc.constant(shape),
        vectors: fc.array(
          fc.oneof(
            fc.constant(stridesOf(shape)),
            fc.array(fc.constantFrom(0, 1, 2, 3, 9), { minLength: shape.length, maxLength: shape.length }),
          ),
          { minLength: 1, maxLength: 3 },
        ),
      }),
    );
    fc.assert(
      fc.property(cases, ({ shape, vectors }) => {
        const nest = mergeAxes(shape, vectors);
        for (const [i, v] of vectors.entries()) {
          const want = indices(shape).map((index) => at(index, v));
          expect(indices(nest.sizes).map((index) => at(index, nest.strides[i]!))).toEqual(want);
        }
      }),
      { seed: 1, numRuns: 300 },
    );
  });
  test("are one loop where all lie in row-major order", () => {
    expect(
      mergeAxes(
        [2, 3, 4],
        [
          [12, 4, 1],
          [12, 4, 1],
        ],
      ),
    ).toEqual({ sizes: [24], strides: [[1], [1]] });
    expect(
      mergeAxes(
        [2, 3, 4],
        [
          [12, 4, 1],
          [0, 4, 1],
        ],
      ),
    ).toEqual({
      sizes: [2, 12],
      strides: [
        [12, 1],
        [0, 1],
      ],
    });
    expect(mergeAxes([1, 1], [[5, 7]])).toEqual({ sizes: [1], strides: [[0]] });
  });
});

const SLOTS = 16;
const GUARD = 77;

/** One for all: each memory reserves gigabytes of addresses until it is collected. */
const memory = new WebAssembly.Memory({ initial: 40 });

/** The memory with regions in it, and what an emitted loop makes of them. */
class Bench {
  readonly memory = memory;
  private readonly addresses: number[] = [];
  private top = 4 * SLOTS;

  region(dtype: DType, values: ArrayLike<number>): number {
    const address = Math.ceil(this.top / 64) * 64 + 64;
    const view = dtypes[dtype].view(this.memory.buffer, address, values.length);
    view.set(values as never);
    this.top = address + values.length * bytesOf(dtype) + 64;
    new Uint8Array(this.memory.buffer, address + values.length * bytesOf(dtype), 64).fill(GUARD);
    return this.addresses.push(address) - 1;
  }

  stream(slot: number, dtype: DType, strides: readonly number[], offset = 0): Stream {
    return { place: { slot, offset: 0 }, dtype, offset, strides };
  }

  /** Runs the loop in so many parts, one after the other in this order. */
  run(spec: LoopSpec, parts = 1, order: readonly number[] = [0]): boolean {
    const m = new ModuleBuilder();
    const { before, run, parallel } = emitLoop(m, spec, parts);
    m.export("run", run);
    if (before) m.export("before", before);
    const module = new WebAssembly.Module(m.encode());
    const { exports } = new WebAssembly.Instance(module, { env: { memory: this.memory } });
    const call = exports as Record<string, (table: number, part: number) => void>;
    new Uint32Array(this.memory.buffer, 0, this.addresses.length).set(this.addresses);
    call.before?.(0, 0);
    for (const part of parallel ? order : [0]) call.run!(0, part);
    return parallel;
  }

  read(slot: number, dtype: DType, length: number): TypedArray {
    const end = this.addresses[slot]! + length * bytesOf(dtype);
    expect(new Uint8Array(this.memory.buffer, end, 64).every((b) => b === GUARD)).toBe(true);
    return dtypes[dtype].view(this.memory.buffer, this.addresses[slot]!, length).slice();
  }
}

/** Small whole numbers, whose sums are exact in every dtype and order. */
const whole = (dtype: DType, n: number): number[] =>
  Array.from({ length: n }, (_, i) => (dtype === "bool" ? (i * 7) % 3 === 0 : (i * 37) % 19) as number)
    .map(Number)
    .map((v) => (dtype === "i32" || isFloat(dtype) ? v - 9 : v));

const reducedStrides = (shape: Shape, axes: readonly number[]): number[] => {
  const kept = keptAxes(shape, axes);
  const strides = stridesOf(kept.map((axis) => shape[axis]!));
  return shape.map((_, axis) => (kept.includes(axis) ? strides[kept.indexOf(axis)]! : 0));
};

/** Axes in any order with gaps; some walked by stride 0. */
function layout(
  shape: Shape,
  order: readonly number[],
  copied: readonly boolean[],
  gap: number,
): { strides: number[]; length: number } {
  const strides: number[] = new Array(shape.length).fill(0);
  let stride = gap;
  for (const axis of order) {
    if (copied[axis]) continue;
    strides[axis] = stride;
    stride *= shape[axis]!;
  }
  return { strides, length: stride };
}

const operands = shapes.chain((shape) =>
  fc.record({
    shape: fc.constant(shape),
    dtypes: fc.array(fc.constantFrom<DType>("f32", "f64", "i32", "u32", "u8", "bool"), { minLength: 1, maxLength: 3 }),
    order: fc.shuffledSubarray(
      shape.map((_, i) => i),
      { minLength: shape.length },
    ),
    copied: fc.array(fc.boolean(), { minLength: shape.length, maxLength: shape.length }),
    gap: fc.integer({ min: 1, max: 3 }),
    axes: fc.subarray(shape.map((_, i) => i)),
  }),
);

describe("an emitted loop", () => {
  test("copies from any strides, in any mix of dtypes, and writes nothing else", () => {
    fc.assert(
      fc.property(operands, ({ shape, dtypes: kinds, order, copied, gap }) => {
        const bench = new Bench();
        const { strides, length } = layout(shape, order, copied, gap);
        const jobs = kinds.map((dtype) => ({
          dtype,
          from: bench.region(dtype, whole(dtype, length)),
          to: bench.region(dtype, whole(dtype, sizeOf(shape))),
        }));
        bench.run({
          name: "copy",
          shape,
          items: [],
          reductions: [],
          stores: jobs.map(({ dtype, from, to }) => ({
            source: { kind: "memory", stream: bench.stream(from, dtype, strides) },
            target: bench.stream(to, dtype, stridesOf(shape)),
          })),
        });
        for (const { dtype, to } of jobs) {
          const source = whole(dtype, length);
          expect([...bench.read(to, dtype, sizeOf(shape))]).toEqual(
            indices(shape).map((index) => source[at(index, strides)]),
          );
        }
      }),
      { seed: 2, numRuns: 250 },
    );
  });
  test("writes to strides, as pieces of a concat ask", () => {
    fc.assert(
      fc.property(operands, ({ shape, dtypes: [dtype], gap }) => {
        const bench = new Bench();
        const strides = stridesOf(shape).map((s) => s * gap);
        const length = sizeOf(shape) * gap;
        const [from, to] = [
          bench.region(dtype!, whole(dtype!, sizeOf(shape))),
          bench.region(dtype!, new Array(length).fill(1)),
        ];
        const source = { kind: "memory", stream: bench.stream(from, dtype!, stridesOf(shape)) } as const;
        bench.run({
          name: "place",
          shape,
          items: [],
          reductions: [],
          stores: [{ source, target: bench.stream(to, dtype!, strides) }],
        });
        const want = new Array(length).fill(1);
        const values = whole(dtype!, sizeOf(shape));
        for (const [i, index] of indices(shape).entries()) want[at(index, strides)] = values[i];
        expect([...bench.read(to, dtype!, length)]).toEqual(want);
      }),
      { seed: 3, numRuns: 150 },
    );
  });
  test("sums and finds maxima over any axes, reading by any strides", () => {
    fc.assert(
      fc.property(operands, ({ shape, dtypes: kinds, order, copied, gap, axes }) => {
        const bench = new Bench();
        const { strides, length } = layout(shape, order, copied, gap);
        const kept = sizeOf(keptAxes(shape, axes).map((axis) => shape[axis]!));
        const jobs = kinds
          .filter((d) => d !== "u8" && d !== "bool")
          .map((dtype) => ({
            dtype,
            from: bench.region(dtype, whole(dtype, length)),
            sum: bench.region(dtype, whole(dtype, kept)),
            max: bench.region(dtype, whole(dtype, kept)),
          }));
        if (!jobs.length) return;
        const target = reducedStrides(shape, axes);
        bench.run({
          name: "reduce",
          shape,
          items: [],
          stores: [],
          reductions: jobs.flatMap(({ dtype, from, sum, max }) => {
            const source = { kind: "memory", stream: bench.stream(from, dtype, strides) } as const;
            return [
              { op: "sum" as const, source, target: bench.stream(sum, dtype, target) },
              { op: "max" as const, source, target: bench.stream(max, dtype, target) },
            ];
          }),
        });
        for (const { dtype, sum, max } of jobs) {
          const source = whole(dtype, length);
          const [sums, tops] = [new Array(kept).fill(0), new Array(kept).fill(-Infinity)];
          for (const index of indices(shape)) {
            const value = source[at(index, strides)]!;
            sums[at(index, target)] += value;
            tops[at(index, target)] = Math.max(tops[at(index, target)], value);
          }
          expect([...bench.read(sum, dtype, kept)]).toEqual(sums);
          expect([...bench.read(max, dtype, kept)]).toEqual(tops);
        }
      }),
      { seed: 4, numRuns: 250 },
    );
  });
});

/** Shapes above the size from which a loop is shared: outer axes, an inner axis alone, remainders of blocks. */
const LARGE: readonly (readonly [Shape, readonly number[] | null])[] = [
  [[200, 151], null],
  [[40_003], null],
  [[200, 151], [1]],
  [[100, 401], [0]],
  [[40, 30, 29], [1]],
  [[3, 20_011], [0]],
  [[40_003], [0]],
];

describe("a loop that is cut into parts", () => {
  test.each(LARGE)("of shape %j, reduced over %j, gives the same in any order of the parts", (shape, axes) => {
    for (const dtype of ["f32", "f64", "i32"] as const) {
      const n = sizeOf(shape);
      const strides = stridesOf(shape);
      const target = axes ? reducedStrides(shape, axes) : strides;
      const length = axes ? sizeOf(keptAxes(shape, axes).map((axis) => shape[axis]!)) : n;
      const values = whole(dtype, n);
      const results = [
        [1, [0]],
        [2, [1, 0]],
        [3, [2, 0, 1]],
        [5, [4, 1, 3, 0, 2]],
      ].map(([parts, order]) => {
        const bench = new Bench();
        const from = bench.region(dtype, values);
        const to = bench.region(dtype, new Array(length).fill(5));
        const source = { kind: "memory", stream: bench.stream(from, dtype, strides) } as const;
        const place = bench.stream(to, dtype, target);
        const parallel = bench.run(
          {
            name: "part",
            shape,
            items: [],
            stores: axes ? [] : [{ source, target: place }],
            reductions: axes ? [{ op: "sum", source, target: place }] : [],
          },
          parts as number,
          order as number[],
        );
        // A sum over everything has no axis to share.
        expect(parallel).toBe(parts !== 1 && !(axes?.length === shape.length));
        return [...bench.read(to, dtype, length)];
      });
      for (const other of results.slice(1)) expect(other).toEqual(results[0]);
      const want = new Array(length).fill(0);
      for (const [i, index] of indices(shape).entries()) want[at(index, target)] += values[i]!;
      expect(results[0]).toEqual(want);
    }
  });
});
