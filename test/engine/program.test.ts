import { afterEach, describe, expect, test, vi } from "vitest";
import { reference } from "../../src/backends/reference/backend.ts";
import type { DType } from "../../src/base/dtype.ts";
import { AnsatzError, OptionError, ShapeError } from "../../src/base/errors.ts";
import type { Shape } from "../../src/base/shape.ts";
import { type GraphProgramSpec, graphProgram } from "../../src/engine/program.ts";
import { type Buffer, Runtime, type TensorSpec } from "../../src/engine/runtime.ts";

const spec = (dtype: DType, shape: Shape, upTo = false): TensorSpec => ({ dtype, shape, upTo });
const runtime = new Runtime({ relaxed: false });

afterEach(() => {
  vi.restoreAllMocks();
});

/** t ← t + 1, sum ← sum + x: what a step is, and how often it ran. */
const counter = (more: Partial<GraphProgramSpec> = {}) =>
  graphProgram({
    state: { t: spec("i32", []), sum: spec("f64", [3]) },
    inputs: { x: spec("f64", [3]) },
    runtime,
    trace: (b, { t, sum }, { x }) => {
      const next = b.add(t!, 1);
      return {
        state: { t: next, sum: b.add(sum!, x!) },
        outputs: { t: next, half: b.mul(b.cast(next, "f32"), 0.5), many: b.mul(x!, 2) },
      };
    },
    ...more,
  });

describe.each([
  ["wasm", undefined],
  ["reference", reference],
])("a program on %s", (_name, backend) => {
  test("starts from zeros, keeps its state, and gives the outputs of the last step", async () => {
    const p = await counter({ backend });
    expect([...p.state.t!.read(), ...p.state.sum!.read()]).toEqual([0, 0, 0, 0]);
    await p.run({ x: [1, 2, 3] });
    await p.run({ x: [10, 20, 30] }, 4);
    expect([...p.state.t!.read()]).toEqual([5]);
    expect([...p.state.sum!.read()]).toEqual([41, 82, 123]);
    expect([...p.outputs.many!.read()]).toEqual([20, 40, 60]);
    expect([...p.outputs.t!.read()]).toEqual([5]);
  });
  test("records the scalar outputs of every step, and of no other", async () => {
    const p = await counter({ backend });
    const { steps, metrics } = await p.run({ x: [0, 0, 0] }, 5);
    expect(steps).toBe(5);
    expect(Object.keys(metrics).sort()).toEqual(["half", "t"]);
    expect([...metrics.t!]).toEqual([1, 2, 3, 4, 5]);
    expect([...metrics.half!]).toEqual([0.5, 1, 1.5, 2, 2.5]);
  });
  test("records scalars of every dtype as numbers", async () => {
    const p = await graphProgram({
      state: {},
      inputs: {},
      runtime,
      backend,
      trace: (b) => ({
        state: {},
        outputs: {
          f32: b.constant(0.1, "f32"),
          f64: b.constant(0.1, "f64"),
          i32: b.constant(-5, "i32"),
          u32: b.constant(4e9, "u32"),
          u8: b.constant(200, "u8"),
          bool: b.constant(1, "bool"),
        },
      }),
    });
    const { metrics } = await p.run();
    expect(Object.fromEntries(Object.entries(metrics).map(([name, v]) => [name, v[0]]))).toEqual({
      f32: Math.fround(0.1),
      f64: 0.1,
      i32: -5,
      u32: 4e9,
      u8: 200,
      bool: 1,
    });
  });
});

test("the ring of metrics goes round: more steps than it has rows", async () => {
  const p = await counter();
  const { metrics } = await p.run({ x: [0, 0, 0] }, 30_000);
  expect(metrics.t!.every((t, i) => t === i + 1)).toBe(true);
  expect([metrics.t!.length, metrics.half![29_999]]).toEqual([30_000, 15_000]);
});

test("no steps are no steps", async () => {
  const p = await counter();
  const { steps, metrics } = await p.run({ x: [1, 1, 1] }, 0);
  expect([steps, metrics.t!.length, p.state.t!.read()[0]]).toEqual([0, 0, 0]);
});

describe("equal programs", () => {
  test("are compiled once, whatever their data, and refitting compiles nothing", async () => {
    const unique = Math.random();
    const make = () =>
      counter({
        trace: (b, { t, sum }, { x }) => ({
          state: { t: b.add(t!, 1), sum: b.add(sum!, b.mul(x!, unique)) },
          outputs: {},
        }),
      });
    const compile = vi.spyOn(WebAssembly, "Module");
    const first = await make();
    expect(compile).toHaveBeenCalledTimes(1);
    const second = await make();
    await first.run({ x: [1, 2, 3] }, 10);
    await second.run({ x: [7, 8, 9] }, 3);
    await first.run({ x: [4, 5, 6] });
    expect(compile).toHaveBeenCalledTimes(1);
    expect([first.state.t!.read()[0], second.state.t!.read()[0]]).toEqual([11, 3]);
  });
  test("that are made at once are compiled once", async () => {
    const unique = Math.random();
    const compile = vi.spyOn(WebAssembly, "Module");
    await Promise.all(
      Array.from({ length: 5 }, () =>
        counter({ trace: (b, { t }) => ({ state: { t: b.add(t!, 1) }, outputs: { u: b.constant(unique, "f64") } }) }),
      ),
    );
    expect(compile).toHaveBeenCalledTimes(1);
  });
  test("may have gradients of their own rule, which is another function each time", async () => {
    const unique = Math.random();
    const compile = vi.spyOn(WebAssembly, "Module");
    for (let i = 0; i < 3; i++) {
      await counter({
        trace: (b, { sum }) => ({
          state: {},
          outputs: { y: b.customVjp(b.mul(sum!, unique), [sum!], (_b, g) => [g]) },
        }),
      });
    }
    expect(compile).toHaveBeenCalledTimes(1);
  });
  test("on another backend, or deterministic, are others", async () => {
    const unique = Math.random();
    const trace: GraphProgramSpec["trace"] = (b, { t }) => ({
      state: { t: b.add(t!, 1) },
      outputs: { u: b.constant(unique, "f64") },
    });
    const compile = vi.spyOn(WebAssembly, "Module");
    await counter({ trace });
    await counter({ trace, deterministic: true });
    await counter({ trace, backend: reference });
    expect(compile).toHaveBeenCalledTimes(2);
  });
  test("one that failed to compile is tried again", async () => {
    const unique = Math.random();
    const make = () =>
      counter({ trace: (b, { t }) => ({ state: { t: b.add(t!, 1) }, outputs: { u: b.constant(unique, "f64") } }) });
    vi.spyOn(WebAssembly, "Module").mockImplementationOnce(
      class {
        constructor() {
          throw new Error("no memory left");
        }
      } as never,
    );
    await expect(make()).rejects.toThrow("no memory left");
    await expect(make()).resolves.toBeDefined();
  });
});

describe("buffers", () => {
  test("are shared by the programs that are given them", async () => {
    const sum = runtime.buffer("f64", [3], [100, 200, 300]);
    const writer = await counter({ state: { t: spec("i32", []), sum } });
    const reader = await graphProgram({
      state: {},
      inputs: { sum: spec("f64", [3]) },
      runtime,
      trace: (b, _state, x) => ({ state: {}, outputs: { total: b.sum(x.sum!, [0]) } }),
    });
    await writer.run({ x: [1, 1, 1] }, 2);
    expect((await reader.run({ sum })).metrics.total![0]).toBe(606);
    expect(writer.state.sum).toBe(sum);
  });
  test("are bound as inputs without a copy, and are left as they are", async () => {
    const p = await counter();
    const x = runtime.buffer("f64", [3], [1, 2, 3]);
    const before = runtime.usedBytes;
    await p.run({ x }, 3);
    expect(runtime.usedBytes).toBe(before);
    x.write([10, 10, 10]);
    await p.run({ x });
    expect([...p.state.sum!.read()]).toEqual([13, 16, 19]);
    expect([...x.read()]).toEqual([10, 10, 10]);
  });
  test("keep their values when the memory grows", async () => {
    const own = new Runtime({ relaxed: false });
    const x = own.buffer("f32", [4], [1, 2, 3, 4]);
    const p = await counter({ runtime: own });
    await p.run({ x: [1, 1, 1] });
    const before = own.memory.buffer;
    own.buffer("u8", [4 * before.byteLength]);
    expect(own.memory.buffer).not.toBe(before);
    expect([...x.read()]).toEqual([1, 2, 3, 4]);
    await p.run({ x: [1, 1, 1] });
    expect([...p.state.sum!.read()]).toEqual([2, 2, 2]);
  });
  test("of another size or runtime are refused", async () => {
    expect(() => runtime.buffer("f32", [2, 2], [1, 2, 3])).toThrow("a buffer of shape [2, 2] takes 4 values, not 3");
    const elsewhere = new Runtime({ relaxed: false }).buffer("f64", [3]);
    await expect(counter({ state: { t: spec("i32", []), sum: elsewhere } })).rejects.toThrow(
      'state "sum" is a buffer of another runtime',
    );
    const p = await counter();
    await expect(p.run({ x: elsewhere })).rejects.toThrow("a buffer of another runtime: copy its values");
  });
  test("that the step writes to are refused as inputs", async () => {
    const p = await counter();
    await expect(p.run({ x: p.state.sum! })).rejects.toThrow(
      'input "x" takes f64[3], not a buffer that the step itself writes to: copy its values',
    );
    await expect(p.run({ x: p.outputs.many! })).rejects.toThrow(ShapeError);
    await p.run({ x: p.outputs.many!.read() });
  });
});

describe("a count of rows", () => {
  const rows = () =>
    graphProgram({
      state: {},
      inputs: { x: spec("f32", [5, 2], true) },
      runtime,
      trace: (b, _state, { x, "count.x": count }) => {
        const inside = b.lt(b.iota("u32", [5, 2], 0), b.broadcast(count!, [5, 2], []));
        return { state: {}, outputs: { count: count!, total: b.sum(b.select(inside, x!, 0), [0, 1]) } };
      },
    });
  test("comes from numbers and from buffers", async () => {
    const p = await rows();
    const last = async (x: number[] | Buffer) => {
      const { metrics } = await p.run({ x });
      return [metrics.count![0], metrics.total![0]];
    };
    expect(await last([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])).toEqual([5, 55]);
    expect(await last([1, 2, 3, 4])).toEqual([2, 10]);
    expect(await last([])).toEqual([0, 0]);
    expect(await last(runtime.buffer("f32", [3, 2], [1, 1, 1, 1, 1, 1]))).toEqual([3, 6]);
  });
  test("is whole, and at most the capacity", async () => {
    const p = await rows();
    await expect(p.run({ x: [1, 2, 3] })).rejects.toThrow('input "x" takes f32[5, 2] (or fewer rows), not 3 values');
    await expect(p.run({ x: new Array(12).fill(0) })).rejects.toThrow("not 12 values");
    await expect(p.run({ x: runtime.buffer("f32", [6, 2]) })).rejects.toThrow("not f32[6, 2]");
    await expect(p.run({ x: runtime.buffer("f32", [3, 3]) })).rejects.toThrow("not f32[3, 3]");
  });
});

describe("what a caller does wrong is said", () => {
  test("inputs", async () => {
    const p = await counter();
    await expect(p.run({})).rejects.toThrow('input "x" (f64[3]) was not given');
    await expect(p.run({ x: [1, 2, 3], y: [1] })).rejects.toThrow(
      'there is no input "y"; the inputs of this program are: x',
    );
    await expect(p.run({ x: [1, 2] })).rejects.toThrow('input "x" takes f64[3], not 2 values');
    await expect(p.run({ x: 1 })).rejects.toThrow(ShapeError);
    await expect(p.run({ x: runtime.buffer("f32", [3]) })).rejects.toThrow('input "x" takes f64[3], not f32[3]');
    expect(p.state.t!.read()[0]).toBe(0);
  });
  test.each([-1, 0.5, Number.NaN, Infinity])("%d steps", async (steps) => {
    const p = await counter();
    await expect(p.run({ x: [1, 1, 1] }, steps)).rejects.toThrow(`run takes a whole number of steps, not ${steps}`);
  });
  test("running twice at once", async () => {
    const p = await counter();
    const first = p.run({ x: [1, 1, 1] }, 100);
    await expect(p.run({ x: [1, 1, 1] })).rejects.toThrow(AnsatzError);
    await expect(p.run({ x: [1, 1, 1] })).rejects.toThrow(
      "this program is running already: await the first run, or compile a second program",
    );
    await first;
    await p.run({ x: [1, 1, 1] });
    expect(p.state.t!.read()[0]).toBe(101);
  });
  test("a state that was not declared, or is of another type", async () => {
    const wrong = (trace: GraphProgramSpec["trace"]) => counter({ trace });
    await expect(wrong((_b, { t }) => ({ state: { u: t! }, outputs: {} }))).rejects.toThrow(OptionError);
    await expect(wrong((_b, { t }) => ({ state: { u: t! }, outputs: {} }))).rejects.toThrow(
      'the step returns a state "u" that was not declared; declared are: t, sum',
    );
    await expect(wrong((_b, { t }) => ({ state: { sum: t! }, outputs: {} }))).rejects.toThrow(
      'state "sum" is f64[3], but the step returns i32[]',
    );
  });
});

describe("a long run", () => {
  /** About a tenth of a millisecond of arithmetic a step. */
  const slow = () =>
    graphProgram({
      state: { x: spec("f64", [400, 40]), t: spec("u32", []) },
      inputs: {},
      runtime,
      deterministic: true,
      trace: (b, { x, t }) => ({ state: { x: b.sin(b.add(x!, 0.1)), t: b.add(t!, 1) }, outputs: { t: t! } }),
    });

  test("lets the host have its turns", async () => {
    const p = await slow();
    let turns = 0;
    let running = true;
    const tick = () => {
      turns++;
      if (running) setImmediate(tick);
    };
    setImmediate(tick);
    const slices: number[] = [];
    await p.run({}, 2000, { onSlice: (done) => slices.push(done) });
    running = false;
    expect(slices.at(-1)).toBe(2000);
    expect(slices).toEqual([...slices].sort((x, y) => x - y));
    // Slices double from one step up to about 50 ms; on a busy machine they are shorter, so there are never fewer.
    expect(slices.length).toBeGreaterThan(8);
    expect(turns).toBeGreaterThanOrEqual(slices.length - 2);
  });
  test("stops at a whole step when it is aborted, and can go on", async () => {
    const p = await slow();
    const abort = new AbortController();
    const reason = new Error("enough");
    let done = 0;
    const run = p.run({}, 1e9, {
      signal: abort.signal,
      onSlice: (n) => {
        done = n;
        if (n > 20) abort.abort(reason);
      },
    });
    await expect(run).rejects.toBe(reason);
    expect(p.state.t!.read()[0]).toBe(done);
    const { metrics } = await p.run({}, 3);
    expect([...metrics.t!]).toEqual([done, done + 1, done + 2]);
    const straight = await slow();
    await straight.run({}, done + 3);
    expect(straight.state.x!.read()).toEqual(p.state.x!.read());
  });
  test("that is aborted before it starts does nothing", async () => {
    const p = await slow();
    await expect(p.run({}, 5, { signal: AbortSignal.abort() })).rejects.toThrow();
    expect(p.state.t!.read()[0]).toBe(0);
  });
});

describe("the same bits", () => {
  /** A state that every rounding of every step leaves its mark on. */
  const chaotic = (own: Runtime) =>
    graphProgram({
      state: {
        w: own.buffer(
          "f32",
          [17, 17],
          Array.from({ length: 289 }, (_, i) => Math.sin(i)),
        ),
        t: spec("u32", []),
      },
      inputs: {},
      runtime: own,
      deterministic: true,
      trace: (b, { w, t }) => {
        const next = b.tanh(b.mul(b.matmul(w!, w!), 3));
        return { state: { w: next, t: b.add(t!, 1) }, outputs: { total: b.sum(next, [0, 1]) } };
      },
    });
  const bits = (x: ArrayLike<number>) => [...new Uint32Array(Float32Array.from(x).buffer)];

  test("come of one run of many steps and of many runs of one", async () => {
    const [one, many] = [await chaotic(runtime), await chaotic(runtime)];
    const { metrics } = await one.run({}, 60);
    const singles: number[] = [];
    for (let i = 0; i < 60; i++) singles.push((await many.run()).metrics.total![0]!);
    expect(bits(one.state.w!.read())).toEqual(bits(many.state.w!.read()));
    expect([...metrics.total!]).toEqual(singles);
  });
  test("come in two runtimes, wherever things lie in them", async () => {
    const other = new Runtime();
    other.buffer("u8", [100_003]);
    const [here, there] = [await chaotic(runtime), await chaotic(other)];
    await here.run({}, 60);
    await there.run({}, 60);
    expect(bits(here.state.w!.read())).toEqual(bits(there.state.w!.read()));
  });
});
