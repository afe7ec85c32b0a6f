import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { wasmBackend } from "../../src/backends/wasm/backend.ts";
import { bytesOf } from "../../src/base/dtype.ts";
import { sizeOf } from "../../src/base/shape.ts";
import { planGraph } from "../../src/engine/executable.ts";
import type { Graph } from "../../src/ir/graph.ts";
import { nodesOf } from "../../src/ir/graph.ts";
import type { Node } from "../../src/ir/node.ts";
import { createTrace } from "../../src/ops/trace.ts";
import type { Trace } from "../../src/ops/vocabulary.ts";
import { readsOf, writesOf } from "../../src/passes/fuse.ts";
import { type Plan, pack } from "../../src/passes/plan.ts";
import { randomGraph } from "../conformance/random-graph.ts";

const wasm = wasmBackend({ blas: null, relaxed: false, parts: 1, sharedMemory: false });
const planned = (build: (b: Trace) => Record<string, Node>): Plan =>
  planGraph({ outputs: new Map(Object.entries(build(createTrace()))) }, wasm);

interface Life {
  readonly node: Node;
  readonly slot: number;
  readonly from: number;
  readonly to: number;
  readonly born: number;
  readonly dies: number;
}

/** Where each stored value lies and from which kernel to which it must be intact; inputs are there before the first. */
function lives(plan: Plan): Life[] {
  const end = plan.kernels.length;
  const born = new Map<Node, number>();
  const dies = new Map<Node, number>();
  for (const [i, kernel] of plan.kernels.entries()) for (const node of writesOf(kernel)) born.set(node, i);
  for (const [i, kernel] of plan.kernels.entries())
    for (const node of readsOf(kernel, plan.accesses)) dies.set(node, i);
  for (const node of plan.graph.outputs.values()) dies.set(node, end);
  for (const { from } of plan.finalCopies) dies.set(from, end);
  return [...plan.places].map(([node, { slot, offset }]) => {
    const first = born.get(node) ?? -1;
    // An input keeps its value after the step, unless it is a state whose new value comes to its place.
    const kept = node.op === "input" && !plan.graph.outputs.has(node.attrs.name as string);
    const last = kept ? end : (dies.get(node) ?? first);
    return { node, slot, from: offset, to: offset + sizeOf(node.shape) * bytesOf(node.dtype), born: first, dies: last };
  });
}

/** Pairs of values that need the same bytes at the same time. */
function conflicts(plan: Plan): string[] {
  const all = lives(plan);
  const out: string[] = [];
  for (const [i, a] of all.entries()) {
    for (const b of all.slice(i + 1)) {
      if (a.slot !== b.slot || a.to <= b.from || b.to <= a.from) continue;
      const [first, second] = a.born <= b.born ? [a, b] : [b, a];
      if (second.born > first.dies) continue;
      // A kernel may write a state where it reads it; the fuse tests hold that to equal places.
      const replaces =
        first.node.op === "input" && plan.graph.outputs.get(first.node.attrs.name as string) === second.node;
      if (replaces && second.born === first.dies) continue;
      if (isPiece(plan, first, second)) continue;
      out.push(`%${a.node.id} ${a.node.op} and %${b.node.id} ${b.node.op} in slot ${a.slot}`);
    }
  }
  return out;
}

/** Whether `piece` is a part of the concat `whole`, standing in its place there (perhaps by way of another concat). */
function isPiece(plan: Plan, piece: Life, whole: Life): boolean {
  if (whole.node.op !== "concat") return false;
  let at = whole.from;
  const rowBytes = (n: Node) => sizeOf(n.shape) * bytesOf(n.dtype);
  for (const part of whole.node.inputs) {
    const { root } = plan.accesses.of(part);
    const inner: Life = { ...whole, node: root, from: at, to: at + rowBytes(part) };
    if (piece.node === root && piece.from === at && piece.to <= inner.to) return true;
    if (root.op === "concat" && isPiece(plan, piece, inner)) return true;
    at += rowBytes(part);
  }
  return false;
}

test("in random graphs no two values that live at once overlap, and all lie inside their region", () => {
  let shared = 0;
  for (let seed = 1; seed <= 300; seed++) {
    const plan = planGraph(randomGraph(seed), wasm);
    expect(conflicts(plan), `seed ${seed}`).toEqual([]);
    const inArena = lives(plan).filter((l) => l.slot === 0);
    for (const l of inArena) expect(l.to).toBeLessThanOrEqual(plan.arenaBytes);
    for (const l of inArena) expect(l.from % 64 === 0 || isInsideConcat(plan, l.node)).toBe(true);
    if (inArena.reduce((n, l) => n + l.to - l.from, 0) > plan.arenaBytes) shared++;
  }
  expect(shared).toBeGreaterThan(50);
});

const isInsideConcat = (plan: Plan, node: Node): boolean =>
  nodesOf(plan.graph).some((n) => n.op === "concat" && n.inputs.some((x) => plan.accesses.of(x).root === node));

describe("packing by lifetimes", () => {
  const block = fc.record({
    bytes: fc.nat({ max: 20 }).map((n) => 64 * n),
    first: fc.nat({ max: 10 }),
    length: fc.nat({ max: 5 }),
  });
  const blocksOf = (given: { bytes: number; first: number; length: number }[]) =>
    given.map(({ bytes, first, length }, id) => ({ node: { id } as Node, bytes, first, last: first + length }));
  test("never lets two blocks overlap that live at once", () => {
    fc.assert(
      fc.property(fc.array(block, { maxLength: 25 }), (given) => {
        const blocks = blocksOf(given);
        const { offsets, total } = pack(blocks);
        for (const a of blocks) {
          const at = offsets.get(a.node)!;
          expect(at % 64).toBe(0);
          expect(at + a.bytes).toBeLessThanOrEqual(total);
          for (const b of blocks) {
            if (a === b || a.last < b.first || b.last < a.first) continue;
            const other = offsets.get(b.node)!;
            expect(at + a.bytes <= other || other + b.bytes <= at).toBe(true);
          }
        }
      }),
      { seed: 1 },
    );
  });
  test("needs no more than all at once, and no less than the fullest moment", () => {
    fc.assert(
      fc.property(fc.array(block, { maxLength: 25 }), (given) => {
        const blocks = blocksOf(given);
        const { total } = pack(blocks);
        const at = (t: number) => blocks.filter((b) => b.first <= t && t <= b.last).reduce((n, b) => n + b.bytes, 0);
        expect(total).toBeLessThanOrEqual(blocks.reduce((n, b) => n + b.bytes, 0));
        expect(total).toBeGreaterThanOrEqual(Math.max(0, ...Array.from({ length: 16 }, (_, t) => at(t))));
      }),
      { seed: 2 },
    );
  });
  test("uses a place again when its block is dead", () => {
    const { total } = pack(
      blocksOf([
        { bytes: 128, first: 0, length: 1 },
        { bytes: 128, first: 2, length: 1 },
      ]),
    );
    expect(total).toBe(128);
  });
});

describe("places", () => {
  const at = (plan: Plan, node: Node) => {
    const { slot, offset } = plan.places.get(node)!;
    return `${plan.slots[slot]}+${offset}`;
  };
  const resultOf = (plan: Plan, name: string): Node => plan.graph.outputs.get(name)!;

  test("pieces of a concat are computed where they end up", () => {
    const plan = planned((b) => {
      const x = b.input("input.x", "f32", [4]);
      return {
        "output.y": b.concat(
          [b.exp(x), b.matmul(b.reshape(x, [4, 1]), b.reshape(x, [1, 4]))].map((n) =>
            b.reshape(n, [n.shape.length === 1 ? 4 : 16]),
          ),
          0,
        ),
      };
    });
    const [exp, product] = resultOf(plan, "output.y").inputs.map((x) => plan.accesses.of(x).root);
    expect(at(plan, exp!)).toBe("output.y+0");
    expect(at(plan, product!)).toBe("output.y+16");
    expect(plan.arenaBytes).toBe(0);
  });
  test("a piece that is there twice, or is an input, is copied", () => {
    const plan = planned((b) => {
      const x = b.input("input.x", "f32", [4]);
      const y = b.exp(x);
      return { "output.y": b.concat([y, x, y], 0) };
    });
    const [y, x] = resultOf(plan, "output.y").inputs;
    expect(at(plan, y!)).toBe("output.y+0");
    expect(at(plan, x!)).toBe("input.x+0");
  });
  test("pieces along an inner axis are not whole there", () => {
    const plan = planned((b) => {
      const x = b.input("input.x", "f32", [4, 2]);
      return { "output.y": b.concat([b.exp(x), b.log(x)], 1) };
    });
    for (const x of resultOf(plan, "output.y").inputs) expect(at(plan, x)).toMatch(/^arena/);
  });
  test("concats nest", () => {
    const plan = planned((b) => {
      const x = b.input("input.x", "f32", [4]);
      return { "output.y": b.concat([b.log(x), b.concat([b.exp(x), b.sin(x)], 0)], 0) };
    });
    const [, inner] = resultOf(plan, "output.y").inputs;
    expect(at(plan, inner!)).toBe("output.y+16");
    expect(at(plan, inner!.inputs[1]!)).toBe("output.y+32");
    expect(plan.arenaBytes).toBe(0);
  });
  test("a value that is a state and an output is computed once and copied", () => {
    const plan = planned((b) => {
      const next = b.add(b.input("state.s", "f32", [4]), 1);
      return { "state.s": next, "output.y": next };
    });
    expect(at(plan, resultOf(plan, "state.s"))).toBe("state.s+0");
    expect(plan.finalCopies.map(({ to }) => plan.slots[to.slot])).toEqual(["output.y"]);
  });
  test("states that cannot be replaced in place are copied when all is done", () => {
    const plan = planned((b) => {
      const s = b.input("state.s", "f32", [4, 4]);
      return { "state.s": b.matmul(s, s) };
    });
    expect(at(plan, resultOf(plan, "state.s"))).toBe("arena+0");
    expect(plan.finalCopies.length).toBe(1);
  });
});

const samples: readonly ((b: Trace) => Graph)[] = [
  (b) => ({ outputs: new Map([["output.y", b.input("state.s", "f32", [3])]]) }),
  (b) => ({ outputs: new Map([["output.y", b.constant(1, "f32", [3])]]) }),
  (b) => ({ outputs: new Map([["output.y", b.iota("u32", [0], 0)]]) }),
];
test.each(samples)("even a graph without work has a plan (%#)", (build) => {
  const plan = planGraph(build(createTrace()), wasm);
  expect(plan.graph.outputs.size).toBe(1);
  expect(conflicts(plan)).toEqual([]);
});
