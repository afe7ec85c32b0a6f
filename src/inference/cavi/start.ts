import { Generator } from "../../base/generator.ts";
import { sizeOf } from "../../base/shape.ts";
import type { Buffer } from "../../engine/runtime.ts";
import type { TracedModel } from "../../model/site.ts";
import { latentSites } from "../../model/terms.ts";
import { program } from "../../program/program.ts";
import { type Block, writeNeutral } from "./blocks/block.ts";
import { inputsOf, priorStates, readyFor, type Setting, stateKey } from "./sweep.ts";

/** Where fits begin. */
export interface Starts {
  /** Starts of one restart that are worth a trial. */
  readonly tries: number;
  begin(restart: number, attempt: number): void;
}

interface StartOptions {
  readonly seed: number;
  /** How each start of one restart is begun. */
  readonly kinds: readonly Kind[];
  /** Factors that start from their priors. Default all. */
  readonly chosen?: readonly Block[];
}

/** Starts from the priors, of which `fresh` factors are moved off them. */
export async function startsOf(
  setting: Setting,
  fresh: readonly Block[],
  { seed, kinds, chosen }: StartOptions,
): Promise<Starts> {
  const { problem, buffers, structure } = setting;
  const { blocks } = structure;
  const { inputs, data } = inputsOf(setting);
  const prior = await program({
    runtime: problem.runtime,
    deterministic: problem.deterministic,
    state: buffers,
    inputs,
    body: ({ state, inputs }) => ({
      state: priorStates(readyFor(setting, Object.values(state)[0]!, inputs), state, chosen),
    }),
  });
  prior.prepare(data as never);
  return {
    tries: kinds.length,
    begin(restart, attempt) {
      for (const b of blocks) for (const name of Object.keys(b.state)) writeNeutral(b, name, buffers[stateKey(b, name)]!.view() as Float64Array); // biome-ignore format: one line
      startPoints(blocks, problem.layout, buffers, new Generator(seed, "cavi points", restart));
      prior.step();
      perturb(fresh, buffers, new Generator(seed, "cavi", restart * kinds.length + attempt), stateKey, kinds[attempt]!);
    },
  };
}

/** How far the start's Gaussian means are moved at most, whatever the prior's sd. */
const FURTHEST = 1;

/** Elements a state from which the components are begun, at most, and of how many each. */
const SEEDS = 3;
const OF_EACH = 2;
/**
 * How components are begun in the starts that are tried for a few sweeps each: from a few elements that they share, from one element each,
 * or from all. Of few shared ones the means lie together; where the noise is learned too, they may then never part.
 */
const KINDS = ["few", "one", "few", "one", "one", "all"] as const;
type Kind = (typeof KINDS)[number];
/** Probabilities of discrete states up to which a trial costs next to nothing; of larger ones the first start is taken. */
const TRIED = 200_000;

const manyElements = ({ family, isCount, state: { logProbs } }: Block): boolean =>
  family === "categorical" &&
  !isCount &&
  logProbs !== undefined &&
  sizeOf(logProbs.slice(0, -1)) >= OF_EACH * logProbs.at(-1)!;

/**
 * Starts that are worth a trial. Random states of many elements give all components nearly the same statistics, and where the noise
 * is learned as well, that is a point that sweeps leave slowly or never; so most tries begin each component from a few elements.
 */
export function kindsOf(blocks: readonly Block[]): readonly Kind[] {
  const large = blocks.filter(manyElements);
  return large.length && large.every((b) => sizeOf(b.state.logProbs!) <= TRIED) ? KINDS : ["few"];
}

/**
 * Moves the factors off their priors, so that components that the model does not tell apart can become different: means by a prior sd
 * (at most 1), rates and concentrations by a factor, discrete states to random probabilities. A site of one element stays.
 *
 * @param kind  from which elements of a large discrete site its components are begun; the others count for nothing until its first update
 */
export function perturb(
  blocks: readonly Block[],
  buffers: Readonly<Record<string, Buffer>>,
  generator: Generator,
  key: (block: Block, name: string) => string,
  kind: Kind,
): void {
  const view = (block: Block, name: string) => buffers[key(block, name)]!.view() as Float64Array;
  for (const block of blocks) {
    if (block.state.logProbs && !block.isCount) {
      const [own, states] = [view(block, "logProbs"), block.state.logProbs.at(-1)!];
      randomStates(own, states, generator);
      if (kind !== "all" && manyElements(block)) leaveSeeds(own, states, kind, generator);
    }
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
      // Of a sparse prior the start is not sparse, nor far from even: what an element has by chance alone it would keep.
      const [least, width] = name === "rate" ? [0, 1] : [1, 0.2];
      for (let i = 0; i < values.length; i++)
        values[i] = Math.max(least, values[i]!) * (1 + width * (generator.uniform() - 0.5));
    }
  }
}

/**
 * Random probabilities; of a site of one element, such as a switch, never far from even, since what it turns off at the start is
 * not learned of.
 */
function randomStates(logProbs: Float64Array, states: number, generator: Generator): void {
  const isOne = logProbs.length === states;
  for (let at = 0; at < logProbs.length; at += states) {
    let total = 0;
    for (let k = 0; k < states; k++) {
      const weight = isOne ? 0.5 + generator.uniform() : generator.exponential() ** 2;
      logProbs[at + k] = weight;
      total += weight;
    }
    for (let k = 0; k < states; k++) logProbs[at + k] = Math.log(logProbs[at + k]! / total);
  }
}

/** Takes all weight from all but a few elements; of kind "one" each state has one of its own. */
function leaveSeeds(logProbs: Float64Array, states: number, kind: "few" | "one", generator: Generator): void {
  const n = logProbs.length / states;
  const seeds = states * Math.min(SEEDS, n / (OF_EACH * states));
  if (kind === "few") {
    for (let i = 0; i < n; i++) {
      if (generator.uniform() * n > seeds) logProbs.fill(WEIGHTLESS, i * states, (i + 1) * states);
    }
    return;
  }
  logProbs.fill(WEIGHTLESS);
  const taken = new Set<number>();
  for (let k = 0; k < states; k++) {
    let i = generator.integer(n);
    while (taken.has(i)) i = (i + 1) % n;
    taken.add(i);
    logProbs[i * states + k] = 0;
  }
}
/** A logarithm whose exponential adds nothing to a sum. */
const WEIGHTLESS = -100;

/** Where parameters that are estimated start: at what the model's text says, or at a neutral value, off it where there are several. */
function startPoints(
  blocks: readonly Block[],
  layout: TracedModel,
  buffers: Readonly<Record<string, Buffer>>,
  generator: Generator,
): void {
  for (const block of blocks) {
    if (block.family !== "point") continue;
    const site = latentSites(layout).find((s) => s.name === block.name)!;
    const values = buffers[stateKey(block, "value")]!.view() as Float64Array;
    const { initial, support } = site;
    if (initial !== null) {
      for (let i = 0; i < values.length; i++)
        values[i] = typeof initial === "number" ? initial : initial[i % initial.length]!;
      continue;
    }
    const n = block.state.value!.at(-1) ?? 1;
    for (let i = 0; i < values.length; i++) {
      const moved = values.length > 1 ? generator.normal() : 0;
      if (support.kind === "real") values[i] = moved;
      else if (support.kind === "simplex") values[i] = Math.exp(0.3 * moved) / n;
      else if (support.kind === "positiveDefinite") values[i] = Number(Math.floor(i / n) % n === i % n);
      else values[i] = Math.exp(0.3 * moved) * (support.kind === "unitInterval" ? 0.5 : 1);
      if (support.kind === "unitInterval") values[i] = Math.min(values[i]!, 0.9);
    }
    if (support.kind !== "simplex") continue;
    for (let from = 0; from < values.length; from += n) {
      const row = values.subarray(from, from + n);
      const total = row.reduce((a, b) => a + b, 0);
      for (let i = 0; i < n; i++) row[i]! /= total;
    }
  }
}
