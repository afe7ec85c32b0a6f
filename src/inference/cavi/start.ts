import type { Generator } from "../../base/generator.ts";
import { sizeOf } from "../../base/shape.ts";
import type { Buffer } from "../../engine/runtime.ts";
import type { Block } from "./blocks/block.ts";

/** How far the start's Gaussian means are moved at most, whatever the prior's sd. */
const FURTHEST = 1;

/**
 * Moves the factors off their priors, so that components that the model does not tell apart can become different: means by a prior sd
 * (at most 1), rates and concentrations by a factor, discrete states to random probabilities. A site of one element stays.
 */
export function perturb(
  blocks: readonly Block[],
  buffers: Readonly<Record<string, Buffer>>,
  generator: Generator,
  key: (block: Block, name: string) => string,
): void {
  const view = (block: Block, name: string) => buffers[key(block, name)]!.view() as Float64Array;
  for (const block of blocks) {
    if (block.state.logProbs) randomStates(view(block, "logProbs"), block.state.logProbs.at(-1)!, generator);
    if (block.state.pairs) {
      const pairs = view(block, "pairs");
      for (let i = 0; i < pairs.length; i++) pairs[i]! += 0.5 * generator.normal();
    }
    if (block.state.mean && sizeOf(block.state.mean) > 1) {
      const mean = view(block, "mean");
      const scale = block.state.precision ? view(block, "precision") : null;
      const n = block.state.precision?.at(-1) ?? 1;
      for (let i = 0; i < mean.length; i++) {
        const precision = scale ? scale[Math.floor(i / n) * n * n + (i % n) * (n + 1)]! : 1;
        mean[i]! += Math.min(FURTHEST, 1 / Math.sqrt(Math.max(precision, 1e-300))) * generator.normal();
      }
    }
    for (const name of ["rate", "concentration", "a"]) {
      const shape = block.state[name];
      if (!shape || sizeOf(shape) < 2) continue;
      const values = view(block, name);
      for (let i = 0; i < values.length; i++) values[i]! *= 0.5 + generator.uniform();
    }
  }
}

function randomStates(logProbs: Float64Array, states: number, generator: Generator): void {
  for (let at = 0; at < logProbs.length; at += states) {
    let total = 0;
    for (let k = 0; k < states; k++) {
      const weight = generator.exponential() ** 2;
      logProbs[at + k] = weight;
      total += weight;
    }
    for (let k = 0; k < states; k++) logProbs[at + k] = Math.log(logProbs[at + k]! / total);
  }
}
