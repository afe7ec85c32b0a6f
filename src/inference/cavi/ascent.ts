import type { TensorSpec } from "../../engine/runtime.ts";
import { f64, program } from "../../program/program.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { type FirstSweeps, firstSweeps } from "./first-sweeps.ts";
import { type Openings, openingsOf } from "./openings.ts";
import { inputsOf, readyFor, type Setting, sweepOnce } from "./sweep.ts";
import type { Turns } from "./turns.ts";

/** What brings q up from a start, compiled. */
export interface Ascent {
  readonly setting: Setting;
  /** The first sweeps of models that need others than ordinary ones. */
  readonly first: FirstSweeps | null;
  readonly openings: Openings | null;
  /** Each factor in turn; returns the bound. */
  sweep(temperature?: number): number;
}

/** @param isHeated  whether its sweeps are at temperatures */
export async function ascentOf(setting: Setting, turns: Turns, isHeated: boolean): Promise<Ascent> {
  const { inputs: given, data } = inputsOf(setting);
  const { runtime, deterministic } = setting.problem;
  const heat = runtime.buffer("f64", []);
  const heated: Record<string, TensorSpec> = isHeated ? { temperature: f64([]) } : {};
  const made = await program({
    runtime,
    deterministic,
    state: setting.buffers,
    inputs: { ...given, ...turns.inputs, ...heated },
    body: ({ state, inputs }) => {
      const ready = readyFor(setting, Object.values(state)[0]!, inputs, turns.of(inputs));
      const temperature = isHeated ? (inputs.temperature as Tensor) : null;
      const { next, elbo } = sweepOnce({ ...ready, temperature }, state);
      return { state: next, outputs: { elbo } };
    },
  });
  made.prepare({ ...data, ...turns.data, ...(isHeated ? { temperature: heat } : {}) } as never);
  return {
    setting,
    first: await firstSweeps(setting),
    openings: isHeated ? null : await openingsOf(setting),
    sweep(temperature = 1) {
      (heat.view() as Float64Array)[0] = temperature;
      for (let t = 0; t < turns.count; t++) {
        turns.set(t);
        made.step();
      }
      return (made.outputs.elbo.view() as Float64Array)[0]!;
    },
  };
}
