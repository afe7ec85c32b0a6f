import type { Buffer } from "../../engine/runtime.ts";
import { f64, program } from "../../program/program.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { boundText, isBound } from "./moments.ts";
import { inputsOf, readyFor, type Setting, stateShapes, sweepOnce } from "./sweep.ts";

/** The bound after each factor's update, from the state before a sweep. */
async function boundsByFactor(setting: Setting, before: ReadonlyMap<string, Float64Array>): Promise<number[]> {
  const { problem, structure } = setting;
  const { runtime, deterministic } = problem;
  const shapes = stateShapes(structure.blocks);
  const { inputs: given, data } = inputsOf(setting);
  const made = await program({
    inputs: { ...given, ...Object.fromEntries(Object.entries(shapes).map(([k, s]) => [k, f64(s)])) },
    runtime,
    deterministic,
    body: ({ inputs }) => {
      const all = Object.fromEntries(Object.keys(shapes).map((k) => [k, inputs[k]!]));
      const like = Object.values(all)[0]!;
      const found: Tensor[] = [];
      sweepOnce(readyFor(setting, like, inputs as never), all, {
        seen: (bound) => found.push(bound),
      });
      return { outputs: Object.fromEntries(found.map((t, i) => [`bound${i}`, t])) };
    },
  });
  made.call({ ...data, ...Object.fromEntries(before) } as never);
  return structure.blocks.map(
    (_, i) => ((made.outputs as Readonly<Record<string, Buffer>>)[`bound${i}`]!.view() as Float64Array)[0]!,
  );
}

/** What to say of a bound that fell: which factor's update did it. */
export async function blameFall(
  setting: Setting,
  before: ReadonlyMap<string, Float64Array>,
  elbo: number,
  last: number,
  sweep: number,
): Promise<string> {
  const { order: blocks } = setting.structure;
  const found = await boundsByFactor(setting, before);
  let [worst, drop] = [0, Infinity];
  for (const [i, bound] of found.entries()) {
    const change = bound - (i ? found[i - 1]! : last);
    if (change < drop) [worst, drop] = [i, change];
  }
  return (
    `the bound fell from ${last} to ${elbo} in sweep ${sweep + 1}, by ${-drop} in the update of the factor of ` +
    `"${blocks[worst]!.name}". An update at the optimum cannot do that: either its elements depend on one another in a way that was ` +
    "not seen (write them as one multivariateNormal, or in different sites), or the numbers are too large for each other (rescale the data)."
  );
}

/** What to say of a bound that is not finite. */
export async function firstNonFinite(
  setting: Setting,
  before: ReadonlyMap<string, Float64Array>,
  elbo: number,
  sweep: number,
): Promise<string> {
  const { order: blocks } = setting.structure;
  const found = await boundsByFactor(setting, before);
  const at = found.findIndex((bound) => !isBound(bound));
  return (
    `the bound became ${boundText(elbo)} in sweep ${sweep + 1}, first with the factor of "${blocks[Math.max(0, at)]!.name}". ` +
    "Look for data outside a likelihood's support, and for priors that are not proper."
  );
}
