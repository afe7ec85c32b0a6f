import { bytesOf, isFloat } from "../../base/dtype.ts";
import { type Shape, sizeOf, stridesOf } from "../../base/shape.ts";
import { nodesOf } from "../../ir/graph.ts";
import type { Node } from "../../ir/node.ts";
import { matmulSizes } from "../../ops/contract.ts";
import { keptAxes } from "../../ops/reduce.ts";
import type { Access } from "../../passes/access.ts";
import type { LoopKernel } from "../../passes/fuse.ts";
import type { Plan } from "../../passes/plan.ts";
import { type Backend, type Executable, type NodeReport, ringOutputs } from "../backend.ts";
import { type Blas, blasWorthwhile } from "../blas/blas.ts";
import { call, type Expr, type FuncRef, f32, f64, i32, memory, type ValType } from "./assembler/expr.ts";
import { type FuncBuilder, ModuleBuilder } from "./assembler/module.ts";
import { gemmScratchBytes } from "./gemm.ts";
import { emitLoop, type LoopSpec, placeAddress, type Source, type Stream } from "./loop.ts";
import { computedSource, emitRoutine, matmulRoutine, type RoutineContext } from "./routines.ts";

export interface WasmOptions {
  /** Serves the matrix products it is worth a call for; null for the wasm kernels alone. */
  readonly blas: Blas | null;
  /** Fused multiply-add in the wasm products. */
  readonly relaxed: boolean;
}

/** Ops with a meaning of their own here; the rest is lowered. */
const LOWERED = new Set(["logsumexp", "stopGradient", "customVjp"]);

/** One module a program: every kernel a function, a step that calls them, and a loop of steps. */
export function wasmBackend(options: WasmOptions): Backend {
  const { blas, relaxed } = options;
  return {
    name: blas ? `wasm${relaxed ? "+relaxed" : ""}+blas(${blas.library})` : `wasm${relaxed ? "+relaxed" : ""}`,
    keeps: (op) => !LOWERED.has(op),
    compile: async (plan) => {
      const { module, nodes, scratchBytes } = emitModule(plan, options);
      const code = module.encode();
      const compiled = await WebAssembly.compile(code);
      const executable: Executable = {
        backend: blas ? "wasm+blas" : "wasm",
        nodes,
        scratchBytes,
        codeBytes: code.length,
        imports: module.importNames,
        bind: async (memory) => {
          const instance = await WebAssembly.instantiate(compiled, {
            env: { memory },
            blas: blas && module.importNames.length ? { ...blas.bind(memory) } : {},
          });
          return { run: instance.exports.run as (table: number, steps: number, ring: number) => void };
        },
      };
      return executable;
    },
  };
}

const GEMM_PARAMS: ValType[] = Array.from({ length: 11 }, () => "i32");

function emitModule(plan: Plan, options: WasmOptions) {
  const module = new ModuleBuilder();
  const context: RoutineContext = {
    m: module,
    plan,
    relaxed: options.relaxed,
    blas: options.blas
      ? (dtype, m, n, k) =>
          blasWorthwhile(dtype, m, n, k) ? module.importFunction("blas", `gemm_${dtype}`, GEMM_PARAMS, []) : null
      : null,
  };
  const nodes: NodeReport[] = [];
  let scratchBytes = 0;
  const kernels = plan.kernels.map((kernel, i) => {
    const name = `k${i}`;
    const report = (node: Node, backend: string) => nodes.push({ node: `%${node.id}`, op: node.op, backend, kernel: name });
    if (kernel.kind === "loop") {
      for (const node of [...kernel.body, ...kernel.reductions]) report(node, "wasm");
      return emitLoop(module, loopSpec(plan, kernel, name));
    }
    const { node } = kernel;
    if (node.op === "matmul") {
      const { m, n, k } = matmulSizes(node);
      const { backend } = matmulRoutine(context, node);
      if (backend === "wasm") scratchBytes = Math.max(scratchBytes, gemmScratchBytes(node.dtype as "f32", m, n, k));
      report(node, backend);
    } else report(node, "wasm");
    return emitRoutine(context, node, name);
  });
  emitRun(module, plan, kernels);
  const reported = new Set(nodes.map((n) => n.node));
  for (const node of nodesOf(plan.graph)) {
    // Inputs, constants, counts and views are read where they lie.
    if (!reported.has(`%${node.id}`)) nodes.push({ node: `%${node.id}`, op: node.op, backend: "wasm", kernel: "view" });
  }
  return { module, nodes, scratchBytes };
}

/** `run(table, steps, ring)`. The loop body is a function of its own, so that it is replaced when the optimised code is ready. */
function emitRun(m: ModuleBuilder, plan: Plan, kernels: readonly FuncRef[]): void {
  const step = m.function("step", ["i32", "i32"], [], (f, table, ring) => {
    for (const kernel of kernels) f.do(call(kernel, table!));
    for (const { from, to } of plan.finalCopies) {
      const bytes = sizeOf(from.shape) * bytesOf(from.dtype);
      f.do(memory.copy(placeAddress(table!, to), placeAddress(table!, plan.places.get(from)!), i32.const(bytes)));
    }
    emitRecord(f, plan, table!, ring!);
  });
  const run = m.function("run", ["i32", "i32", "i32"], [], (f, table, steps, ring) => {
    const i = f.local("i32");
    f.for(i, i32.const(0), steps!, 1, () => f.do(call(step, table!, i32.add(ring!, i))));
  });
  m.export("run", run);
}

/** Writes the scalar outputs as f64 to row `ring` of the ring. */
function emitRecord(f: FuncBuilder, plan: Plan, table: Expr, ring: Expr): void {
  const names = ringOutputs(plan.graph);
  if (!names.length) return;
  const base = i32.load(table, 4 * (plan.slots.length + 1));
  const row = f.let(i32.add(base, i32.mul(ring, i32.const(8 * names.length))));
  for (const [i, name] of names.entries()) {
    const node = plan.graph.outputs.get(name)!;
    const address = placeAddress(table, plan.places.get(node)!);
    f.do(f64.store(row, scalarAsF64(node, address), 8 * i));
  }
}

function scalarAsF64(node: Node, address: Expr): Expr {
  if (node.dtype === "f64") return f64.load(address);
  if (isFloat(node.dtype)) return f64.promote_f32(f32.load(address));
  if (node.dtype === "i32") return f64.convert_i32_s(i32.load(address));
  return f64.convert_i32_u(node.dtype === "u32" ? i32.load(address) : i32.load8_u(address));
}

/** A fusion kernel with every operand resolved to a place. */
function loopSpec(plan: Plan, kernel: LoopKernel, name: string): LoopSpec {
  const { accesses, places } = plan;
  const own = new Set(kernel.body);
  const fromAccess = (access: Access, dtype: Node["dtype"], reader?: Node): Source =>
    accesses.isComputed(access.root, reader)
      ? computedSource(access.root, access.offset, access.strides)
      : { kind: "memory", stream: { place: places.get(access.root)!, dtype, offset: access.offset, strides: access.strides } };
  const operand = (x: Node): Source => (own.has(x) ? { kind: "value", node: x } : fromAccess(accesses.of(x), x.dtype));
  const sources = (node: Node): Source[] => {
    if (accesses.copies.has(node)) return [fromAccess(accesses.sourceOf(node), node.dtype, node)];
    return node.op === "gather" ? [rowSource(plan, node)] : node.inputs.map(operand);
  };
  const target = (node: Node, strides: readonly number[]): Stream => ({ place: places.get(node)!, dtype: node.dtype, offset: 0, strides });
  return {
    name,
    shape: kernel.shape,
    items: kernel.body.map((node) => ({ node, sources: sources(node), copies: accesses.copies.has(node) || node.op === "gather" })),
    stores: kernel.stored.map((node) => ({ source: { kind: "value", node }, target: target(node, stridesOf(node.shape)) })),
    reductions: kernel.reductions.map((node) => ({
      op: node.op as "sum" | "max",
      source: operand(node.inputs[0]!),
      target: target(node, reducedStrides(kernel.shape, node.attrs.axes as number[])),
    })),
  };
}

/** Strides of a reduction's result over the axes of its operand: 0 along those it sums over. */
function reducedStrides(shape: Shape, axes: readonly number[]): number[] {
  const kept = keptAxes(shape, axes);
  const strides = stridesOf(kept.map((axis) => shape[axis]!));
  return shape.map((_, axis) => (kept.includes(axis) ? strides[kept.indexOf(axis)]! : 0));
}

function rowSource(plan: Plan, node: Node): Source {
  const [table, index] = node.inputs as [Node, Node];
  const lead = index.shape.length;
  const inRow = stridesOf(table.shape.slice(1));
  const ofIndex = stridesOf(index.shape);
  const at = plan.accesses.of(table);
  const by = plan.accesses.of(index);
  return {
    kind: "row",
    stream: { place: plan.places.get(at.root)!, dtype: table.dtype, offset: at.offset, strides: [...ofIndex.map(() => 0), ...inRow] },
    index: { place: plan.places.get(by.root)!, dtype: index.dtype, offset: by.offset, strides: node.shape.map((_, axis) => (axis < lead ? ofIndex[axis]! : 0)) },
    rows: table.shape[0]!,
    rowStride: sizeOf(table.shape.slice(1)),
  };
}
