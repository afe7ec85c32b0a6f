import { describe, expect, test } from "vitest";
import { wasmBackend } from "../../src/backends/wasm/backend.ts";
import { type Graph, nodesOf } from "../../src/ir/graph.ts";
import type { Node } from "../../src/ir/node.ts";
import { scalar } from "../../src/ops/scalar.ts";
import { createTrace } from "../../src/ops/trace.ts";
import type { Trace } from "../../src/ops/vocabulary.ts";
import { isView } from "../../src/passes/access.ts";
import { batchStride, type Fused, fuse, isMatrixLayout, readsOf, writesOf } from "../../src/passes/fuse.ts";
import { simplify } from "../../src/passes/simplify.ts";
import { randomGraph } from "../conformance/random-graph.ts";

const wasm = wasmBackend({ blas: null, relaxed: false, parts: 1, sharedMemory: false });

function fused(build: (b: Trace) => Record<string, Node>): Fused {
  return fuse({ outputs: new Map(Object.entries(build(createTrace()))) });
}

/** The ops of each kernel, in order. */
const opsOf = ({ kernels }: Fused): string[] =>
  kernels.map((k) => (k.kind === "routine" ? k.node.op : [...k.body, ...k.reductions].map((n) => n.op).join(" ")));

describe("kernels", () => {
  test("an elementwise chain and the reductions of it are one loop", () => {
    const f = fused((b) => {
      const x = b.input("input.x", "f32", [5, 7]);
      const y = b.exp(b.mul(x, 2));
      return { "output.y": y, "output.sum": b.sum(y, [1]), "output.max": b.max(y, [1]) };
    });
    expect(opsOf(f)).toEqual(["mul exp sum max"]);
  });
  test("siblings of one shape share a loop, another shape has its own", () => {
    const f = fused((b) => {
      const [x, y] = [b.input("input.x", "f32", [5]), b.input("input.y", "f32", [6])];
      return { "output.a": b.exp(x), "output.b": b.log(x), "output.c": b.exp(y) };
    });
    expect(opsOf(f).sort()).toEqual(["exp", "exp log"]);
  });
  test("what needs a whole reduction comes after it", () => {
    const f = fused((b) => {
      const x = b.input("input.x", "f32", [5, 7]);
      const y = b.exp(x);
      return { "output.z": b.div(y, b.broadcast(b.sum(y, [1]), [5, 7], [0])) };
    });
    expect(opsOf(f)).toEqual(["exp sum", "div"]);
  });
  test("a table that a gather reads is complete before it", () => {
    const f = fused((b) => {
      const x = b.input("input.x", "f32", [4]);
      return { "output.y": b.gather(b.exp(x), b.cast(x, "i32")) };
    });
    const [first, second] = f.kernels;
    expect(writesOf(first!).length).toBe(2);
    expect(opsOf(f)[1]).toBe("gather");
    expect(second!.kind).toBe("loop");
  });
});

/** What any order of kernels must hold, whatever was fused. */
function faults(graph: Graph): string[] {
  const f = fuse(graph);
  const nodes = nodesOf(graph);
  const out: string[] = [];
  const writer = new Map<Node, number>();
  for (const [i, kernel] of f.kernels.entries()) {
    for (const node of writesOf(kernel)) {
      if (writer.has(node)) out.push(`%${node.id} is written twice`);
      writer.set(node, i);
    }
  }
  for (const [i, kernel] of f.kernels.entries()) {
    for (const node of readsOf(kernel, f.accesses)) {
      if (node.op === "input") continue;
      if (!writer.has(node)) out.push(`kernel ${i} reads %${node.id} ${node.op}, which nobody writes`);
      else if (writer.get(node)! >= i) out.push(`kernel ${i} reads %${node.id} before it is written`);
    }
    if (kernel.kind === "loop") {
      const place = new Map(kernel.body.map((n, at) => [n, at]));
      for (const [at, node] of kernel.body.entries()) {
        if (f.accesses.copies.has(node)) continue;
        for (const x of node.inputs) if ((place.get(x) ?? -1) >= at) out.push(`%${node.id} stands before its operand`);
      }
    }
  }
  const done = new Set(f.kernels.flatMap((k) => (k.kind === "routine" ? [k.node] : [...k.body, ...k.reductions])));
  for (const node of nodes) {
    const needed = !isView(node) && !["input", "const", "iota"].includes(node.op);
    if (needed && !done.has(node)) out.push(`%${node.id} ${node.op} is in no kernel`);
  }
  for (const [name, node] of graph.outputs)
    if (node.op !== "input" && !writer.has(node)) out.push(`${name} is not written`);
  for (const name of f.inPlace) {
    const old = nodes.find((n) => n.attrs.name === name);
    const at = writer.get(graph.outputs.get(name)!)!;
    for (const [i, kernel] of f.kernels.entries()) {
      if (old && i > at && readsOf(kernel, f.accesses).has(old))
        out.push(`kernel ${i} reads ${name} after it was overwritten`);
    }
  }
  return out;
}

test("in random graphs nothing is read before it is written, nor a state after it is overwritten", () => {
  let loops = 0;
  for (let seed = 1; seed <= 300; seed++) {
    const graph = simplify(randomGraph(seed), wasm.keeps);
    expect(faults(graph), `seed ${seed}`).toEqual([]);
    loops += fuse(graph).kernels.filter(
      (k) => k.kind === "loop" && k.body.filter((n) => n.op in scalar).length > 2,
    ).length;
  }
  expect(loops).toBeGreaterThan(300);
});

describe("a state is overwritten in place", () => {
  const state = (b: Trace, shape = [3, 3]) => b.input("state.s", "f32", shape);
  const inPlace = (build: (b: Trace, s: Node) => Record<string, Node>) =>
    fused((b) => build(b, state(b))).inPlace.has("state.s");

  test("by a function of itself", () => {
    expect(inPlace((b, s) => ({ "state.s": b.add(s, 1) }))).toBe(true);
  });
  test("by a function of itself that is summed too", () => {
    expect(inPlace((b, s) => ({ "state.s": b.add(s, 1), "output.y": b.sum(s, [0, 1]) }))).toBe(true);
  });
  test("after another kernel has read it", () => {
    const f = fused((b) => ({ "state.s": b.add(state(b), 1), "output.y": b.matmul(state(b), state(b)) }));
    expect(f.inPlace.has("state.s")).toBe(true);
    expect(f.kernels.map((k) => k.kind)).toEqual(["routine", "loop"]);
  });
  test("not by its transpose", () => {
    expect(inPlace((b, s) => ({ "state.s": b.transpose(s, [1, 0]) }))).toBe(false);
    expect(inPlace((b, s) => ({ "state.s": b.add(s, b.transpose(s, [1, 0])) }))).toBe(false);
  });
  test("not by rows of itself", () => {
    expect(inPlace((b, s) => ({ "state.s": b.gather(s, b.iota("i32", [3], 0)) }))).toBe(false);
  });
  test("not by a routine", () => {
    expect(inPlace((b, s) => ({ "state.s": b.matmul(s, s) }))).toBe(false);
  });
  test("not where its new value is needed to make what reads the old one", () => {
    expect(
      inPlace((b, s) => {
        const next = b.add(s, 1);
        return { "state.s": next, "output.y": b.gather(b.reshape(s, [9]), b.cast(b.sum(next, [0, 1]), "i32")) };
      }),
    ).toBe(false);
  });
});

describe("operands of products", () => {
  const x = createTrace().input("x", "f32", [100]);
  const at = (strides: number[]) => ({ root: x, offset: 0, strides });
  test("may be rows apart, or columns", () => {
    expect(isMatrixLayout(at([4, 1]), [3, 4])).toBe(true);
    expect(isMatrixLayout(at([9, 1]), [3, 4])).toBe(true);
    expect(isMatrixLayout(at([1, 3]), [3, 4])).toBe(true);
  });
  test("may not overlap, be spread out, or run both ways", () => {
    expect(isMatrixLayout(at([0, 1]), [3, 4])).toBe(false);
    expect(isMatrixLayout(at([8, 2]), [3, 4])).toBe(false);
    expect(isMatrixLayout(at([2, 1]), [3, 4])).toBe(false);
  });
  test("have one stride for all leading axes", () => {
    expect(batchStride(at([24, 12, 4, 1]), [2, 2, 3, 4])).toBe(12);
    expect(batchStride(at([0, 0, 4, 1]), [2, 2, 3, 4])).toBe(0);
    expect(batchStride(at([12, 24, 4, 1]), [2, 2, 3, 4])).toBe(null);
    expect(batchStride(at([99, 12, 4, 1]), [1, 2, 3, 4])).toBe(12);
  });
});
