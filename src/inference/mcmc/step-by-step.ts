import type { Generator } from "../../base/generator.ts";
import { updateDualAveraging } from "./dual-averaging.ts";
import {
  type Adaptation,
  type HamiltonianInfo,
  type HamiltonianKernel,
  type HamiltonianRun,
  type HamiltonianState,
  type Kernel,
  MOST_ROWS,
  type TransitionRows,
} from "./kernel.ts";

/** Makes runs of a kernel that makes one transition at a time. */
export class StepByStep implements HamiltonianKernel {
  private readonly kernel: Kernel<HamiltonianState, HamiltonianInfo>;
  private readonly rows: ReturnType<typeof rowsFor>;

  constructor(kernel: Kernel<HamiltonianState, HamiltonianInfo>, dim: number) {
    this.kernel = kernel;
    this.rows = rowsFor(dim);
  }

  init(u: Float64Array): HamiltonianState {
    return this.kernel.init(u);
  }

  run(start: HamiltonianState, generator: Generator, count: number, adaptation: Adaptation | null): HamiltonianRun {
    const { rows } = this;
    const dim = start.u.length;
    let state = start;
    let averaging = adaptation?.averaging ?? null;
    let nonFinite: TransitionRows["nonFinite"] = null;
    for (let row = 0; row < count; row++) {
      const { stepSize } = state;
      const [next, info] = this.kernel.step(state, generator);
      rows.u.set(next.u, row * dim);
      rows.gradient.set(next.gradient, row * dim);
      rows.logDensity[row] = next.logDensity;
      rows.stepSize[row] = stepSize;
      rows.energy[row] = info.energy;
      rows.acceptance[row] = info.acceptance;
      rows.depth[row] = info.depth;
      rows.leapfrogs[row] = info.leapfrogs;
      rows.divergent[row] = Number(info.divergent);
      if (info.nonFinite) nonFinite ??= { row, at: info.nonFinite };
      state = next;
      if (adaptation) {
        averaging = updateDualAveraging(averaging!, info.acceptance, adaptation.target);
        state = { ...next, stepSize: Math.exp(averaging.logStepSize) };
      }
    }
    const first = <Rows extends Float64Array | Int32Array>(all: Rows): Rows => all.subarray(0, count) as Rows;
    const { u, gradient, logDensity, energy, stepSize, acceptance, depth, leapfrogs, divergent } = rows;
    return {
      state,
      averaging,
      rows: {
        count,
        u: u.subarray(0, count * dim),
        gradient: gradient.subarray(0, count * dim),
        logDensity: first(logDensity),
        energy: first(energy),
        stepSize: first(stepSize),
        acceptance: first(acceptance),
        depth: first(depth),
        leapfrogs: first(leapfrogs),
        divergent: first(divergent),
        nonFinite,
      },
    };
  }
}

function rowsFor(dim: number) {
  const numbers = (width = 1): Float64Array => new Float64Array(MOST_ROWS * width);
  const words = (): Int32Array => new Int32Array(MOST_ROWS);
  return {
    u: numbers(dim),
    gradient: numbers(dim),
    logDensity: numbers(),
    energy: numbers(),
    stepSize: numbers(),
    acceptance: numbers(),
    depth: words(),
    leapfrogs: words(),
    divergent: words(),
  };
}
