import { OptionError } from "../../base/errors.ts";
import { Generator } from "../../base/generator.ts";
import { sizeOf } from "../../base/shape.ts";
import type { Buffer, TensorSpec } from "../../engine/runtime.ts";
import { f64, gradient, program } from "../../program/program.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Block } from "./blocks/block.ts";
import { inputsOf, readyFor, type Setting, sitesOf, statesOfBlocks, sum, type Tensors } from "./sweep.ts";

/** Elements whose couplings are looked for one by one. */
const MOST_ELEMENTS = 10_000;

/** Which elements of intertwined sites are updated together: those that do not depend on one another. */
export interface Turns {
  readonly count: number;
  readonly inputs: Readonly<Record<string, TensorSpec>>;
  readonly data: Readonly<Record<string, Buffer>>;
  of(inputs: Tensors): Tensors;
  /** Makes it the turn of the elements of one colour. */
  set(turn: number): void;
}

const key = (block: Block): string => `turn.${block.name}`;

/**
 * Colours the elements of each site whose elements depend on one another (the spins of an Ising model), so that no two neighbours have one
 * colour. Who depends on whom is read off the expected log joint: element j's natural parameters change with element i's probabilities
 * where the second derivative is not 0.
 */
export async function takeTurns(setting: Setting, seed: number): Promise<Turns> {
  const { structure, problem } = setting;
  const blocks = structure.blocks.filter((b) => structure.intertwined.has(b.name) && b.state.logProbs);
  const colours = new Map<Block, Int32Array>();
  for (const block of blocks) colours.set(block, await coloursOf(setting, block, seed));
  const count = Math.max(1, ...[...colours.values()].map((c) => Math.max(...c) + 1));
  const shapeOf = (block: Block) => block.state.logProbs!.slice(0, -1);
  const data = Object.fromEntries(blocks.map((b) => [key(b), problem.runtime.buffer("f64", shapeOf(b))]));
  return {
    count,
    inputs: Object.fromEntries(blocks.map((b) => [key(b), f64(shapeOf(b))])),
    data,
    of: (inputs) => Object.fromEntries(blocks.map((b) => [b.name, inputs[key(b)]!])),
    set(turn) {
      for (const b of blocks) {
        const own = colours.get(b)!;
        const last = Math.max(...own) + 1;
        data[key(b)]!.write(Float64Array.from(own, (c) => Number(c === turn % last)));
      }
    },
  };
}

async function coloursOf(setting: Setting, block: Block, seed: number): Promise<Int32Array> {
  const { problem, structure, buffers } = setting;
  const { blocks } = structure;
  const { inputs: given, data } = inputsOf(setting);
  const shape = block.state.logProbs!;
  const states = shape.at(-1)!;
  const n = sizeOf(shape) / states;
  if (n > MOST_ELEMENTS) {
    throw new OptionError(
      `"${block.name}" has ${n} elements that depend on one another; up to ${MOST_ELEMENTS} can take turns. Write it as several sites.`,
    );
  }
  const made = await program({
    state: buffers,
    inputs: { ...given, direction: f64(shape) },
    runtime: problem.runtime,
    deterministic: problem.deterministic,
    body: ({ state, inputs: { direction, ...inputs } }) => {
      const like: Tensor = Object.values(state)[0]!;
      const { terms } = readyFor(setting, like, inputs as Tensors);
      const all = statesOfBlocks(blocks, state);
      const expected = blocks.map((b, i) => b.expected(all[i]!));
      const { probs } = expected[blocks.indexOf(block)]!.wrt;
      const joint = sum(like, terms.filter((t) => t.sites.includes(block.name)).map((t) => t.expect(sitesOf(expected)))); // biome-ignore format: short
      const slope = gradient(joint, [probs!])[0]!;
      return { outputs: { change: gradient(slope.mul(direction!).sum(), [probs!])[0]! } };
    },
  });
  const direction = problem.runtime.buffer("f64", shape);
  made.prepare({ ...data, direction } as never);
  const generator = new Generator(seed, "turns");
  const neighbours: number[][] = Array.from({ length: n }, () => []);
  for (let i = 0; i < n; i++) {
    const view = direction.view() as Float64Array;
    view.fill(0);
    for (let k = 0; k < states; k++) view[i * states + k] = 1 + generator.uniform();
    made.step();
    const change = made.outputs.change.view() as Float64Array;
    for (let j = 0; j < n; j++) {
      // What is the same for all states changes no probability.
      const own = change.subarray(j * states, (j + 1) * states);
      if (j !== i && own.some((x) => Math.abs(x - own[0]!) > 1e-12 * (1 + Math.abs(x)))) neighbours[i]!.push(j);
    }
  }
  const colours = new Int32Array(n).fill(-1);
  for (let i = 0; i < n; i++) {
    const taken = new Set([...neighbours[i]!].map((j) => colours[j]!));
    let colour = 0;
    while (taken.has(colour)) colour++;
    colours[i] = colour;
  }
  return colours;
}
