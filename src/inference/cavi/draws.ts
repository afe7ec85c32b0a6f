import { OptionError } from "../../base/errors.ts";
import type { Buffer } from "../../engine/runtime.ts";
import { f64, program } from "../../program/program.ts";
import type { FactorArray } from "./factors.ts";
import { type Setting, stateShapes, statesOfBlocks } from "./sweep.ts";

/** Independent draws of all latent sites from q at a state, [count, ...site]. */
export async function drawFactors(
  { problem, structure }: Setting,
  state: ReadonlyMap<string, Float64Array>,
  count: number,
  seed: number,
): Promise<Record<string, FactorArray>> {
  if (!(Number.isInteger(count) && count >= 1))
    throw new OptionError(`sample takes an integer of at least 1, not ${count}`);
  const { blocks } = structure;
  const shapes = stateShapes(blocks);
  const made = await program({
    inputs: Object.fromEntries(Object.entries(shapes).map(([key, shape]) => [key, f64(shape)])),
    runtime: problem.runtime,
    deterministic: problem.deterministic,
    body: ({ inputs, rng }) => {
      const states = statesOfBlocks(blocks, inputs);
      const drawn = blocks.map((b, i) => b.draw(states[i]!, rng.site("q"), count));
      return { outputs: Object.assign({}, ...drawn) as Record<string, never> };
    },
  });
  made.call(Object.fromEntries(state) as never, seed);
  const outputs = made.outputs as Readonly<Record<string, Buffer>>;
  return Object.fromEntries(Object.entries(outputs).map(([name, b]) => [name, { shape: b.shape, values: b.read() as Float64Array }])); // biome-ignore format: one line
}
