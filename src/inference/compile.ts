import { f64, gradient, program } from "../program/program.ts";
import type { LogDensity } from "./log-density.ts";
import type { Target } from "./target.ts";

/** A vector of f64 in wasm memory, looked at anew only when the memory has grown. */
export class MemoryVector {
  private readonly buffer: { view(): unknown; readonly runtime: { readonly memory: WebAssembly.Memory } };
  private current: Float64Array;
  private memory: ArrayBufferLike;

  constructor(buffer: MemoryVector["buffer"]) {
    this.buffer = buffer;
    this.current = buffer.view() as Float64Array;
    this.memory = buffer.runtime.memory.buffer;
  }

  get values(): Float64Array {
    const now = this.buffer.runtime.memory.buffer;
    if (now !== this.memory) {
      this.memory = now;
      this.current = this.buffer.view() as Float64Array;
    }
    return this.current;
  }
}

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
  return {
    dim,
    evaluate(u, into) {
      at.values.set(u);
      made.step();
      into.set(slope.values);
      return value.values[0]!;
    },
    portable: () =>
      made.portable && {
        ...made.portable,
        dim,
        image: runtime.memory.buffer.slice(0),
        shared: runtime.sharedMemory,
        place: place.address,
        value: made.outputs.logDensity.address,
        gradient: made.outputs.gradient.address,
      },
  };
}
