import type { Graph } from "../ir/graph.ts";
import type { Plan } from "../passes/plan.ts";
import type { Blas, ThreadPool } from "./native.ts";

/** Which backend evaluates a node, and in which kernel: what `explain` prints. */
export interface NodeReport {
  readonly node: string;
  readonly op: string;
  readonly backend: string;
  readonly kernel: string;
}

/** What a step runs on. */
export interface Host {
  readonly memory: WebAssembly.Memory;
  readonly blas: Blas | null;
  readonly threads: ThreadPool | null;
}

/** A step that was compiled but is not bound to memory. One may serve many programs. */
export interface Executable {
  readonly backend: string;
  readonly nodes: readonly NodeReport[];
  /** Bytes of scratch that `run` needs besides the plan's arena. */
  readonly scratchBytes: number;
  /** Size of the emitted code, 0 where there is none. */
  readonly codeBytes: number;
  /** Functions that the code calls outside itself. */
  readonly imports: readonly string[];
  /** Prepares to run in this host. */
  bind(host: Host): Promise<BoundExecutable>;
}

export interface BoundExecutable {
  /** The code, where it needs nothing but a memory: then another thread can run it on a copy of this one. */
  readonly module?: WebAssembly.Module | false;
  /**
   * Runs steps one after the other. `table` is the byte address of the program's table: one u32 address for each slot of the
   * plan, then that of the scratch, of the ring, and of the block where threads meet. After each step the scalar outputs go to the ring as f64.
   *
   * @param ring  index of the first ring row to write
   */
  run(table: number, steps: number, ring: number): void;
  /** Runs each kernel alone `repeats` times: milliseconds for one run of each, in the plan's order. Leaves state changed. */
  profile?(table: number, repeats: number): number[];
}

export interface CompileOptions {
  /** The same bits on every machine: no BLAS, no relaxed SIMD. */
  readonly deterministic: boolean;
}

/** One way to execute a plan. */
export interface Backend {
  readonly name: string;
  /** Whether it evaluates this op itself; others are lowered by their rows. */
  keeps(op: string): boolean;
  compile(plan: Plan, options: CompileOptions): Promise<Executable>;
}

/** The scalar numeric outputs, which are recorded after each step, in order. */
export const ringOutputs = (graph: Graph): string[] =>
  [...graph.outputs]
    .filter(([name, node]) => name.startsWith("output.") && node.shape.length === 0)
    .map(([name]) => name);
