import type { Buffer } from "../../engine/runtime.ts";
import { f64, u32 } from "../../program/program.ts";
import type { Problem } from "../problem.ts";
import { rowInputs, rowsFrom, type SampledPlate, traceAtRows } from "../subsampling.ts";
import type { BatchRows } from "./batches.ts";

/** A model of which only some elements of its plates are looked at: which, and for how many each stands, are inputs. */
export interface SubsampledProblem extends Problem {
  /** Chooses the elements. */
  choose(rows: readonly BatchRows[]): void;
}

/** `sizes`: how many elements of each plate are held in memory. */
export function subsampledProblem(
  problem: Problem,
  plates: readonly SampledPlate[],
  sizes: readonly number[],
): SubsampledProblem {
  const { runtime } = problem;
  const buffers: Record<string, Buffer> = {};
  for (const [p, { name, size }] of plates.entries()) {
    const keys = rowInputs(name);
    buffers[keys.index] = runtime.buffer("u32", [sizes[p]!]);
    buffers[keys.copies] = runtime.buffer("f64", [sizes[p]!], new Float64Array(sizes[p]!).fill(1));
    buffers[keys.places] = runtime.buffer("u32", [size]);
  }
  const specs = Object.fromEntries(
    Object.entries(buffers).map(([key, { dtype, shape }]) => [key, dtype === "u32" ? u32(shape) : f64(shape)]),
  );
  return {
    ...problem,
    layout: traceAtRows(problem, plates, sizes).model,
    inputs: { ...problem.inputs, ...specs },
    data: { ...problem.data, ...buffers },
    trace: (like, inputs, options = {}) => problem.trace(like, inputs, { ...options, rows: rowsFrom(plates, inputs) }),
    choose(rows) {
      for (const [p, { name }] of plates.entries()) {
        const keys = rowInputs(name);
        buffers[keys.index]!.write(rows[p]!.index);
        buffers[keys.copies]!.write(rows[p]!.copies);
        buffers[keys.places]!.write(rows[p]!.places);
      }
    },
  };
}
