import { Generator } from "../../../src/base/generator.ts";
import { type CaviOptions, fitWithSetting } from "../../../src/inference/cavi/cavi.ts";
import { wholeShape } from "../../../src/inference/cavi/expected-joint.ts";
import { stateKey, stateShapes, statesOfBlocks } from "../../../src/inference/cavi/sweep.ts";
import { problemOf } from "../../../src/inference/problem.ts";
import type { DataFor } from "../../../src/model/data.ts";
import type { Model, Returned } from "../../../src/model/model.ts";
import { Assignment, latentSites, sumTerms, termsOf } from "../../../src/model/terms.ts";
import { f64, program } from "../../../src/program/program.ts";
import type { Tensor } from "../../../src/tensor/tensor.ts";

/**
 * E_q[log p − log q] from draws of q, with the model's own log densities and q's, and nothing of the expected ones: mean and standard
 * error. Discrete sites of q count by the logarithm of the probability of what was drawn.
 */
export async function monteCarloBound<D, R extends Returned>(
  model: Model<D, R>,
  data: DataFor<D>,
  draws: number,
  options: CaviOptions = {},
): Promise<{ elbo: number; mean: number; se: number; elbos: readonly number[] }> {
  const problem = await problemOf(model, data);
  const { fit, setting } = await fitWithSetting(problem, options);
  const { blocks } = setting.structure;
  const drawn = await fit.sample(draws, 7);
  const latent = latentSites(problem.layout).map((s) => ({ name: s.name, shape: wholeShape(s) }));
  const shapes = stateShapes(blocks);
  const made = await program({
    state: setting.buffers,
    inputs: { ...problem.inputs, ...Object.fromEntries(latent.map((s) => [`z.${s.name}`, f64(s.shape)])) },
    runtime: problem.runtime,
    body: ({ state, inputs }) => {
      const all = inputs as Record<string, Tensor>;
      const like = Object.values(state)[0]!;
      const traced = problem.trace(like, all);
      const assignment = new Assignment(traced);
      for (const site of latentSites(traced)) assignment.set(site, all[`z.${site.name}`]!);
      assignment.closeChains();
      const terms = termsOf(traced);
      const values = assignment.of(terms.map((t) => t.logProb));
      const logP = sumTerms(terms.map((t, i) => ({ ...t, logProb: values[i]! })), like); // biome-ignore format: short
      const states = statesOfBlocks(blocks, state);
      const z = Object.fromEntries(latent.map((s) => [s.name, all[`z.${s.name}`]!]));
      const densities = blocks.flatMap((b, i) => (b.logDensity ? [b.logDensity(states[i]!, z)] : []));
      return { outputs: { logP, logQ: densities.reduce((a, b) => a.add(b), like.mul(0).sum()) } };
    },
  });
  const places = latent.map((s) => ({ ...s, buffer: problem.runtime.buffer("f64", s.shape) }));
  made.prepare({ ...problem.data, ...Object.fromEntries(places.map((p) => [`z.${p.name}`, p.buffer])) } as never);
  const discrete = blocks.filter((b) => b.state.logProbs).map((b) => ({
    site: b.sites[0]!,
    states: shapes[stateKey(b, "logProbs")]!.at(-1)!,
    logProbs: setting.buffers[stateKey(b, "logProbs")]!.read() as Float64Array,
  })); // biome-ignore format: short
  const chains = blocks.filter((b) => b.family === "markovChain").map((b) => ({
    first: b.sites.length > 1 ? b.sites[0]! : null,
    site: b.sites.at(-1)!,
    states: shapes[stateKey(b, "pairs")]!.at(-1)!,
    steps: shapes[stateKey(b, "pairs")]!.at(-3)!,
    initial: setting.buffers[stateKey(b, "initial")]!.read() as Float64Array,
    pairs: setting.buffers[stateKey(b, "pairs")]!.read() as Float64Array,
  })); // biome-ignore format: short
  const found = new Float64Array(draws);
  for (let s = 0; s < draws; s++) {
    for (const { name, buffer } of places) {
      const size = buffer.view().length;
      buffer.write(drawn[name]!.values.subarray(s * size, (s + 1) * size));
    }
    made.step();
    let logQ = (made.outputs.logQ.view() as Float64Array)[0]!;
    for (const { site, states, logProbs } of discrete) {
      const n = logProbs.length / states;
      for (let i = 0; i < n; i++) logQ += logProbs[i * states + drawn[site]!.values[s * n + i]!]!;
    }
    for (const { first, site, states, steps, initial, pairs } of chains) {
      const rows = initial.length / states;
      for (let r = 0; r < rows; r++) {
        const path = drawn[site]!.values.subarray((s * rows + r) * steps, (s * rows + r + 1) * steps);
        const own = pairs.subarray(r * steps * states ** 2, (r + 1) * steps * states ** 2);
        logQ += logOfPath(initial.subarray(r * states, (r + 1) * states), own, first === null ? null : drawn[first]!.values[s * rows + r]!, path); // biome-ignore format: one line
      }
    }
    found[s] = (made.outputs.logP.view() as Float64Array)[0]! - logQ;
  }
  const mean = found.reduce((a, b) => a + b, 0) / draws;
  const se = Math.sqrt(found.reduce((a, b) => a + (b - mean) ** 2, 0) / (draws - 1) / draws);
  return { elbo: fit.elbo, mean, se, elbos: fit.elbos };
}

/** log q of a path of a chain with these potentials of its first state and of neighbours; from state 0 where none is drawn. */
function logOfPath(initial: Float64Array, pairs: Float64Array, first: number | null, path: Float64Array): number {
  const k = initial.length;
  let forward = first === null ? initial.map((_, i) => (i ? -Infinity : 0)) : initial;
  let [log, before] = [first === null ? 0 : initial[first]!, first ?? 0];
  for (const [t, now] of path.entries()) {
    log += pairs[(t * k + before) * k + now]!;
    const last = forward;
    forward = forward.map((_, j) => logSum(last.map((f, i) => f + pairs[(t * k + i) * k + j]!)));
    before = now;
  }
  return log - logSum(forward);
}

function logSum(x: Float64Array): number {
  const most = Math.max(...x);
  return most + Math.log(x.reduce((sum, v) => sum + Math.exp(v - most), 0));
}

/** Data of a seeded generator. */
export const generator = (name: string): Generator => new Generator(1, name);
