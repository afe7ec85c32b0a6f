import { compileModule, linkModule } from "../backends/wasm/link.ts";
import { f64, gradient, program } from "../program/program.ts";
import type { LogDensity } from "./log-density.ts";
import { linkMotion, type MotionCode } from "./mcmc/native-motion.ts";
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
  const at = new MemoryVector(place);
  const value = new MemoryVector(made.outputs.logDensity);
  const slope = new MemoryVector(made.outputs.gradient);
  const places = {
    dim,
    shared: runtime.sharedMemory,
    place: place.address,
    value: made.outputs.logDensity.address,
    gradient: made.outputs.gradient.address,
  };
  let transitions: WebAssembly.Module | null = null;
  let code: MotionCode | null = null;
  return {
    dim,
    evaluate(u, into) {
      copyInto(at.values, u);
      made.step();
      copyInto(into, slope.values);
      return value.values[0]!;
    },
    portable: () =>
      made.portable && {
        ...made.portable,
        ...places,
        image: runtime.memory.buffer.slice(0),
        transitions,
      },
    async prepareMotion() {
      const { portable } = made;
      if (!portable || transitions || dim > MOST_IN_MEMORY) return;
      const { memory } = runtime;
      const [module, density] = await Promise.all([
        compileModule(transitionModule({ ...places, table: portable.table })),
        linkModule(portable.module, { env: { memory } }),
      ]);
      transitions = module;
      code = linkMotion(module, density, memory);
    },
    motion() {
      if (!code) return null;
      /** Regions go back to the runtime when nobody holds their buffers. */
      const held: unknown[] = [];
      const allocate = (bytes: number): number => {
        const buffer = runtime.buffer("u8", [bytes]);
        held.push(buffer);
        return buffer.address;
      };
      return { dim, code, memory: runtime.memory, allocate };
    },
  };
}
