import { type Backend, type BoundExecutable, type NodeReport, ringOutputs } from "../backends/backend.ts";
import { wasmBackend } from "../backends/wasm/backend.ts";
import type { TypedArray } from "../base/dtype.ts";
import { AnsatzError, OptionError, ShapeError } from "../base/errors.ts";
import { hostTurn, hostWaits, SLICE_MS } from "../base/host-turn.ts";
import { sameShape, showShape, sizeOf } from "../base/shape.ts";
import type { Graph } from "../ir/graph.ts";
import type { Node } from "../ir/node.ts";
import { createTrace } from "../ops/trace.ts";
import type { Trace } from "../ops/vocabulary.ts";
import { type CompiledGraph, compileGraph } from "./executable.ts";
import { explain } from "./explain.ts";
import { Buffer, defaultRuntime, type Runtime, type TensorSpec } from "./runtime.ts";

export type Nodes = Readonly<Record<string, Node>>;
/** Values for inputs: a buffer of the runtime (bound, not copied), or numbers (copied). */
export type InputValues = Readonly<Record<string, Buffer | ArrayLike<number> | number>>;

export interface GraphProgramSpec {
  /** Tensors that live in memory from step to step: their types (zero at first), or buffers to share. */
  readonly state: Readonly<Record<string, TensorSpec | Buffer>>;
  readonly inputs: Readonly<Record<string, TensorSpec>>;
  /** Appends the step; every state it does not return stays as it is. */
  readonly trace: (b: Trace, state: Nodes, inputs: Nodes) => { readonly state: Nodes; readonly outputs: Nodes };
  readonly runtime?: Runtime;
  readonly deterministic?: boolean;
  /** Default: wasm, with BLAS where the runtime has one. */
  readonly backend?: Backend;
}

export interface RunOptions {
  readonly signal?: AbortSignal;
  /** Called between slices of about 50 ms with the number of steps done so far in this call. */
  readonly onSlice?: (done: number) => void;
}

/** What a run recorded: the scalar outputs of every step, in order. */
export interface RunResult {
  readonly steps: number;
  readonly metrics: Readonly<Record<string, Float64Array>>;
}

const RING_ROWS = 4096;

/** A compiled step bound to memory: the only thing that executes. */
export class GraphProgram {
  readonly runtime: Runtime;
  readonly state: Readonly<Record<string, Buffer>>;
  readonly outputs: Readonly<Record<string, Buffer>>;
  private readonly inputSpecs: Readonly<Record<string, TensorSpec>>;
  private readonly compiled: CompiledGraph;
  private readonly bound: BoundExecutable;
  private readonly table: Buffer;
  private readonly ring: Buffer;
  /** Keeps alive what the table points to. */
  private readonly held: Record<string, Buffer> = {};
  private readonly own: Record<string, Buffer> = {};
  private readonly scalars: readonly string[];
  private busy = false;
  /** Steps that take about SLICE_MS, as far as is known. */
  private slice = 1;
  /** Buffers that change while a step runs, which an input must not. */
  private readonly written: ReadonlySet<Buffer>;

  constructor(
    spec: GraphProgramSpec,
    runtime: Runtime,
    compiled: CompiledGraph,
    bound: BoundExecutable,
    state: Readonly<Record<string, Buffer>>,
  ) {
    const { plan, executable } = compiled;
    this.runtime = runtime;
    this.compiled = compiled;
    this.bound = bound;
    this.state = state;
    this.inputSpecs = spec.inputs;
    this.scalars = ringOutputs(plan.graph);
    this.table = runtime.buffer("u32", [plan.slots.length + 3]);
    this.held.scratch = runtime.buffer("u8", [executable.scratchBytes]);
    this.held.arena = runtime.buffer("u8", [plan.arenaBytes]);
    this.ring = runtime.buffer("f64", [RING_ROWS, Math.max(1, this.scalars.length)]);
    const outputs: Record<string, Buffer> = {};
    for (const [name, node] of plan.graph.outputs) {
      if (name.startsWith("output.")) outputs[name.slice(7)] = runtime.buffer(node.dtype, node.shape);
    }
    this.outputs = outputs;
    const changed = Object.entries(state).filter(([name]) => plan.graph.outputs.has(`state.${name}`));
    this.written = new Set([...changed.map(([, buffer]) => buffer), ...Object.values(outputs)]);
    const addresses = plan.slots.map((slot) => {
      if (slot === "arena") return this.held.arena!.address;
      const [kind, name] = split(slot);
      return kind === "state" ? state[name]!.address : kind === "output" ? outputs[name]!.address : 0;
    });
    this.table.write([...addresses, this.held.scratch.address, this.ring.address, runtime.meeting.address]);
  }

  /**
   * Runs `steps` steps, in slices, so that the host is never blocked for long.
   *
   * @throws AnsatzError when the program is already running; the signal's reason when it is aborted (state is then that after
   *   the last whole step)
   */
  async run(inputs: InputValues = {}, steps = 1, options: RunOptions = {}): Promise<RunResult> {
    if (!Number.isInteger(steps) || steps < 0) throw new OptionError(`run takes a whole number of steps, not ${steps}`);
    if (this.busy)
      throw new AnsatzError("this program is running already: await the first run, or compile a second program");
    this.busy = true;
    try {
      this.bindInputs(inputs);
      const metrics: Record<string, Float64Array> = {};
      for (const name of this.scalars) metrics[name.slice(7)] = new Float64Array(steps);
      for (let done = 0; done < steps; ) {
        options.signal?.throwIfAborted();
        const count = Math.min(this.slice, steps - done, RING_ROWS);
        const started = performance.now();
        this.bound.run(this.table.address, count, 0);
        const elapsed = performance.now() - started;
        this.collect(metrics, done, count);
        done += count;
        this.slice = Math.max(
          1,
          Math.min(RING_ROWS, this.slice * 2, Math.floor((count * SLICE_MS) / Math.max(elapsed, 0.01))),
        );
        options.onSlice?.(done);
        if (done < steps || hostWaits()) await hostTurn();
      }
      return { steps, metrics };
    } finally {
      this.busy = false;
    }
  }

  /** Binds inputs for the steps that `step` takes. */
  prepare(inputs: InputValues): void {
    this.bindInputs(inputs);
  }

  /** One step now, on the inputs that are bound: what host loops call a million times. */
  step(): void {
    this.bound.run(this.table.address, 1, 0);
  }

  /** The code and the address of its table, for another thread that has a copy of the memory; null where that does not do. */
  get portable(): { readonly module: WebAssembly.Module; readonly table: number } | null {
    const { module } = this.bound;
    return module ? { module, table: this.table.address } : null;
  }

  /**
   * Milliseconds of one run of each kernel, alone and warm, on the inputs of the last run. For finding what a step spends its
   * time on; the state is not meaningful afterwards.
   */
  profile(repeats = 100): { kernel: string; shape: string; milliseconds: number }[] {
    const times = this.bound.profile?.(this.table.address, repeats) ?? [];
    return this.explain().kernels.map(({ kernel, shape }, i) => ({ kernel, shape, milliseconds: times[i]! }));
  }

  /** What was compiled: the graph, its kernels, which backend runs each node, bytes and floating-point operations. */
  explain() {
    return explain(this.compiled.plan, this.compiled.executable);
  }

  get nodes(): readonly NodeReport[] {
    return this.compiled.executable.nodes;
  }

  private collect(metrics: Record<string, Float64Array>, at: number, count: number): void {
    const rows = this.ring.view();
    const width = this.scalars.length;
    for (const [i, name] of this.scalars.entries()) {
      const series = metrics[name.slice(7)]!;
      for (let s = 0; s < count; s++) series[at + s] = rows[s * width + i]!;
    }
  }

  private bindInputs(inputs: InputValues): void {
    for (const name of Object.keys(inputs)) {
      if (!(name in this.inputSpecs)) {
        const known = Object.keys(this.inputSpecs).join(", ") || "none";
        throw new OptionError(`there is no input "${name}"; the inputs of this program are: ${known}`);
      }
    }
    const { slots } = this.compiled.plan;
    for (const [name, spec] of Object.entries(this.inputSpecs)) {
      const value = inputs[name];
      if (value === undefined)
        throw new OptionError(`input "${name}" (${spec.dtype}${showShape(spec.shape)}) was not given`);
      const { buffer, count } = this.place(name, spec, value);
      this.held[name] = buffer;
      this.point(slots.indexOf(`input.${name}`), buffer);
      if (spec.upTo) {
        this.own[`count.${name}`] ??= this.runtime.buffer("u32", []);
        this.own[`count.${name}`]!.write([count]);
        this.point(slots.indexOf(`count.${name}`), this.own[`count.${name}`]!);
      }
    }
  }

  /** An input slot is missing from the plan when the step does not use it. */
  private point(slot: number, buffer: Buffer): void {
    if (slot >= 0) this.table.view()[slot] = buffer.address;
  }

  private place(name: string, spec: TensorSpec, value: InputValues[string]): { buffer: Buffer; count: number } {
    const fail = (got: string): never => {
      const wanted = `${spec.dtype}${showShape(spec.shape)}${spec.upTo ? " (or fewer rows)" : ""}`;
      throw new ShapeError(`input "${name}" takes ${wanted}, not ${got}`);
    };
    if (value instanceof Buffer) {
      const rows = spec.upTo && value.shape.length === spec.shape.length && value.shape[0]! <= spec.shape[0]!;
      const fits = rows ? sameShape(value.shape.slice(1), spec.shape.slice(1)) : sameShape(value.shape, spec.shape);
      if (!fits || value.dtype !== spec.dtype) fail(`${value.dtype}${showShape(value.shape)}`);
      if (value.runtime !== this.runtime) fail("a buffer of another runtime: copy its values");
      if (this.written.has(value)) fail("a buffer that the step itself writes to: copy its values");
      return { buffer: value, count: value.shape[0] ?? 1 };
    }
    const values = typeof value === "number" ? [value] : value!;
    const width = sizeOf(spec.shape.slice(1));
    const fits = spec.upTo
      ? values.length <= sizeOf(spec.shape) && values.length % width === 0
      : values.length === sizeOf(spec.shape);
    if (!fits) fail(`${values.length} values`);
    this.own[name] ??= this.runtime.buffer(spec.dtype, spec.shape);
    this.own[name].view().set(values as TypedArray as never);
    return { buffer: this.own[name], count: values.length / width };
  }
}

const split = (slot: string): [string, string] => {
  const dot = slot.indexOf(".");
  return [slot.slice(0, dot), slot.slice(dot + 1)];
};

/** Traces, compiles and binds a step. Compilation is asynchronous, and shared by equal programs. */
export async function graphProgram(spec: GraphProgramSpec): Promise<GraphProgram> {
  const runtime = spec.runtime ?? (await defaultRuntime());
  const b = createTrace();
  const declare = (kind: string, specs: Readonly<Record<string, TensorSpec | Buffer>>): Nodes =>
    Object.fromEntries(Object.entries(specs).map(([name, s]) => [name, b.input(`${kind}.${name}`, s.dtype, s.shape)]));
  const stateNodes = declare("state", spec.state);
  const inputNodes: Record<string, Node> = { ...declare("input", spec.inputs) };
  for (const [name, s] of Object.entries(spec.inputs)) {
    if (s.upTo) inputNodes[`count.${name}`] = b.input(`count.${name}`, "u32", []);
  }
  const traced = spec.trace(b, stateNodes, inputNodes);
  const graph: Graph = { outputs: namedOutputs(b, spec, stateNodes, traced) };
  const deterministic = spec.deterministic ?? false;
  const { memory, sharedMemory } = runtime;
  const blas = deterministic ? null : runtime.blas;
  const threads = deterministic ? null : await runtime.threads();
  const relaxed = runtime.relaxed && !deterministic;
  const backend = spec.backend ?? wasmBackend({ blas, relaxed, parts: threads?.size ?? 1, sharedMemory });
  const compiled = await compileGraph(graph, backend, { deterministic });
  const bound = await compiled.executable.bind({ memory, blas, threads });
  const state: Record<string, Buffer> = {};
  for (const [name, s] of Object.entries(spec.state)) {
    if (s instanceof Buffer && s.runtime !== runtime) {
      throw new OptionError(`state "${name}" is a buffer of another runtime: pass that runtime to the program`);
    }
    state[name] = s instanceof Buffer ? s : runtime.buffer(s.dtype, s.shape);
  }
  return new GraphProgram(spec, runtime, compiled, bound, state);
}

function namedOutputs(
  b: Trace,
  spec: GraphProgramSpec,
  stateNodes: Nodes,
  traced: { readonly state: Nodes; readonly outputs: Nodes },
): Map<string, Node> {
  const outputs = new Map<string, Node>();
  for (const [name, node] of Object.entries(traced.state)) {
    const old = stateNodes[name];
    if (!old) {
      const known = Object.keys(spec.state).join(", ");
      throw new OptionError(`the step returns a state "${name}" that was not declared; declared are: ${known}`);
    }
    if (node.dtype !== old.dtype || !sameShape(node.shape, old.shape)) {
      throw new ShapeError(
        `state "${name}" is ${old.dtype}${showShape(old.shape)}, but the step returns ${node.dtype}${showShape(node.shape)}`,
      );
    }
    if (node !== old) outputs.set(`state.${name}`, ownValue(b, node));
  }
  for (const [name, node] of Object.entries(traced.outputs)) outputs.set(`output.${name}`, ownValue(b, node));
  return outputs;
}

/** An output that is an input unchanged becomes a copy, so that it has a value of its own to store. */
const ownValue = (b: Trace, node: Node): Node => (node.op === "input" ? b.builder.append("copy", [node]) : node);
