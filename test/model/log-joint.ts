import { expect } from "vitest";
import { Runtime } from "../../src/engine/runtime.ts";
import { compileLogDensity } from "../../src/inference/compile.ts";
import { problemOf } from "../../src/inference/problem.ts";
import type { DataFor } from "../../src/model/data.ts";
import type { Model, Returned } from "../../src/model/model.ts";

/** A model's log density on the unconstrained scale, as users' fits compute it. */
export interface LogJoint {
  readonly names: readonly string[];
  value(u: readonly number[]): number;
  gradient(u: readonly number[]): number[];
}

const runtime = new Runtime({ blas: null });

export async function logJoint<D, R extends Returned>(model: Model<D, R>, data: DataFor<D>): Promise<LogJoint> {
  const problem = await problemOf(model, data, { runtime });
  const density = await compileLogDensity(problem);
  const evaluate = (u: readonly number[]) => {
    if (u.length !== density.dim) throw new Error(`${u.length} coordinates for ${problem.names.join(", ")}`);
    const gradient = new Float64Array(density.dim);
    return { value: density.evaluate(Float64Array.from(u), gradient), gradient: [...gradient] };
  };
  return {
    names: problem.names,
    value: (u) => evaluate(u).value,
    gradient: (u) => evaluate(u).gradient,
  };
}

/** Expects the gradient to agree with central differences. */
export function expectGradient(density: LogJoint, u: readonly number[], tolerance = 1e-6): void {
  const step = 1e-5;
  for (const [i, slope] of density.gradient(u).entries()) {
    const moved = (by: number) => density.value(u.with(i, u[i]! + by));
    const difference = (moved(step) - moved(-step)) / (2 * step);
    expect(Math.abs(slope - difference), `coordinate ${density.names[i]}`).toBeLessThan(
      tolerance * (1 + Math.abs(slope)),
    );
  }
}
