import { type Blas, MEETING_BYTES, type ThreadPool } from "../backends/native.ts";
import { bytesOf, type DType, dtypes, type TypedArray } from "../base/dtype.ts";
import { ShapeError } from "../base/errors.ts";
import { type Shape, showShape, sizeOf } from "../base/shape.ts";
import { Allocator } from "./allocator.ts";

/** A dtype and a shape; `upTo` when the outermost axis is a capacity and the count is given at run time. */
export interface TensorSpec {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly upTo: boolean;
}

/** A tensor that lives in a runtime's memory, shared by the programs that are given it. */
export class Buffer {
  readonly runtime: Runtime;
  readonly dtype: DType;
  readonly shape: Shape;
  /** Byte address in the runtime's memory. */
  readonly address: number;

  constructor(runtime: Runtime, dtype: DType, shape: Shape, address: number) {
    this.runtime = runtime;
    this.dtype = dtype;
    this.shape = shape;
    this.address = address;
  }

  /** The elements where they lie. Valid until the memory grows, so use it at once and fetch it anew the next time. */
  view(): TypedArray {
    return dtypes[this.dtype].view(this.runtime.memory.buffer, this.address, sizeOf(this.shape));
  }

  /** A copy of the elements, row-major. */
  read(): TypedArray {
    return this.view().slice();
  }

  /** Replaces the elements; throws ShapeError when their number differs. */
  write(values: ArrayLike<number>): this {
    const n = sizeOf(this.shape);
    if (values.length !== n) {
      throw new ShapeError(`a buffer of shape ${showShape(this.shape)} takes ${n} values, not ${values.length}`);
    }
    this.view().set(values as never);
    return this;
  }
}

/** What a `Runtime` is made with. */
export interface RuntimeOptions {
  /** A loaded BLAS, or null for the wasm kernels alone. */
  readonly blas?: Blas | null;
  /** Starts the threads that share the steps of large programs. Absent: the caller alone, on a memory that is not shared. */
  readonly threads?: (memory: WebAssembly.Memory, meeting: number, blas: Blas | null) => Promise<ThreadPool>;
  /** Whether relaxed SIMD (fused multiply-add) may be used. Default: where a probe finds it. */
  readonly relaxed?: boolean;
}

/**
 * One WebAssembly memory and what may be used on it. Programs and data sets of one runtime share buffers without copies.
 * Regions return to the runtime when their buffer is garbage.
 */
export class Runtime {
  readonly memory: WebAssembly.Memory;
  readonly blas: Blas | null;
  readonly relaxed: boolean;
  readonly sharedMemory: boolean;
  /** Where threads meet: one block for all programs of this memory. */
  readonly meeting: Buffer;
  /** The threads, started at the first request. */
  readonly threads: () => Promise<ThreadPool | null>;
  private readonly allocator: Allocator;
  private readonly registry: FinalizationRegistry<number>;

  constructor(options: RuntimeOptions = {}) {
    this.sharedMemory = options.threads !== undefined;
    this.memory = new WebAssembly.Memory({ initial: 16, maximum: 65536, shared: this.sharedMemory });
    this.blas = options.blas ?? null;
    let pool: Promise<ThreadPool | null> | null = null;
    this.threads = () =>
      (pool ??= options.threads?.(this.memory, this.meeting.address, this.blas) ?? Promise.resolve(null));
    this.relaxed = options.relaxed ?? hasRelaxedSimd();
    const allocator = new Allocator(this.memory);
    this.allocator = allocator;
    this.registry = new FinalizationRegistry((address) => allocator.release(address));
    this.meeting = this.buffer("u8", [MEETING_BYTES]);
  }

  /** Bytes that buffers and programs hold at present. */
  get usedBytes(): number {
    return this.allocator.usedBytes;
  }

  /** A new buffer, zero or with the given values. */
  buffer(dtype: DType, shape: Shape, values?: ArrayLike<number>): Buffer {
    const address = this.allocator.allocate(sizeOf(shape) * bytesOf(dtype));
    const buffer = new Buffer(this, dtype, shape, address);
    this.registry.register(buffer, address);
    if (values) buffer.write(values);
    else buffer.view().fill(0);
    return buffer;
  }
}

/** Whether this engine compiles f32x4.relaxed_madd: a module of one function that uses it. */
export function hasRelaxedSimd(): boolean {
  return WebAssembly.validate(
    new Uint8Array([
      0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 8, 1, 0x60, 3, 0x7b, 0x7b, 0x7b, 1, 0x7b, 3, 2, 1, 0, 10, 13, 1, 11, 0, 0x20, 0,
      0x20, 1, 0x20, 2, 0xfd, 0x85, 2, 0x0b,
    ]), // biome-ignore format: bytes
  );
}

let shared: Promise<Runtime> | null = null;

/**
 * The runtime that programs use when none is given: made at the first request, with the system's BLAS where there is one
 * (Node only).
 */
export function defaultRuntime(): Promise<Runtime> {
  shared ??= import("ansatz/blas").then(async ({ loadBlas, createThreads, defaultThreads }) => {
    const count = defaultThreads();
    const threads: RuntimeOptions["threads"] = (memory, meeting, blas) => createThreads(memory, meeting, count, blas);
    const blas = await loadBlas();
    // One thread in all means one in BLAS too; with more, each part of a step calls it with one.
    if (count === 1) blas?.setThreads(1);
    return new Runtime({ blas, threads: count > 1 ? threads : undefined });
  });
  return shared;
}
