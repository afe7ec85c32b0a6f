import type { Buffer, TensorSpec } from "../engine/runtime.ts";
import { discreteSites, statesOf, sumOut } from "../model/enumerate.ts";
import { plateSizes } from "../model/site.ts";
import { termsOf } from "../model/terms.ts";
import { f64, gradient, program } from "../program/program.ts";
import { transpose } from "../tensor/functions.ts";
import { MemoryVector } from "./compile.ts";
import { type Problem, sumOfTerms } from "./problem.ts";

/** The posterior of a discrete site that was summed out. */
export interface StateProbabilities {
  /** The site's values, in the order of the last axis. */
  readonly states: readonly number[];
  /** [...plates, states] */
  readonly shape: readonly number[];
  /** Row-major; the states of each element sum to 1. */
  readonly probabilities: Float64Array;
}

/**
 * Probabilities of the states of every discrete latent site, averaged over draws of the continuous ones: of a mixture the
 * responsibilities, of a hidden Markov model the smoothed states. Each is the derivative of the summed-out log joint by what is
 * added to the log probability of the state (Darwiche 2003).
 *
 * @param points  unconstrained draws, [count, dim]
 */
export async function stateProbabilities(
  problem: Problem,
  points: Float64Array,
): Promise<Record<string, StateProbabilities>> {
  const sites = discreteSites(problem.layout).map((site) => ({
    name: site.name,
    states: statesOf(site),
    sizes: plateSizes(site.plates),
  }));
  if (!sites.length) return {};
  const { runtime, deterministic, dim, inputs, data } = problem;
  const specs: Record<string, TensorSpec> = { unconstrained: f64([dim]) };
  const places: Record<string, Buffer> = { unconstrained: runtime.buffer("f64", [dim]) };
  for (const { name, states, sizes } of sites) {
    specs[`tilt.${name}`] = f64([states.length, ...sizes]);
    places[`tilt.${name}`] = runtime.buffer("f64", [states.length, ...sizes]);
  }
  const made = await program({
    inputs: { ...inputs, ...specs },
    body: ({ inputs: all }) => {
      const unconstrained = all[`unconstrained`]!;
      const { model, assignment } = problem.realise(unconstrained, all);
      const tilts = Object.fromEntries(sites.map(({ name }) => [name, all[`tilt.${name}`]!]));
      const terms = sumOut(unconstrained.trace, model, termsOf(model), tilts);
      const slopes = gradient(sumOfTerms({ terms, assignment }, unconstrained), Object.values(tilts));
      const inOrder = slopes.map((g) => transpose(g, [...g.shape.keys()].slice(1).concat(0)));
      return { outputs: Object.fromEntries(sites.map(({ name }, i) => [name, inOrder[i]!])) };
    },
    runtime,
    deterministic,
  });
  made.prepare({ ...data, ...places } as never);
  const at = new MemoryVector(places[`unconstrained`]!);
  const outputs = made.outputs as Record<string, Buffer>;
  const count = points.length / dim;
  const found = sites.map(({ name }) => ({
    vector: new MemoryVector(outputs[name]!),
    sum: new Float64Array(outputs[name]!.view().length),
  }));
  for (let d = 0; d < count; d++) {
    at.values.set(points.subarray(d * dim, (d + 1) * dim));
    made.step();
    for (const { vector, sum } of found) {
      const now = vector.values;
      for (let i = 0; i < sum.length; i++) sum[i]! += now[i]! / count;
    }
  }
  return Object.fromEntries(
    sites.map(({ name, states, sizes }, i) => [
      name,
      { states, shape: [...sizes, states.length], probabilities: found[i]!.sum },
    ]),
  );
}
