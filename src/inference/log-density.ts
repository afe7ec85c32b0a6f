import type { DensityPlaces, NativeMotion } from "./mcmc/native-motion.ts";

/**
 * A log density on R^dim as the host sees it: unconstrained coordinates, log-Jacobians included, up to a constant. Synchronous,
 * because samplers and line searches call it thousands of times in a row.
 */
export interface LogDensity {
  readonly dim: number;
  /** The log density at `u` [dim]; its gradient is written into `gradient` [dim]. `u` is only read, and not kept. */
  evaluate(u: Float64Array, gradient: Float64Array): number;
  /** What another thread needs to evaluate it with the same bits; null, or absent, where it cannot. */
  portable?(): PortableDensity | null;
  /** Compiles the code that `motion` gives out; does nothing where there is to be none. */
  prepareMotion?(): Promise<void>;
  /** Code with which a sampler moves points in the density's own memory; null, or absent, where it moves them on the host. */
  motion?(): NativeMotion | null;
}

/** A compiled log density as data that can be posted to another thread: its code and a copy of its memory. */
export interface PortableDensity extends DensityPlaces {
  readonly dim: number;
  readonly module: WebAssembly.Module;
  /** The memory's bytes; `shared` where the code asks for a shared memory. */
  readonly image: ArrayBufferLike;
  readonly shared: boolean;
  /** What `motion` gives out, where it was prepared. */
  readonly transitions: WebAssembly.Module | null;
}
