import { compileModule, linkModule } from "../backends/wasm/link.ts";
import type { Buffer, Runtime } from "../engine/runtime.ts";
import { f64, gradient, program } from "../program/program.ts";
import type { LogDensity, PortableDensity } from "./log-density.ts";
import { type DensityPlaces, linkMotion, type MotionCode, type NativeMotion } from "./mcmc/native-motion.ts";
import { transitionModule } from "./mcmc/transition-module.ts";
import type { Target } from "./target.ts";

/** A vector of f64 in wasm memory, looked at anew only when the memory has grown. */
export class MemoryVector {
  private readonly buffer: { view(): unknown };
  private current: Float64Array;

  constructor(buffer: MemoryVector["buffer"]) {
    this.buffer = buffer;
    this.current = buffer.view() as Float64Array;
  }

  /** Memory that grew leaves views of length 0 behind; a shared one leaves views that still show the same bytes. */
  get values(): Float64Array {
    if (this.current.length === 0) this.current = this.buffer.view() as Float64Array;
    return this.current;
  }
}

/** Elements up to which a loop is faster than a call of `set`. */
const SHORT = 64;

/** The elements of `from` into those of `to`, which has as many. */
export function copyInto(to: Float64Array, from: Float64Array): void {
  const { length } = to;
  if (length > SHORT) to.set(from);
  else for (let i = 0; i < length; i++) to[i] = from[i]!;
}

/** Dimensions up to which what the host does beside the gradients is worth compiling, and points are small enough to be kept. */
const MOST_IN_MEMORY = 256;

/** The log density and its gradient as one compiled program, called synchronously from the host. */
export async function compileLogDensity(target: Target): Promise<LogDensity> {
  const { dim, runtime, deterministic } = target;
  const made = await program({
    inputs: { ...target.inputs, unconstrained: f64([dim]) },
    body: ({ inputs }) => {
      const { unconstrained, ...data } = inputs;
      const logDensity = target.logDensity(unconstrained, data);
      return { outputs: { logDensity, gradient: gradient(logDensity, [unconstrained])[0]! } };
    },
    runtime,
    deterministic,
  });
  const place = runtime.buffer("f64", [dim]);
  made.prepare({ ...target.data, unconstrained: place } as never);
  return new CompiledDensity(runtime, made, place);
}

/** The program of a density, as far as it is needed once it is prepared. */
interface DensityProgram {
  readonly outputs: { readonly logDensity: Buffer; readonly gradient: Buffer };
  readonly portable: { readonly module: WebAssembly.Module; readonly table: number } | null;
  step(): void;
}

/** Modules of transitions that were compiled, by the number of coordinates and whether the memory is shared: a refit compiles none. */
const compiledTransitions = new Map<string, Promise<WebAssembly.Module>>();
const MOST_COMPILED = 16;

function transitionsFor(dim: number, shared: boolean): Promise<WebAssembly.Module> {
  const key = `${dim} ${shared}`;
  const known = compiledTransitions.get(key) ?? compileModule(transitionModule(dim, shared));
  compiledTransitions.delete(key);
  compiledTransitions.set(key, known);
  if (compiledTransitions.size > MOST_COMPILED) compiledTransitions.delete(compiledTransitions.keys().next().value!);
  return known;
}

/** A class, so that all densities run the same compiled methods. */
class CompiledDensity implements LogDensity {
  readonly dim: number;
  private readonly runtime: Runtime;
  private readonly made: DensityProgram;
  private readonly place: Buffer;
  private readonly at: MemoryVector;
  private readonly value: MemoryVector;
  private readonly slope: MemoryVector;
  private transitions: WebAssembly.Module | null = null;
  private code: MotionCode | null = null;

  constructor(runtime: Runtime, made: DensityProgram, place: Buffer) {
    this.dim = place.shape[0]!;
    this.runtime = runtime;
    this.made = made;
    this.place = place;
    this.at = new MemoryVector(place);
    this.value = new MemoryVector(made.outputs.logDensity);
    this.slope = new MemoryVector(made.outputs.gradient);
  }

  evaluate(u: Float64Array, into: Float64Array): number {
    copyInto(this.at.values, u);
    this.made.step();
    copyInto(into, this.slope.values);
    return this.value.values[0]!;
  }

  portable(): PortableDensity | null {
    const { dim, runtime, transitions } = this;
    const { portable } = this.made;
    if (!portable) return null;
    const image = runtime.memory.buffer.slice(0);
    return { dim, shared: runtime.sharedMemory, module: portable.module, ...this.places(), image, transitions };
  }

  async prepareMotion(): Promise<void> {
    const { portable } = this.made;
    if (!portable || this.transitions || this.dim > MOST_IN_MEMORY) return;
    const { memory } = this.runtime;
    const [module, density] = await Promise.all([
      transitionsFor(this.dim, this.runtime.sharedMemory),
      linkModule(portable.module, { env: { memory } }),
    ]);
    this.transitions = module;
    this.code = linkMotion(module, density, memory);
  }

  motion(): NativeMotion | null {
    const { code, dim, runtime } = this;
    if (!code) return null;
    /** Regions go back to the runtime when nobody holds their buffers. */
    const held: unknown[] = [];
    const allocate = (bytes: number): number => {
      const buffer = runtime.buffer("u8", [bytes]);
      held.push(buffer);
      return buffer.address;
    };
    return { dim, places: this.places(), code, memory: runtime.memory, allocate };
  }

  /** Of a density that is portable. */
  private places(): DensityPlaces {
    const { outputs, portable } = this.made;
    const [value, gradient] = [outputs.logDensity.address, outputs.gradient.address];
    return { table: portable!.table, place: this.place.address, value, gradient };
  }
}
