import { describe, expect, test } from "vitest";
import { evaluateGraph } from "../../src/backends/reference/backend.ts";
import type { TypedArray } from "../../src/base/dtype.ts";
import { type GraphProgramSpec, graphProgram, type Nodes } from "../../src/engine/program.ts";
import { Runtime, type TensorSpec } from "../../src/engine/runtime.ts";
import type { Node } from "../../src/ir/node.ts";
import { createTrace } from "../../src/ops/trace.ts";
import type { Trace } from "../../src/ops/vocabulary.ts";

const runtime = new Runtime({ relaxed: false });
const spec = (...shape: number[]): TensorSpec => ({ dtype: "f32", shape, upTo: false });

interface Step {
  readonly state: Readonly<Record<string, TensorSpec>>;
  readonly trace: (b: Trace, state: Nodes) => { state: Record<string, Node>; outputs: Record<string, Node> };
}

/** Steps in which the old value of a state is still wanted while the new one is on its way. */
const steps: Record<string, Step> = {
  "an output that is the old state unchanged, by way of + 0": {
    state: { s: spec(5) },
    trace: (b, { s }) => ({ state: { s: b.mul(s!, 2) }, outputs: { before: b.add(s!, 0) } }),
  },
  "an output that is the old state itself": {
    state: { s: spec(5) },
    trace: (b, { s }) => ({ state: { s: b.mul(s!, 2) }, outputs: { before: s! } }),
  },
  "a view of the old state": {
    state: { s: spec(4, 3) },
    trace: (b, { s }) => ({
      state: { s: b.mul(s!, 2) },
      outputs: { part: b.slice(s!, [1, 1], [2, 2]), turned: b.transpose(s!, [1, 0]) },
    }),
  },
  "a square state that becomes its transpose": {
    state: { s: spec(5, 5) },
    trace: (b, { s }) => ({ state: { s: b.transpose(s!, [1, 0]) }, outputs: {} }),
  },
  "a square state to which its transpose is added": {
    state: { s: spec(6, 6) },
    trace: (b, { s }) => ({ state: { s: b.add(s!, b.transpose(s!, [1, 0])) }, outputs: {} }),
  },
  "a state replaced by something else in the loop that sums it": {
    state: { s: spec(4, 4) },
    trace: (b, { s }) => ({
      state: { s: b.iota("f32", [4, 4], 1) },
      outputs: { rows: b.sum(s!, [1]), columns: b.max(s!, [0]) },
    }),
  },
  "two states exchanged, and summed": {
    state: { s: spec(9), t: spec(9) },
    trace: (b, { s, t }) => ({ state: { s: t!, t: s! }, outputs: { s: b.sum(s!, [0]), t: b.sum(t!, [0]) } }),
  },
  "three states passed round": {
    state: { a: spec(9), b: spec(9), c: spec(9) },
    trace: (_b, { a, b, c }) => ({ state: { a: b!, b: c!, c: a! }, outputs: {} }),
  },
  "a state made of pieces of itself in another order": {
    state: { s: spec(7) },
    trace: (b, { s }) => ({ state: { s: b.concat([b.slice(s!, [3], [4]), b.slice(s!, [0], [3])], 0) }, outputs: {} }),
  },
  "a state gathered by itself": {
    state: { s: spec(6) },
    trace: (b, { s }) => ({ state: { s: b.gather(s!, b.cast(b.maximum(s!, 0), "i32")) }, outputs: {} }),
  },
  "a state that becomes a product of itself, beside another": {
    state: { s: spec(4, 4) },
    trace: (b, { s }) => ({
      state: { s: b.minimum(b.maximum(b.matmul(s!, s!), -8), 8) },
      outputs: { product: b.matmul(s!, s!, true, false) },
    }),
  },
  "one value for two states and an output": {
    state: { s: spec(5), t: spec(5) },
    trace: (b, { s, t }) => {
      const next = b.add(s!, t!);
      return { state: { s: next, t: next }, outputs: { next, half: b.mul(next, 0.5) } };
    },
  },
  "an output that is a reshape of a transpose, and nothing else": {
    state: { s: spec(4, 6) },
    trace: (b, { s }) => ({ state: { s: b.add(s!, 1) }, outputs: { y: b.reshape(b.transpose(s!, [1, 0]), [24]) } }),
  },
  "a count that is an output, and a view of it that is read": {
    state: { s: spec(2, 4) },
    trace: (b, { s }) => {
      const count = b.iota("f32", [3, 4], 0);
      return { state: { s: b.add(s!, b.slice(count, [1, 0], [2, 4])) }, outputs: { count } };
    },
  },
  "a constant that is two outputs and an operand": {
    state: { s: spec(3) },
    trace: (b, { s }) => {
      const one = b.constant(1, "f32", [3]);
      return { state: { s: b.add(s!, one) }, outputs: { one, again: one } };
    },
  },
};

describe.each(Object.entries(steps))("%s", (_name, step) => {
  test("is what all states replaced at once would give", async () => {
    const b = createTrace();
    const nodes = Object.fromEntries(
      Object.entries(step.state).map(([name, s]) => [name, b.input(name, s.dtype, s.shape)]),
    );
    const { state, outputs } = step.trace(b, nodes);
    const p = await graphProgram({ ...step, inputs: {}, runtime, deterministic: true } satisfies GraphProgramSpec);
    const values = new Map<string, TypedArray>();
    for (const name of Object.keys(step.state)) {
      const start = p.state[name]!.read().map((_, i) => ((i * 7 + name.charCodeAt(0)) % 11) - 3) as TypedArray;
      values.set(name, start);
      p.state[name]!.write(start);
    }
    for (let turn = 0; turn < 3; turn++) {
      await p.run();
      const named = (kind: string, all: Record<string, Node>) =>
        Object.entries(all).map(([name, n]) => [`${kind}.${name}`, n] as const);
      const want = evaluateGraph({ outputs: new Map([...named("state", state), ...named("output", outputs)]) }, values);
      for (const name of Object.keys(state)) values.set(name, want.get(`state.${name}`)!);
      for (const name of Object.keys(outputs))
        expect([...p.outputs[name]!.read()], name).toEqual([...want.get(`output.${name}`)!]);
      for (const name of Object.keys(step.state))
        expect([...p.state[name]!.read()], name).toEqual([...values.get(name)!]);
    }
  });
});
