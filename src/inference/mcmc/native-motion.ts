/** What `leapfrogModule` exports: the functions of a phase space, of addresses. `dense` is 1 or 0. */
export interface MotionCode {
  complete(point: number, inverseMass: number, dense: number): void;
  leapfrog(from: number, to: number, inverseMass: number, dense: number, stepSize: number): void;
  join(first: number, before: number, after: number, last: number, rhoA: number, rhoB: number): number;
}

/** Code that moves points in the memory of a compiled density, and regions of that memory for them. */
export interface NativeMotion {
  readonly dim: number;
  readonly code: MotionCode;
  readonly memory: WebAssembly.Memory;
  /** The address of so many bytes of zeros, a multiple of 16, which are kept as long as the motion is. */
  readonly allocate: (bytes: number) => number;
}

/** Links the code of `leapfrogModule` to a density's module, both on this memory. */
export function linkMotion(
  leapfrog: WebAssembly.Module,
  density: WebAssembly.Instance,
  memory: WebAssembly.Memory,
): MotionCode {
  const { run } = density.exports;
  const { exports } = new WebAssembly.Instance(leapfrog, { env: { memory }, density: { run: run! } });
  return exports as unknown as MotionCode;
}
