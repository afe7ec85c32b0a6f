import type { Generator } from "../../base/generator.ts";

/** What `transitionModule` exports, and where its random choices come from. */
export interface MotionCode {
  /** A transition of NUTS in the memory of a chain's trajectories, laid out as point-layout.ts has it; `dense` is 1 or 0. */
  transition(trajectories: number, inverseMass: number, dense: number, stepSize: number): void;
  /** Set before each transition. */
  readonly choices: { generator: Generator | null };
}

/** Code that moves points in the memory of a compiled density, and regions of that memory for them. */
export interface NativeMotion {
  readonly dim: number;
  readonly code: MotionCode;
  readonly memory: WebAssembly.Memory;
  /** The address of so many bytes of zeros, a multiple of 16, which are kept as long as the motion is. */
  readonly allocate: (bytes: number) => number;
}

export const logAddExp = (a: number, b: number): number =>
  a > b ? a + Math.log1p(Math.exp(b - a)) : b === -Infinity ? b : b + Math.log1p(Math.exp(a - b));

/** Links the code of `transitionModule` to a density's module, both on this memory. */
export function linkMotion(
  transitions: WebAssembly.Module,
  density: WebAssembly.Instance,
  memory: WebAssembly.Memory,
): MotionCode {
  const choices: MotionCode["choices"] = { generator: null };
  const host = {
    exp: Math.exp,
    logAddExp,
    takes: (logProbability: number): number => Number(Math.log(choices.generator!.uniform()) < logProbability),
    forwards: (): number => Number(choices.generator!.word() < 0x80000000),
  };
  const { run } = density.exports;
  const { exports } = new WebAssembly.Instance(transitions, { env: { memory }, density: { run: run! }, host });
  return { choices, transition: exports.transition as MotionCode["transition"] };
}
