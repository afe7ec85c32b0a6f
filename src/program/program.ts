import type { Backend, NodeReport } from "../backends/backend.ts";
import type { DType } from "../base/dtype.ts";
import { OptionError } from "../base/errors.ts";
import { seedWords } from "../base/rng.ts";
import type { Explanation } from "../engine/explain.ts";
import {
  type GraphProgram,
  graphProgram,
  type InputValues,
  type Nodes,
  type RunOptions,
  type RunResult,
} from "../engine/program.ts";
import type { Buffer, Runtime, TensorSpec } from "../engine/runtime.ts";
import type { Node } from "../ir/node.ts";
import type { Trace } from "../ops/vocabulary.ts";
import { Key } from "../tensor/random.ts";
import { Tensor } from "../tensor/tensor.ts";
import { vjp } from "../transforms/vjp.ts";

/** A size that is a capacity: the count is given at run time. Only for the outermost axis of an input. */
export interface UpTo {
  readonly upTo: number;
}
/** A size of at most `capacity`: of an input's outermost axis, which then takes so many rows as a run gives. */
export const upTo = (capacity: number): UpTo => ({ upTo: capacity });

type Sizes = readonly (number | UpTo)[];

function spec(dtype: DType, sizes: Sizes): TensorSpec {
  const shape = sizes.map((size, axis) => {
    const n = typeof size === "number" ? size : size.upTo;
    if (!Number.isInteger(n) || n < 0)
      throw new OptionError(`axis ${axis} of a ${dtype} tensor has size ${n}: sizes are integers ≥ 0`);
    if (typeof size !== "number" && axis > 0) throw new OptionError("upTo is for the outermost axis only");
    return n;
  });
  return { dtype, shape, upTo: typeof sizes[0] === "object" };
}

/** A state or input of 32-bit floats: `f32([100, 784])`. So `f64`, `i32`, `u32`, `u8([upTo(60000), 784])`. */
export const f32 = (shape: Sizes): TensorSpec => spec("f32", shape);
/** A state or input of 64-bit floats: `f64([2])`; `[]` is one number. */
export const f64 = (shape: Sizes): TensorSpec => spec("f64", shape);
/** A state or input of 32-bit integers. */
export const i32 = (shape: Sizes): TensorSpec => spec("i32", shape);
/** A state or input of 32-bit integers without sign. */
export const u32 = (shape: Sizes): TensorSpec => spec("u32", shape);
/** A state or input of bytes: `u8([upTo(60000), 784])`. */
export const u8 = (shape: Sizes): TensorSpec => spec("u8", shape);

export type Specs = Readonly<Record<string, TensorSpec | Buffer>>;
export type Tensors<S> = { readonly [K in keyof S]: Tensor };

export interface Body<S, I> {
  readonly state: Tensors<S>;
  readonly inputs: Tensors<I>;
  /** How many rows an `upTo` input has in this run, as a u32 scalar. */
  readonly count: (input: keyof I & string) => Tensor;
  /** The key made from the run's seed. Fold the step into it, or every step draws the same. */
  readonly rng: Key<Tensor>;
}

/** What `program` compiles: the state it keeps, the inputs of a call, and the body that is traced once. */
export interface ProgramSpec<S extends Specs, I extends Readonly<Record<string, TensorSpec>>, O> {
  /** Tensors that live in memory from step to step, zero at first; or buffers to share with other programs. */
  readonly state?: S;
  readonly inputs?: I;
  /** One step. A state that is not returned stays as it is. */
  readonly body: (context: Body<S, I>) => {
    readonly state?: { readonly [K in keyof S]?: Tensor };
    readonly outputs?: O;
  };
  readonly runtime?: Runtime;
  /** The same bits on every machine: wasm kernels only, no relaxed SIMD. */
  readonly deterministic?: boolean;
  /** For tests: another backend than wasm. */
  readonly backend?: Backend;
}

export interface ProgramRunOptions extends RunOptions {
  /** Makes `rng`. Default 0. */
  readonly seed?: number;
}

export interface ProgramRunResult<O> extends RunResult {
  /** The scalar outputs of every step, by name, [steps]; an output of another shape is in `outputs` alone. */
  readonly metrics: { readonly [K in keyof O & string]: Float64Array };
}

/** A compiled step bound to memory. */
export class Program<S extends Specs, I, O> {
  private readonly inner: GraphProgram;

  constructor(inner: GraphProgram) {
    this.inner = inner;
  }

  /** The memory that the program lives in. */
  get runtime(): Runtime {
    return this.inner.runtime;
  }
  /** The states by name: `read` copies their values, `write` sets them. */
  get state(): { readonly [K in keyof S]: Buffer } {
    return this.inner.state as { readonly [K in keyof S]: Buffer };
  }
  /** The outputs of the last step. */
  get outputs(): { readonly [K in keyof O]: Buffer } {
    return this.inner.outputs as { readonly [K in keyof O]: Buffer };
  }
  /** What runs each node of the graph. */
  get nodes(): readonly NodeReport[] {
    return this.inner.nodes;
  }

  /**
   * Runs `steps` steps inside WebAssembly, in slices of about 50 ms between which the host has its turn.
   *
   * @param inputs  a value for each input: a buffer (bound, not copied), or numbers (copied)
   * @returns       the scalar outputs of every step
   * @throws        ShapeError, OptionError on inputs that do not fit; the signal's reason when aborted
   */
  run(
    inputs?: { readonly [K in keyof I]: InputValues[string] },
    steps = 1,
    options: ProgramRunOptions = {},
  ): Promise<ProgramRunResult<O>> {
    const seed = seedWords(options.seed ?? 0);
    return this.inner.run({ ...(inputs as InputValues | undefined), [SEED]: seed }, steps, options) as never;
  }

  /** Binds inputs (and the seed) for `step`. */
  prepare(inputs?: { readonly [K in keyof I]: InputValues[string] }, seed = 0): void {
    this.inner.prepare({ ...(inputs as InputValues | undefined), [SEED]: seedWords(seed) });
  }

  /** One step at once, on the inputs that were prepared; results are in `outputs`. For host loops over small programs. */
  step(): void {
    this.inner.step();
  }

  /** One step at once on these inputs. */
  call(inputs?: { readonly [K in keyof I]: InputValues[string] }, seed = 0): void {
    this.prepare(inputs, seed);
    this.step();
  }

  /** Code and table for another thread that has a copy of the memory, as prepared; null where it needs more (BLAS, threads). */
  get portable(): { readonly module: WebAssembly.Module; readonly table: number } | null {
    return this.inner.portable;
  }

  /** Milliseconds of each kernel, alone; the state is not meaningful afterwards. */
  profile(repeats?: number): { kernel: string; shape: string; milliseconds: number }[] {
    return this.inner.profile(repeats);
  }

  /** Graph, kernels, the backend of every node, bytes and floating-point operations. */
  explain(): Explanation {
    return this.inner.explain();
  }
}

const SEED = "rng.seed";

/** Traces, compiles and binds a step: the only way to compute. Equal programs are compiled once. */
export async function program<
  S extends Specs = Record<string, never>,
  I extends Readonly<Record<string, TensorSpec>> = Record<string, never>,
  O extends Readonly<Record<string, Tensor>> = Record<string, never>,
>(given: ProgramSpec<S, I, O>): Promise<Program<S, I, O>> {
  const inner = await graphProgram({
    state: given.state ?? {},
    inputs: { ...given.inputs, [SEED]: u32([2]) },
    runtime: given.runtime,
    deterministic: given.deterministic,
    backend: given.backend,
    trace: (b, state, inputs) => {
      const wrap = (nodes: Nodes) =>
        Object.fromEntries(Object.entries(nodes).map(([name, n]) => [name, new Tensor(b, n)]));
      const result = given.body({
        state: wrap(state) as Tensors<S>,
        inputs: wrap(inputs) as Tensors<I>,
        count: (name) => {
          const node = inputs[`count.${name}`];
          if (!node)
            throw new OptionError(`input "${name}" has a fixed number of rows: declare it with upTo(…) to count them`);
          return new Tensor(b, node);
        },
        rng: seedKey(b, inputs[SEED]!),
      });
      const unwrap = (tensors: object = {}): Nodes =>
        Object.fromEntries(Object.entries(tensors).map(([name, t]) => [name, (t as Tensor).node]));
      return { state: unwrap(result.state), outputs: unwrap(result.outputs) };
    },
  });
  return new Program<S, I, O>(inner);
}

function seedKey(b: Trace, words: Node): Key<Tensor> {
  const word = (i: number) => new Tensor(b, b.reshape(b.slice(words, [i], [1]), []));
  return new Key([word(0), word(1)]);
}

/**
 * Gradients of a scalar by reverse-mode differentiation, in the same trace; may be applied again.
 *
 * @returns ∂y/∂x for each x, of x's shape
 */
export function gradient<const X extends readonly Tensor[]>(y: Tensor, xs: X): { -readonly [K in keyof X]: Tensor } {
  const one = y.trace.fill(y.node, 1);
  return vjp(y.trace, [y.node], [one], xs.map((x) => x.node)).map((node) => y.of(node)) as never; // biome-ignore format: short
}
