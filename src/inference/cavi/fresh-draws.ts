import { Generator } from "../../base/generator.ts";
import { sizeOf } from "../../base/shape.ts";
import type { Buffer, Runtime } from "../../engine/runtime.ts";
import { program } from "../../program/program.ts";
import type { Structure } from "./structure.ts";
import { entropyOf, inputsOf, readyFor, type Setting, sitesOf, statesOfBlocks, sum, type Tensors } from "./sweep.ts";

/** Sets of draws that the bound of a fit is estimated on. */
const SETS = 32;

/** The bound at a fit's q on draws that q was not fitted to, with its standard error; `terms` are those that are averaged over draws. */
export interface FreshBound {
  readonly terms: readonly string[];
  readonly draws: number;
  readonly elbo: number;
  readonly se: number;
}

/** Numbers for the factors whose terms are averaged over draws, in pairs of opposite sign, each coordinate of mean 0 and variance 1. */
export function noiseFor(
  { blocks, gradients, inexact }: Structure,
  runtime: Runtime,
  seed: number,
): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  if (!inexact.draws.length) return found;
  for (const block of blocks.filter((b) => b.byGradient)) {
    const buffer = runtime.buffer("f64", [gradients.draws, ...block.state.precision!.slice(0, -1)]);
    fill(buffer, new Generator(seed, "cavi noise", block.name), true);
    found.set(block.name, buffer);
  }
  return found;
}

function fill(buffer: Buffer, generator: Generator, standard: boolean): void {
  const [draws] = buffer.shape as [number];
  const n = sizeOf(buffer.shape) / draws;
  const values = buffer.view() as Float64Array;
  const half = draws / 2;
  for (let i = 0; i < half * n; i++) values[i] = generator.normal();
  for (let j = 0; standard && j < n; j++) {
    let square = 0;
    for (let s = 0; s < half; s++) square += values[s * n + j]! ** 2;
    for (let s = 0; s < half; s++) values[s * n + j]! *= Math.sqrt(half / square);
  }
  for (let i = 0; i < half * n; i++) values[half * n + i] = -values[i]!;
}

/** The bound at the state in the buffers, on draws that q was not fitted to. */
export async function boundOnFreshDraws(setting: Setting, seed: number): Promise<FreshBound | null> {
  const { problem, structure, buffers, noise } = setting;
  if (!noise.size) return null;
  const { blocks } = structure;
  const { inputs, data } = inputsOf(setting);
  const kept = [...noise.values()].map((b) => [b, Float64Array.from(b.view())] as const);
  const made = await program({
    runtime: problem.runtime,
    deterministic: problem.deterministic,
    state: buffers,
    inputs,
    body: ({ state, inputs: given }) => {
      const like = Object.values(state)[0]!;
      const ready = readyFor(setting, like, given as Tensors);
      const expected = statesOfBlocks(blocks, state).map((s, i) => blocks[i]!.expected(s));
      return { outputs: { elbo: sum(like, [...ready.terms.map((t) => t.expect(sitesOf(expected))), ...expected.map((e, i) => entropyOf(ready, blocks[i]!, e))]) } }; // biome-ignore format: one line
    },
  });
  made.prepare(data as never);
  const generator = new Generator(seed, "cavi fresh draws");
  const found: number[] = [];
  for (let s = 0; s < SETS; s++) {
    for (const buffer of noise.values()) fill(buffer, generator, false);
    made.step();
    found.push((made.outputs.elbo.view() as Float64Array)[0]!);
  }
  for (const [buffer, values] of kept) buffer.write(values);
  const mean = found.reduce((a, b) => a + b, 0) / SETS;
  const se = Math.sqrt(found.reduce((a, b) => a + (b - mean) ** 2, 0) / (SETS - 1) / SETS);
  return { terms: structure.inexact.draws, draws: structure.gradients.draws * SETS, elbo: mean, se };
}
