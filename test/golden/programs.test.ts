import { describe, expect, test } from "vitest";
import { wasmBackend } from "../../src/backends/wasm/backend.ts";
import { planGraph } from "../../src/engine/executable.ts";
import { type Graph, printGraph } from "../../src/ir/graph.ts";
import type { Node } from "../../src/ir/node.ts";
import { createTrace } from "../../src/ops/trace.ts";
import type { Trace } from "../../src/ops/vocabulary.ts";
import { gradient } from "../../src/transforms/vjp.ts";
import { showPlan } from "./show-kernels.ts";

const backend = wasmBackend({ blas: null, relaxed: false, parts: 1, sharedMemory: false });

/** Small programs, each with what it is a picture of. */
const programs: Record<string, (b: Trace) => Record<string, Node>> = {
  // A chain of elementwise ops is one loop; a softmax is a maximum, a sum, and a loop that needs both.
  softmax: (b) => {
    const x = b.input("input.x", "f32", [100, 10]);
    const total = b.logsumexp(x, [1]);
    return { "output.y": b.exp(b.sub(x, b.broadcast(total, [100, 10], [0]))) };
  },
  // A layer, its squared error and the gradient: products with the transposes folded in, an update in place.
  layer: (b) => {
    const w = b.input("state.w", "f32", [20, 10]);
    const x = b.input("input.x", "f32", [64, 20]);
    const y = b.input("input.y", "f32", [64, 10]);
    const error = b.sub(b.tanh(b.matmul(x, w)), y);
    const cost = b.mul(b.sum(b.mul(error, error), [0, 1]), 1 / 64);
    const [dw] = gradient(b, cost, [w]);
    return { "state.w": b.sub(w, b.mul(dw!, 0.1)), "output.cost": cost };
  },
  // Flat parameters: slices are read where they lie, gradients are written into their places of the concat.
  flat: (b) => {
    const phi = b.input("state.phi", "f64", [6]);
    const [p, q] = [b.slice(phi, [0], [4]), b.slice(phi, [4], [2])];
    const cost = b.add(b.sum(b.exp(p), [0]), b.sum(b.mul(q, q), [0]));
    const [dphi] = gradient(b, cost, [phi]);
    const parts = gradient(b, cost, [p, q]);
    return { "state.phi": b.sub(phi, dphi!), "output.cost": cost, "output.parts": b.concat(parts, 0) };
  },
  // Rows of a data set gathered by number and widened in the same loop.
  minibatch: (b) => {
    const data = b.input("input.data", "u8", [1000, 7]);
    const order = b.input("state.order", "u32", [16]);
    const rows = b.gather(data, order);
    return {
      "output.mean": b.mul(b.sum(b.cast(rows, "f32"), [0]), 1 / (16 * 255)),
      "output.bright": b.gt(b.cast(rows, "f32"), 127.5),
    };
  },
  // Two states exchanged, one read as it was: both are written in one loop after they are read.
  exchange: (b) => {
    const [p, q] = [b.input("state.p", "f32", [5]), b.input("state.q", "f32", [5])];
    const copy = (x: Node) => b.builder.append("copy", [x]);
    return { "state.p": copy(q), "state.q": copy(p), "output.before": copy(p) };
  },
  // Views that no strides can express are stored once.
  views: (b) => {
    const x = b.input("input.x", "f32", [4, 6]);
    const y = b.reshape(b.transpose(x, [1, 0]), [24]);
    return {
      "output.y": y,
      "output.z": b.add(y, 1),
      "output.column": b.slice(x, [0, 2], [4, 1]),
      "output.one": b.constant(1, "i32", [3]),
    };
  },
};

describe.each(Object.entries(programs))("%s", (name, build) => {
  const graph: Graph = { outputs: new Map(Object.entries(build(createTrace()))) };
  test("prints as stored, and compiles to the stored kernels", async () => {
    const plan = planGraph(graph, backend);
    const text = [
      "# as traced",
      printGraph(graph),
      "",
      "# simplified",
      printGraph(plan.graph),
      "",
      "# kernels",
      showPlan(plan),
      "",
    ].join("\n");
    await expect(text).toMatchFileSnapshot(`./${name}.txt`);
  });
});
