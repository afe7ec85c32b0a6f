/** What `transitionModule` exports: functions of addresses, see point-layout.ts. */
export interface MotionCode {
  /**
   * So many transitions of NUTS in the memory of a chain. M⁻¹ is given by its diagonal or, where `dense` is 1, by its columns; `scale` as
   * `Metric.scale` has it.
   */
  transitions(chain: number, inverseMass: number, scale: number, dense: number, count: number): void;
}

/** Where a compiled density lies in its memory: byte addresses of its table, of u [dim], the log density and its gradient [dim]. */
export interface DensityPlaces {
  readonly table: number;
  readonly place: number;
  readonly value: number;
  readonly gradient: number;
}

/** Code that moves points in the memory of a compiled density, and regions of that memory for them. */
export interface NativeMotion {
  readonly dim: number;
  readonly places: DensityPlaces;
  readonly code: MotionCode;
  readonly memory: WebAssembly.Memory;
  /** The address of so many bytes of zeros, a multiple of 16, which are kept as long as the motion is. */
  readonly allocate: (bytes: number) => number;
}

/** Links the code of `transitionModule` to a density's module, both on this memory. */
export function linkMotion(
  transitions: WebAssembly.Module,
  density: WebAssembly.Instance,
  memory: WebAssembly.Memory,
): MotionCode {
  const { run } = density.exports;
  const host = { exp: Math.exp, log: Math.log };
  const { exports } = new WebAssembly.Instance(transitions, { env: { memory }, density: { run: run! }, host });
  return { transitions: exports.transitions as MotionCode["transitions"] };
}
