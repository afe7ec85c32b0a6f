import type { Backend } from "../backends/backend.ts";
import type { Runtime, TensorSpec } from "../engine/runtime.ts";
import { f32, f64, upTo } from "../program/program.ts";
import type { Architecture } from "./architecture.ts";
import type { Observation } from "./observation.ts";
import type { VaeConfig } from "./options.ts";

/** What the programs of one model have in common. */
export interface ProgramContext {
  readonly architecture: Architecture;
  readonly config: VaeConfig;
  readonly observation: Observation;
  readonly width: number;
  readonly runtime: Runtime;
  readonly backend?: Backend;
}

/** Rows that a program handles in one step outside of training. */
export const CHUNK = 128;
/** Examples and draws of one step of importance sampling: 1,024 rows through the decoder at a time. */
export const IMPORTANCE = { examples: 64, draws: 16 } as const;

/** A tensor of the networks' arithmetic. */
export const floats = ({ config }: ProgramContext, shape: readonly number[]): TensorSpec =>
  config.dtype === "f64" ? f64(shape) : f32(shape);

export const parameterSpec = (c: ProgramContext): TensorSpec => floats(c, [c.architecture.layout.size]);

/** Rows of a data set in their own type. Capacities are powers of two, so that other data seldom need another program. */
export const dataSpec = ({ width }: ProgramContext, dtype: TensorSpec["dtype"], count: number): TensorSpec => ({
  ...f32([upTo(2 ** Math.ceil(Math.log2(Math.max(count, 1024)))), width]),
  dtype,
});
