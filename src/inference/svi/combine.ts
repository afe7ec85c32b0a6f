import { OptionError } from "../../base/errors.ts";
import type { DataFor } from "../../model/data.ts";
import type { Model, Returned } from "../../model/model.ts";
import { f64, program } from "../../program/program.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { type Block, writeNeutral } from "../cavi/blocks/block.ts";
import { anyTensor, type CaviOptions, lasting } from "../cavi/cavi.ts";
import type { Bounds } from "../cavi/densities.ts";
import { carriedFrom } from "../cavi/earlier.ts";
import type { ExpectedTerm } from "../cavi/expected-joint.ts";
import { type Factor, factorsOf } from "../cavi/factors.ts";
import type { StoredFit } from "../cavi/stored-fit.ts";
import { structureOf } from "../cavi/structure.ts";
import {
  inputsOf,
  readyFor,
  type Setting,
  type sitesOf,
  stateKey,
  stateShapes,
  statesOfBlocks,
  updated,
} from "../cavi/sweep.ts";
import { type Problem, type ProblemOptions, problemOf } from "../problem.ts";
import { subsamplingOf } from "../subsampling.ts";
import { boundsOf, structureOptions } from "./options.ts";

/** Options of `combine`. */
export interface CombineOptions extends ProblemOptions {
  /** The fit that was the prior of all shards; by default the model's own priors were. */
  readonly after?: Pick<StoredFit, "state">;
  /** The plate whose elements, with all that goes with them, differ from shard to shard. By default those that hold data. */
  readonly plate?: string;
  readonly logistic?: Bounds["logistic"];
  /** As the shards were fitted. */
  readonly groups?: CaviOptions["groups"];
}

/** Factors of what shards of data have in common. It can be `after` of a later fit. */
export interface Combined {
  readonly factors: Readonly<Record<string, Factor>>;
  readonly state: ReadonlyMap<string, Float64Array>;
}

/**
 * The posterior of all shards of the data from the posterior of each: what each shard adds to the natural parameters of the prior is
 * added up (Broderick, Boyd, Wibisono, Wilson and Jordan 2013, eq. 5). Where q is exact, so is this.
 *
 *     const both = await combine(coin, data, [fitOfMonday, fitOfTuesday]);
 *
 * @param data   of any of the shards: the model's text is read with it
 * @throws OptionError where a factor is of a kind that cannot be a prior, or a fit of another model
 */
export async function combine<D, R extends Returned>(
  model: Model<D, R>,
  data: DataFor<D>,
  shards: readonly Pick<StoredFit, "state">[],
  options: CombineOptions = {},
): Promise<Combined> {
  if (!shards.length) throw new OptionError("combine takes at least one fit");
  const problem = (await problemOf(model, data, options)) as unknown as Problem;
  const { runtime, deterministic } = problem;
  const structure = structureOf(anyTensor(problem), problem.layout, structureOptions(problem, options));
  const common = commonBlocks(structure.blocks, problem, options.plate);
  const earlier = options.after ? carriedFrom(options.after, common) : new Map<string, Float64Array>();
  const shapes = stateShapes(structure.blocks);
  const buffers = Object.fromEntries(Object.entries(shapes).map(([key, shape]) => [key, runtime.buffer("f64", shape)]));
  for (const b of structure.blocks) {
    for (const name of Object.keys(b.state)) writeNeutral(b, name, buffers[stateKey(b, name)]!.view() as Float64Array);
  }
  const setting: Setting = { problem, structure, bounds: boundsOf(options), buffers, earlier, noise: new Map() };
  const parts = shards.map((fit, i) => carriedFrom(fit, common, `combine: fit ${i + 1}`));
  for (const [key, values] of parts[0]!) buffers[key]!.write(values);
  const given = inputsOf(setting);
  const partKey = (i: number, key: string) => `shard.${i}.${key}`;
  const all = parts.flatMap((part, i) => [...part].map(([key, values]) => ({ name: partKey(i, key), shape: shapes[key]!, values }))); // biome-ignore format: one line
  const made = await program({
    runtime,
    deterministic,
    state: buffers,
    inputs: { ...given.inputs, ...Object.fromEntries(all.map(({ name, shape }) => [name, f64(shape)])) },
    body: ({ state, inputs }) => {
      const like = Object.values(state)[0] as Tensor;
      const ready = readyFor(setting, like, inputs);
      const { blocks, terms } = ready;
      const states = statesOfBlocks(blocks, state);
      const expected = blocks.map((b, i) => b.expected(states[i]!));
      const next: Record<string, Tensor> = {};
      for (const [i, block] of blocks.entries()) {
        if (!common.includes(block)) continue;
        const priors = terms.filter((t) => block.sites.includes(t.name));
        const learned = parts.map((_, s): ExpectedTerm => {
          const before = Object.fromEntries(Object.keys(block.state).map((name) => [name, inputs[partKey(s, stateKey(block, name))]!])); // biome-ignore format: one line
          return {
            name: `shard ${s}`,
            sites: block.sites,
            how: () => "closed form",
            isBound: () => false,
            expect: (q) => block.expectedLog!(before, q.sites),
          };
        });
        // Each posterior holds the prior once, and together they are to hold it once.
        const surplus = priors.map((t) => ({
          ...t,
          expect: (q: ReturnType<typeof sitesOf>) => t.expect(q).mul(1 - parts.length),
        }));
        states[i] = updated(ready, block, states[i]!, expected, expected[i]!, [...learned, ...surplus]);
        expected[i] = block.expected(states[i]!);
        for (const [name, tensor] of Object.entries(states[i]!)) next[stateKey(block, name)] = tensor;
      }
      return { state: next };
    },
  });
  made.prepare({ ...given.data, ...Object.fromEntries(all.map(({ name, values }) => [name, values])) } as never);
  // Priors that depend on other factors are taken at what these came to.
  for (let pass = 0; pass < common.length; pass++) made.step();
  const state = new Map(Object.keys(stateShapes(common)).map((key) => [key, buffers[key]!.read() as Float64Array]));
  return { state, factors: factorsOf(common, (b, name) => state.get(stateKey(b, name))!) };
}

function commonBlocks(blocks: readonly Block[], problem: Problem, plate: string | undefined): readonly Block[] {
  if (plate === undefined) return lasting({ blocks }, problem);
  const { plates } = subsamplingOf(problem, plate);
  const inside = problem.layout.sites.filter((s) => plates.some((p) => p.name === s.plates[0]?.name));
  return blocks.filter((b) => !b.sites.some((name) => inside.some((s) => s.name === name)));
}
