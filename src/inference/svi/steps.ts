import type { Buffer, TensorSpec } from "../../engine/runtime.ts";
import { f64, program } from "../../program/program.ts";
import { full } from "../../tensor/functions.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Block, State } from "../cavi/blocks/block.ts";
import { compileLocalSweeps, type Division, type LocalSweeps } from "../cavi/local-sweeps.ts";
import {
  inputsOf,
  type Ready,
  readyFor,
  type Setting,
  settled,
  sitesOf,
  slopesOf,
  stateKey,
  statesOfBlocks,
  sum,
  type Tensors,
} from "../cavi/sweep.ts";

/** What a parameter that is estimated remembers of earlier steps: averages of gradients, by factor and statistic. */
export const averageKey = (block: Block, name: string): string => `${stateKey(block, name)} on average`;

/** The parts of a step as compiled programs over one memory. */
export interface Steps {
  readonly local: LocalSweeps;
  /** Global factors move by the rate towards their optima given the local ones. */
  moveGlobal(rate: number): void;
}

/** Shapes of the averages that a step keeps beside the factors' own state. */
export const averageShapes = (blocks: readonly Block[]): Record<string, readonly number[]> =>
  Object.fromEntries(
    blocks.flatMap((b) =>
      Object.entries(b.averaged ?? {}).map(([name, shape]) => [averageKey(b, name), shape] as const),
    ),
  );

export async function compileSteps(
  setting: Setting,
  division: Division,
  averages: Readonly<Record<string, Buffer>>,
): Promise<Steps> {
  const { problem, buffers } = setting;
  const { inputs, data } = inputsOf(setting);
  const local = await compileLocalSweeps(setting, division);

  const rateInput: Record<string, TensorSpec> = { "svi.rate": f64([]) };
  const rate = problem.runtime.buffer("f64", []);
  const move = await program({
    runtime: problem.runtime,
    deterministic: problem.deterministic,
    state: { ...buffers, ...averages },
    inputs: { ...inputs, ...rateInput },
    body: ({ state, inputs: given }) => {
      const { "svi.rate": rho, ...inputs } = given as Record<string, Tensor>;
      const ready = readyFor(setting, Object.values(state)[0]!, inputs);
      return { state: movedGlobal(ready, state, division.global, rho!) };
    },
  });
  move.prepare({ ...data, "svi.rate": rate } as never);
  return {
    local,
    moveGlobal(value) {
      (rate.view() as Float64Array)[0] = value;
      move.step();
    },
  };
}

/**
 * Each global factor at (1 − ρ) λ + ρ λ̂, λ̂ its optimum as the batch has it (Hoffman, Blei, Wang and Paisley 2013, eq. 15). That is its
 * exact update under ρ · log p + (1 − ρ) · log q_before, so that the centred forms in which factors are updated hold here too, and data
 * far from 0 cancel nothing.
 */
function movedGlobal(ready: Ready, all: Tensors, global: readonly Block[], rho: Tensor): Record<string, Tensor> {
  const { blocks, terms } = ready;
  const states = statesOfBlocks(blocks, all);
  const expected = blocks.map((b, i) => b.expected(states[i]!));
  const rest = full(rho, [], 1, "f64").sub(rho);
  const next: Record<string, Tensor> = {};
  for (const [i, block] of blocks.entries()) {
    if (!global.includes(block)) continue;
    const touching = terms.filter((t) => t.sites.some((s) => block.sites.includes(s)));
    const own = expected[i]!;
    const given = sum(rho, touching.map((t) => t.expect(sitesOf(expected)))); // biome-ignore format: short
    let slopes: State;
    if (block.averaged) {
      slopes = slopesOf(given.mul(rho), own, ready.copies.get(block));
      for (const name of Object.keys(block.averaged)) {
        const key = averageKey(block, name);
        slopes = { ...slopes, [name]: all[key]!.mul(rest).add(slopes[name]!) };
        next[key] = slopes[name]!;
      }
    } else {
      const before = pastOf(block, states[i]!);
      const kept = block.expectedLog!(before, sitesOf(expected).sites).mul(rest);
      slopes = slopesOf(given.mul(rho).add(kept), own, ready.copies.get(block));
    }
    states[i] = settled(block, block.update(states[i]!, own.wrt, slopes));
    expected[i] = block.expected(states[i]!);
    for (const [name, tensor] of Object.entries(states[i]!)) next[stateKey(block, name)] = tensor;
  }
  return next;
}

/** A state as numbers by which nothing is differentiated. */
const pastOf = (block: Block, state: State): State =>
  Object.fromEntries(
    Object.entries(state).map(([name, t]) => [
      name,
      t.of(t.trace.builder.append("stopGradient", [t.node], { of: `${stateKey(block, name)} before` })),
    ]),
  );
