import { InternalError } from "../../base/errors.ts";
import type { RoutineEmitter } from "./routines.ts";

/** Emitters that are not in the core, by op: loaded when the first program that holds the op is compiled. */
const modules: Readonly<
  Record<string, () => Promise<{ readonly emitters: Readonly<Record<string, RoutineEmitter>> }>>
> = {
  argmax: () => import("./index-routines.ts"),
  shuffle: () => import("./index-routines.ts"),
  cholesky: () => import("./linalg/emitters.ts"),
  choleskyGradient: () => import("./linalg/emitters.ts"),
  triangularSolve: () => import("./linalg/emitters.ts"),
  cumsum: () => import("./linalg/emitters.ts"),
  pairDots: () => import("./pairs.ts"),
  pairSums: () => import("./pairs.ts"),
  rowSquares: () => import("./rows/emitters.ts"),
  rowMoments: () => import("./rows/emitters.ts"),
  scan: () => import("./scan/emitter.ts"),
};

/** The emitter of an op that has a routine. */
export async function emitterOf(op: string): Promise<RoutineEmitter> {
  const emitter = (await modules[op]?.())?.emitters[op];
  if (!emitter) throw new InternalError(`wasm: no routine for op "${op}": add it to src/backends/wasm/on-demand.ts`);
  return emitter;
}
