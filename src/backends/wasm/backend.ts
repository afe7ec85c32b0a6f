import { bytesOf, isFloat } from "../../base/dtype.ts";
import { type Shape, sizeOf, stridesOf } from "../../base/shape.ts";
import { nodesOf } from "../../ir/graph.ts";
import type { Node } from "../../ir/node.ts";
import { keptAxes } from "../../ops/reduce.ts";
import type { Access } from "../../passes/access.ts";
import type { LoopKernel } from "../../passes/fuse.ts";
import type { Plan } from "../../passes/plan.ts";
import { type Backend, type Executable, type NodeReport, ringOutputs } from "../backend.ts";
import { call, type Expr, type FuncRef, f32, f64, i32, memory } from "./assembler/expr.ts";
import { type FuncBuilder, ModuleBuilder } from "./assembler/module.ts";
import { compileModule, linkModule } from "./link.ts";
import { type EmittedKernel, emitLoop, placeAddress } from "./loop.ts";
import type { LoopSpec, Source, Stream } from "./loop-spec.ts";
import { loadSpecialMath, SPECIAL_NAMES } from "./math/index.ts";
import type { Meeting } from "./meeting.ts";
import { computedSource, emitRoutine, emitters, type RoutineContext, type WasmOptions } from "./routines.ts";

/** Ops with a meaning of their own here; the rest is lowered. */
const LOWERED = new Set(["logsumexp", "stopGradient", "customVjp"]);

/** One module a program: every kernel a function, a step that calls them, and a loop of steps. */
export function wasmBackend(options: WasmOptions): Backend {
  const { blas, relaxed, parts, sharedMemory } = options;
  return {
    name: `wasm${relaxed ? "+relaxed" : ""}${blas ? `+blas(${blas.library})` : ""}/${parts}${sharedMemory ? "s" : ""}`,
    keeps: (op) => !LOWERED.has(op),
    compile: async (plan) => {
      await prepare(plan);
      // Loaded only where there are threads: a page has none.
      const meeting = parts > 1 ? (await import("./meeting.ts")).meetingFunctions : null;
      const { module, nodes, scratchBytes, parallel } = emitModule(plan, options, meeting);
      const code = module.encode();
      const compiled = await compileModule(code);
      const executable: Executable = {
        backend: blas ? "wasm+blas" : "wasm",
        nodes,
        scratchBytes,
        codeBytes: code.length,
        imports: module.importNames,
        bind: async ({ memory, threads }) => {
          const withBlas = module.importNames.length > 0;
          const instance = await linkModule(compiled, {
            env: { memory },
            blas: withBlas ? { ...blas!.bind(memory) } : {},
          });
          const pool = parallel ? threads : null;
          const handle = pool ? await pool.load(compiled, withBlas) : 0;
          const run = instance.exports.run as (table: number, steps: number, ring: number, phase: number) => void;
          const kernels = instance.exports as Record<string, (table: number, part: number) => void>;
          return {
            module: !pool && !withBlas && compiled,
            run: (table, steps, ring) => {
              if (!pool) return run(table, steps, ring, 0);
              const phase = pool.start(handle, table, steps, ring);
              try {
                run(table, steps, ring, phase);
              } catch (error) {
                pool.check();
                throw error;
              }
            },
            profile: (table, repeats) =>
              plan.kernels.map((_, i) => {
                const started = performance.now();
                for (let turn = 0; turn < repeats; turn++) kernels[`k${i}`]!(table, 0);
                return (performance.now() - started) / repeats;
              }),
          };
        },
      };
      return executable;
    },
  };
}

/** Writes the functions by which threads meet. */
type MeetingEmitter = (m: ModuleBuilder) => Meeting;

/** Loads what the plan's emitters need that is not in the core. */
async function prepare(plan: Plan): Promise<void> {
  if (nodesOf(plan.graph).some((node) => SPECIAL_NAMES.includes(node.op as "erf"))) await loadSpecialMath();
  for (const kernel of plan.kernels) {
    if (kernel.kind === "loop") continue;
    const { op } = kernel.node;
    emitters[op] ??= await (await import("./on-demand.ts")).emitterOf(op);
    await emitters[op].prepare?.(kernel.node, prepare);
  }
}

function emitModule(plan: Plan, options: WasmOptions, meeting: MeetingEmitter | null) {
  const module = new ModuleBuilder({ module: "env", name: "memory", shared: options.sharedMemory });
  const scratchBytes = scratchFor(plan, options);
  const nodes: NodeReport[] = [];
  const kernels = emitKernels({ ...options, m: module, plan, scratchBytes, emitKernels }, "k");
  for (const [i, kernel] of plan.kernels.entries()) {
    const report = (node: Node, backend = "wasm") =>
      nodes.push({ node: `%${node.id}`, op: node.op, backend, kernel: `k${i}` });
    if (kernel.kind === "loop") for (const node of [...kernel.body, ...kernel.reductions]) report(node);
    else report(kernel.node, emitters[kernel.node.op]!.backend?.(options, kernel.node));
  }
  const parallel = kernels.some((k) => k.parallel);
  emitRun(module, plan, kernels, options.parts, parallel ? meeting : null);
  const reported = new Set(nodes.map((n) => n.node));
  for (const node of nodesOf(plan.graph)) {
    // Inputs, constants, counts and views are read where they lie.
    if (!reported.has(`%${node.id}`)) nodes.push({ node: `%${node.id}`, op: node.op, backend: "wasm", kernel: "view" });
  }
  return { module, nodes, scratchBytes: scratchBytes * options.parts, parallel };
}

const emitKernels = (c: RoutineContext, prefix: string): EmittedKernel[] =>
  c.plan.kernels.map((kernel, i) =>
    kernel.kind === "loop"
      ? emitLoop(c.m, loopSpec(c.plan, kernel, prefix + i), c.parts)
      : emitRoutine(c, kernel.node, prefix + i),
  );

/** Scratch for the routine that needs most. */
function scratchFor(plan: Plan, options: WasmOptions): number {
  const bytes = plan.kernels.map((kernel) =>
    kernel.kind === "routine"
      ? (emitters[kernel.node.op]!.scratchBytes?.(options, kernel.node, (inner) => scratchFor(inner, options)) ?? 0)
      : 0,
  );
  return Math.ceil(Math.max(0, ...bytes) / 64) * 64;
}

/**
 * `run(table, steps, ring, phase)`. Threads all run the same steps. A step is a row of phases, each of one or several parts; a
 * part is done by whichever thread takes it first, so that a thread which the machine does not run holds nobody up and the
 * bits do not depend on who did what. The loop body is a function of its own, so that it is replaced when the optimised code
 * is ready.
 */
function emitRun(
  m: ModuleBuilder,
  plan: Plan,
  kernels: readonly EmittedKernel[],
  parts: number,
  meeting: MeetingEmitter | null,
): void {
  const finish = m.function("finish", ["i32", "i32"], [], (f, table, ring) => {
    for (const { from, to } of plan.finalCopies) {
      const bytes = sizeOf(from.shape) * bytesOf(from.dtype);
      f.do(memory.copy(placeAddress(table!, to), placeAddress(table!, plan.places.get(from)!), i32.const(bytes)));
    }
    emitRecord(f, plan, table!, ring!);
  });
  const rounds = meeting ? phases(kernels) : [];
  const step = m.function("step", ["i32", "i32", "i32"], [], (f, table, ring, phase) => {
    if (!meeting) {
      for (const { run } of kernels) f.do(call(run, table!, i32.const(0)));
      return f.do(call(finish, table!, ring!));
    }
    const { enter, leave } = meeting(m);
    const block = f.let(i32.load(table!, 4 * (plan.slots.length + 2)));
    const part = f.local("i32");
    for (const [i, { runs, shared }] of rounds.entries()) {
      const count = i32.const(shared ? parts : 1);
      const id = i32.add(phase!, i32.const(i));
      f.while(
        () => {
          f.set(part, call(enter, block, id, count));
          return i32.ge_s(part, i32.const(0));
        },
        () => {
          for (const run of runs) f.do(call(run, table!, part));
          if (i === rounds.length - 1) f.do(call(finish, table!, ring!));
          f.do(call(leave, block, id, count));
        },
      );
    }
  });
  const run = m.function("run", ["i32", "i32", "i32", "i32"], [], (f, table, steps, ring, phase) => {
    const i = f.local("i32");
    f.for(i, i32.const(0), steps!, 1, () => {
      f.do(call(step, table!, i32.add(ring!, i), phase!));
      f.set(phase!, i32.add(phase!, i32.const(rounds.length)));
    });
  });
  m.export("run", run);
  for (const [i, kernel] of kernels.entries()) m.export(`k${i}`, kernel.run);
}

interface Phase {
  readonly runs: FuncRef[];
  readonly shared: boolean;
}

/** Kernels in order, each shared one a phase, the others gathered between them; the last phase is one that is not shared. */
function phases(kernels: readonly EmittedKernel[]): Phase[] {
  const out: Phase[] = [];
  const alone = (...runs: FuncRef[]) => {
    const last = out.at(-1);
    if (last && !last.shared) last.runs.push(...runs);
    else out.push({ runs, shared: false });
  };
  for (const { before, run, parallel } of kernels) {
    if (before) alone(before);
    if (parallel) out.push({ runs: [run], shared: true });
    else alone(run);
  }
  alone();
  return out;
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
      : {
          kind: "memory",
          stream: { place: places.get(access.root)!, dtype, offset: access.offset, strides: access.strides },
        };
  const operand = (x: Node): Source => (own.has(x) ? { kind: "value", node: x } : fromAccess(accesses.of(x), x.dtype));
  const sources = (node: Node): Source[] => {
    if (accesses.copies.has(node)) return [fromAccess(accesses.sourceOf(node), node.dtype, node)];
    return node.op === "gather" ? [rowSource(plan, node)] : node.inputs.map(operand);
  };
  const target = (node: Node, strides: readonly number[]): Stream => ({
    place: places.get(node)!,
    dtype: node.dtype,
    offset: 0,
    strides,
  });
  return {
    name,
    shape: kernel.shape,
    items: kernel.body.map((node) => ({
      node,
      sources: sources(node),
      copies: accesses.copies.has(node) || node.op === "gather",
    })),
    stores: kernel.stored.map((node) => ({
      source: { kind: "value", node },
      target: target(node, stridesOf(node.shape)),
    })),
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
    stream: {
      place: plan.places.get(at.root)!,
      dtype: table.dtype,
      offset: at.offset,
      strides: [...ofIndex.map(() => 0), ...inRow],
    },
    index: {
      place: plan.places.get(by.root)!,
      dtype: index.dtype,
      offset: by.offset,
      strides: node.shape.map((_, axis) => (axis < lead ? ofIndex[axis]! : 0)),
    },
    rows: table.shape[0]!,
    rowStride: sizeOf(table.shape.slice(1)),
  };
}
