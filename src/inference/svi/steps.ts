import type { Buffer, TensorSpec } from "../../engine/runtime.ts";
import { f64, program } from "../../program/program.ts";
import { full } from "../../tensor/functions.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { type Block, type Expected, type State, writeNeutral } from "../cavi/blocks/block.ts";
import type { ExpectedTerm } from "../cavi/expected-joint.ts";
import {
  entropyOf,
  inputsOf,
  priorStates,
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
  updated,
} from "../cavi/sweep.ts";
import { tensorsOf, withTensors } from "./given-statistics.ts";

/** Factors of what stands in the plates that are subsampled, and all others. */
export interface Division {
  readonly local: readonly Block[];
  readonly global: readonly Block[];
  /** Names of all sites in the plates, observed ones too. */
  readonly sites: ReadonlySet<string>;
}

/** What a parameter that is estimated remembers of earlier steps: averages of gradients, by factor and statistic. */
export const averageKey = (block: Block, name: string): string => `${stateKey(block, name)} on average`;

/** The parts of a step as compiled programs over one memory. */
export interface Steps {
  /** Local factors at their priors given the global ones, whose statistics the sweeps of the batch take as they are now. */
  startLocal(): void;
  /** Local factors at their optima in turn; returns their part of the bound, in nats, each element as often as it counts. */
  sweepLocal(): number;
  /** What the bound has besides, at the start of the batch: terms and entropies of global factors alone. */
  globalPart(): number;
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
  { local, global, sites }: Division,
  averages: Readonly<Record<string, Buffer>>,
): Promise<Steps> {
  const { problem, buffers } = setting;
  const { inputs, data } = inputsOf(setting);
  const shared = { runtime: problem.runtime, deterministic: problem.deterministic };
  const likeOf = (state: Tensors) => Object.values(state)[0]!;
  const isLocal = (t: ExpectedTerm) => sites.has(t.name);

  const start = await program({
    ...shared,
    state: buffers,
    inputs,
    body: ({ state, inputs }) => ({ state: priorStates(readyFor(setting, likeOf(state), inputs), state, local) }),
  });
  start.prepare(data as never);

  // What the batch's sweeps take from outside: expected once a step, though the sweeps are many.
  let given: Expected["sites"] = {};
  const expectGlobal = await program({
    ...shared,
    state: buffers,
    inputs,
    body: ({ state, inputs }) => {
      const like = likeOf(state);
      const ready = readyFor(setting, like, inputs);
      const states = statesOfBlocks(ready.blocks, state);
      const expected = ready.blocks.map((b, i) => b.expected(states[i]!));
      given = sitesOf(expected.filter((_, i) => global.includes(ready.blocks[i]!))).sites;
      const part = sum(like, [
        ...ready.terms.filter((t) => !isLocal(t)).map((t) => t.expect(sitesOf(expected))),
        ...ready.blocks.flatMap((b, i) => (global.includes(b) ? [entropyOf(ready, b, expected[i]!)] : [])),
      ]);
      return { outputs: { part, ...tensorsOf(given) } as Record<string, Tensor> };
    },
  });
  expectGlobal.prepare(data as never);
  const statistics = Object.fromEntries(Object.keys(tensorsOf(given)).map((key) => [key, expectGlobal.outputs[key]!]));

  const sweep = await program({
    ...shared,
    state: buffers,
    inputs: {
      ...inputs,
      ...Object.fromEntries(Object.entries(statistics).map(([key, { shape }]) => [key, f64(shape)])),
    },
    body: ({ state, inputs: all }) => {
      const like = likeOf(state);
      const ready = readyFor(setting, like, all);
      const { blocks, terms } = ready;
      const states = statesOfBlocks(blocks, state);
      const outside: Expected = { sites: withTensors(given, all), wrt: {}, entropy: full(like, [], 0, "f64") };
      const expected = blocks.map((b, i) => (local.includes(b) ? b.expected(states[i]!) : outside));
      const next: Record<string, Tensor> = {};
      for (const [i, block] of blocks.entries()) {
        if (!local.includes(block)) continue;
        const touching = terms.filter((t) => t.sites.some((s) => block.sites.includes(s)));
        states[i] = updated(block, states[i]!, expected, expected[i]!, touching, ready.copies.get(block));
        expected[i] = block.expected(states[i]!);
        for (const [name, tensor] of Object.entries(states[i]!)) next[stateKey(block, name)] = tensor;
      }
      const part = sum(like, [
        ...terms.filter(isLocal).map((t) => t.expect(sitesOf(expected))),
        ...blocks.flatMap((b, i) => (local.includes(b) ? [entropyOf(ready, b, expected[i]!)] : [])),
      ]);
      return { state: next, outputs: { local: part } };
    },
  });
  sweep.prepare({ ...data, ...statistics } as never);

  const rateInput: Record<string, TensorSpec> = { "svi.rate": f64([]) };
  const rate = problem.runtime.buffer("f64", []);
  const move = await program({
    ...shared,
    state: { ...buffers, ...averages },
    inputs: { ...inputs, ...rateInput },
    body: ({ state, inputs: given }) => {
      const { "svi.rate": rho, ...inputs } = given as Record<string, Tensor>;
      const ready = readyFor(setting, likeOf(state), inputs);
      return { state: movedGlobal(ready, state, global, rho!) };
    },
  });
  move.prepare({ ...data, "svi.rate": rate } as never);

  const numberOf = (b: Buffer) => (b.view() as Float64Array)[0]!;
  return {
    startLocal() {
      for (const b of local) {
        for (const name of Object.keys(b.state)) {
          writeNeutral(b, name, buffers[stateKey(b, name)]!.view() as Float64Array);
        }
      }
      if (local.length) start.step();
      expectGlobal.step();
    },
    sweepLocal() {
      sweep.step();
      return numberOf(sweep.outputs.local);
    },
    globalPart: () => numberOf(expectGlobal.outputs.part!),
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
