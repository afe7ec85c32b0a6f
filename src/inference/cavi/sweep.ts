import type { Shape } from "../../base/shape.ts";
import type { Buffer } from "../../engine/runtime.ts";
import type { Node } from "../../ir/node.ts";
import type { TracedModel } from "../../model/site.ts";
import { latentSites } from "../../model/terms.ts";
import { f64, gradient } from "../../program/program.ts";
import { full, where } from "../../tensor/functions.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { filled } from "../missing.ts";
import type { Problem } from "../problem.ts";
import type { Block, Expected, State } from "./blocks/block.ts";
import { climbed, startOf } from "./blocks/by-gradient.ts";
import type { Bounds } from "./densities.ts";
import { type ExpectedTerm, expectedJoint, type Holes } from "./expected-joint.ts";
import type { Structure } from "./structure.ts";

/** Where a factor's array is kept. */
export const stateKey = (block: Block, name: string): string => `${block.name}.${name}`;

/** Shapes of all arrays of q by key. */
export const stateShapes = (blocks: readonly Block[]): Record<string, Shape> =>
  Object.fromEntries(blocks.flatMap((b) => Object.entries(b.state).map(([name, shape]) => [stateKey(b, name), shape])));

export type Tensors = Readonly<Record<string, Tensor>>;

/** The states of all factors from tensors by key. */
export const statesOfBlocks = (blocks: readonly Block[], all: Tensors): State[] =>
  blocks.map((block) =>
    Object.fromEntries(Object.keys(block.state).map((name) => [name, all[stateKey(block, name)]!])),
  );

export interface Ready {
  readonly blocks: readonly Block[];
  /** In which a sweep updates them. */
  readonly order: readonly Block[];
  readonly terms: readonly ExpectedTerm[];
  /** Of factors that stand for several alike: how many each of their elements counts for. */
  readonly copies: ReadonlyMap<Block, Tensor>;
  /** What the entropy of discrete factors counts for, []; null for once. */
  readonly temperature: Tensor | null;
  /** Of sites whose elements take turns: 1 for those that it is the turn of. */
  readonly turns: Tensors;
}

/** What all programs of one fit share. */
export interface Setting {
  readonly problem: Problem;
  readonly structure: Structure;
  readonly bounds: Bounds;
  /** The state of q, in the runtime's memory. */
  readonly buffers: Readonly<Record<string, Buffer>>;
  /** The factors of earlier data that stand for the priors of these: their state, by key. */
  readonly earlier: ReadonlyMap<string, Float64Array>;
  /** Standard normal numbers by factor, for those whose terms are averaged over draws. */
  readonly noise: ReadonlyMap<string, Buffer>;
}

const noiseKey = (block: string): string => `noise.${block}`;
const earlierKey = (key: string): string => `earlier.${key}`;

/** Inputs and data of a fit's programs: the model's, and the earlier factors. */
export function inputsOf({
  problem,
  structure,
  earlier,
  noise,
}: Pick<Setting, "problem" | "structure" | "earlier" | "noise">) {
  const shapes = stateShapes(structure.blocks);
  const { runtime } = problem;
  return {
    inputs: {
      ...problem.inputs,
      ...Object.fromEntries([...earlier.keys()].map((k) => [earlierKey(k), f64(shapes[k]!)])),
      ...Object.fromEntries([...noise].map(([name, b]) => [noiseKey(name), f64(b.shape)])),
    },
    data: {
      ...problem.data,
      ...Object.fromEntries(
        [...earlier].map(([k, values]) => [earlierKey(k), runtime.buffer("f64", shapes[k]!, values)]),
      ),
      ...Object.fromEntries([...noise].map(([name, b]) => [noiseKey(name), b])),
    },
  };
}

/** The model's terms in the trace of `like`. */
export function readyFor(setting: Setting, like: Tensor, inputs: Tensors, turns: Tensors = {}): Ready {
  const { problem, structure, bounds, earlier } = setting;
  const { given, holes } = withoutHoles(problem, inputs);
  const model = problem.trace(like, given);
  const { gradients } = structure;
  const drawn = (name: string, shape: readonly number[]) =>
    inputs[noiseKey(name)] ?? full(like, [gradients.draws, ...shape], 0, "f64");
  const terms = expectedJoint(like, model, bounds, structure.chains, holes, gradients, drawn);
  const carried = structure.blocks.filter((b) => Object.keys(b.state).every((name) => earlier.has(stateKey(b, name))));
  const replaced = new Set(carried.flatMap((b) => b.sites));
  const instead = carried.map((block): ExpectedTerm => {
    const before = Object.fromEntries(Object.keys(block.state).map((name) => [name, inputs[earlierKey(stateKey(block, name))]!])); // biome-ignore format: one line
    return {
      name: block.sites[0]!,
      sites: block.sites,
      how: () => "closed form",
      isBound: () => false,
      expect: (q) => block.expectedLog!(before, q.sites),
    };
  });
  return {
    blocks: structure.blocks,
    order: structure.order,
    terms: [...terms.filter((t) => !replaced.has(t.name)), ...instead],
    copies: copiesOf(structure.blocks, model),
    temperature: null,
    turns,
  };
}

/** How often the elements of each factor count, where that is not once. */
function copiesOf(blocks: readonly Block[], model: TracedModel): Map<Block, Tensor> {
  const sites = new Map(latentSites(model).map((site) => [site.name, site]));
  return new Map(blocks.flatMap((b) => {
    const copies = sites.get(b.sites[0]!)?.copies;
    return copies ? [[b, copies] as const] : [];
  })); // biome-ignore format: short
}

const alongside = (copies: Tensor, x: Tensor): Tensor =>
  copies.reshape([...copies.shape, ...x.shape.slice(copies.shape.length).map(() => 1)]);

/** The entropy of a factor in nats, each of its elements as often as it counts. */
export function entropyOf({ copies }: Pick<Ready, "copies">, block: Block, { entropy }: Expected): Tensor {
  const often = copies.get(block);
  return (often ? entropy.mul(alongside(often, entropy)) : entropy).sum();
}

/** The data with a number for what is missing, and the nodes that these stand for. */
function withoutHoles(problem: Pick<Problem, "arrays">, inputs: Tensors) {
  const given: Record<string, Tensor> = { ...inputs };
  const stands = new Map<Node, Node>();
  for (const [name, { values }] of Object.entries(problem.arrays)) {
    if (!values.some(Number.isNaN)) continue;
    const raw = inputs[`data.${name}`]!;
    given[`data.${name}`] = filled(raw);
    stands.set(given[`data.${name}`]!.node, raw.node);
  }
  const holes: Holes = { filled: stands };
  return { given, holes };
}

export const sitesOf = (expected: readonly Expected[]) => ({
  sites: Object.assign({}, ...expected.map((e) => e.sites)) as Expected["sites"],
});

export const sum = (like: Tensor, parts: readonly Tensor[]): Tensor => parts.reduce((a, b) => a.add(b), full(like, [], 0, "f64")); // biome-ignore format: short

/** The gradient of expected terms by the statistics of one factor, of each of its elements. */
export function slopesOf(joint: Tensor, own: Expected, often: Tensor | undefined): State {
  const names = Object.keys(own.wrt);
  const sums = gradient(joint, names.map((name) => own.wrt[name]!)); // biome-ignore format: short
  // Of alike elements each sees its own share of what they all see.
  return Object.fromEntries(
    names.map((name, i) => [name, often ? sums[i]!.div(alongside(often, sums[i]!)) : sums[i]!]),
  );
}

/** What of the bound one factor decides, as a function of its state. */
const localBound =
  (
    ready: Pick<Ready, "copies">,
    block: Block,
    expected: readonly Expected[],
    own: Expected,
    terms: readonly ExpectedTerm[],
  ) =>
  (state: State): Tensor => {
    const moved = block.expected(state);
    const all = expected.map((e) => (e === own ? moved : e));
    return sum(moved.entropy, [...terms.map((t) => t.expect(sitesOf(all))), entropyOf(ready, block, moved)]);
  };

/** One factor at its optimum given the others: by the terms that it touches. */
export function updated(
  ready: Pick<Ready, "copies">,
  block: Block,
  state: State,
  expected: readonly Expected[],
  own: Expected,
  terms: readonly ExpectedTerm[],
  temperature: Tensor | null = null,
): State {
  const joint = sum(Object.values(state)[0]!, terms.map((t) => t.expect(sitesOf(expected)))); // biome-ignore format: short
  const local = localBound(ready, block, expected, own, terms);
  const slopes = () => {
    const found = slopesOf(joint, own, ready.copies.get(block));
    return temperature && isDiscrete(block) ? map(found, (g) => g.div(temperature)) : found;
  };
  const next = block.ascend
    ? block.ascend(state, own.wrt, joint, local)
    : block.byGradient
      ? climbed(block, state, own.wrt, slopes(), local)
      : block.update(state, own.wrt, slopes());
  return settled(block, next);
}

const isDiscrete = ({ family }: Block): boolean => family === "categorical" || family === "markovChain";
const map = (state: State, f: (t: Tensor) => Tensor): State =>
  Object.fromEntries(Object.entries(state).map(([name, t]) => [name, f(t)]));

/** A new state as numbers: later gradients must not flow back through how it was found. */
export function settled(block: Block, next: State): State {
  // Nor may it be the same node as another factor's that has the same formula: they are differentiated by apart.
  const held = ([name, t]: [string, Tensor]): [string, Tensor] => [
    name,
    t.of(t.trace.builder.append("stopGradient", [t.node], { of: stateKey(block, name) })),
  ];
  return Object.fromEntries(Object.entries(next).map(held));
}

/** Each factor in turn, in their order; `seen` hears of the bound after each, `moves` has 0 for factors that stay as they are. */
export function sweepOnce(
  ready: Ready,
  all: Tensors,
  { seen, moves }: { readonly seen?: (bound: Tensor) => void; readonly moves?: Tensors } = {},
) {
  const { blocks, order, terms, turns } = ready;
  const states = statesOfBlocks(blocks, all);
  const expected = blocks.map((b, i) => b.expected(states[i]!));
  const like = Object.values(all)[0]!;
  const bound = () =>
    sum(like, [
      ...terms.map((t) => t.expect(sitesOf(expected))),
      ...expected.map((e, i) => entropyOf(ready, blocks[i]!, e)),
    ]);
  const next: Record<string, Tensor> = {};
  for (const block of order) {
    const i = blocks.indexOf(block);
    const touching = terms.filter((t) => t.sites.some((s) => block.sites.includes(s)));
    const before = states[i]!;
    const after = updated(ready, block, before, expected, expected[i]!, touching, ready.temperature);
    const turn = turns[block.name];
    states[i] = turn
      ? { logProbs: where(turn.reshape([...turn.shape, 1]).gt(0), after.logProbs!, before.logProbs!) }
      : after;
    const moving = moves?.[block.name];
    if (moving) {
      states[i] = Object.fromEntries(
        Object.entries(states[i]!).map(([name, t]) => [name, where(moving.gt(0), t, before[name]!)]),
      );
    }
    expected[i] = block.expected(states[i]!);
    for (const [name, tensor] of Object.entries(states[i]!)) next[stateKey(block, name)] = tensor;
    seen?.(bound());
  }
  return { next, elbo: bound() };
}

/** Each factor as its own prior has it, given those before it at theirs; from a state that says nothing. */
export function priorStates(
  ready: Ready,
  all: Tensors,
  chosen: readonly Block[] = ready.blocks,
): Record<string, Tensor> {
  const { blocks, terms } = ready;
  const states = statesOfBlocks(blocks, all);
  const expected = blocks.map((b, i) => b.expected(states[i]!));
  const result: Record<string, Tensor> = {};
  for (const [i, block] of blocks.entries()) {
    if (block.family === "point" || !chosen.includes(block)) continue;
    const own = terms.filter((t) => block.sites.includes(t.name));
    const touching = () => terms.filter((t) => t.sites.some((s) => block.sites.includes(s)));
    states[i] = block.byGradient
      ? startOf(states[i]!, localBound(ready, block, expected, expected[i]!, touching()))
      : updated(ready, block, states[i]!, expected, expected[i]!, own);
    expected[i] = block.expected(states[i]!);
    for (const [name, tensor] of Object.entries(states[i]!)) result[stateKey(block, name)] = tensor;
  }
  return result;
}
