import { AnsatzError, NonFiniteError, OptionError } from "../../base/errors.ts";
import { Generator } from "../../base/generator.ts";
import { type Shape, sizeOf } from "../../base/shape.ts";
import type { Buffer } from "../../engine/runtime.ts";
import type { Node } from "../../ir/node.ts";
import type { DataFor } from "../../model/data.ts";
import type { Model, Returned } from "../../model/model.ts";
import { f64, gradient, program } from "../../program/program.ts";
import { full, where } from "../../tensor/functions.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { type Problem, type ProblemOptions, problemOf } from "../problem.ts";
import type { Block, Expected, State } from "./blocks.ts";
import type { Bounds } from "./densities.ts";
import { type ExpectedTerm, expectedJoint, type Holes } from "./expected-joint.ts";
import { type Factor, factorsOf } from "./factors.ts";
import { perturb } from "./start.ts";
import { structureOf } from "./structure.ts";

export interface CaviOptions extends ProblemOptions {
  /** Default 0. */
  readonly seed?: number;
  /** Starts, of which the one with the greatest bound is kept. Default 1. */
  readonly restarts?: number;
  /** Of the relative change of the bound in a sweep, at which it stops. Default 1e-10. */
  readonly tolerance?: number;
  /** Default 1000. */
  readonly maxSweeps?: number;
  /** How logistic likelihoods are bounded; by default they are refused, since they are conjugate to nothing. */
  readonly logistic?: Bounds["logistic"];
  readonly signal?: AbortSignal;
  readonly onSweep?: (event: { readonly restart: number; readonly sweep: number; readonly elbo: number }) => void;
}

/** q, fitted by coordinate ascent. */
export interface CaviFit {
  /** The evidence lower bound at q, in nats: exact, no draws are involved. */
  readonly elbo: number;
  /** The bound after each sweep of the start that was kept. */
  readonly elbos: readonly number[];
  readonly sweeps: number;
  readonly converged: boolean;
  /** Why it stopped, in words. */
  readonly reason: string;
  /** The factors by the names of their sites. */
  readonly factors: Readonly<Record<string, Factor>>;
  /** Whether q is one factor: where it is, and no bound stands in the model, q is the posterior itself. */
  readonly exact: boolean;
  /** Bounds of all starts. */
  readonly starts: readonly number[];
  readonly seconds: number;
}

const STEPS_BETWEEN_TURNS = 50;

type Buffers = Readonly<Record<string, Buffer>>;

const stateKey = (block: Block, name: string): string => `${block.name}.${name}`;

/** The states of all factors from tensors by key. */
const statesOfBlocks = (blocks: readonly Block[], all: Readonly<Record<string, Tensor>>): State[] =>
  blocks.map((block) => Object.fromEntries(Object.keys(block.state).map((name) => [name, all[stateKey(block, name)]!])));

interface Ready {
  readonly blocks: readonly Block[];
  readonly terms: readonly ExpectedTerm[];
}

/**
 * Coordinate ascent variational inference, derived from the model: the log joint is read as a form that is affine in the expected
 * sufficient statistics of each factor, and the optimal factor has the gradient by them as its natural parameters (Winn and Bishop
 * 2005; Hoffman, Johnson and Tran 2018). The bound is exact and never falls.
 *
 * @throws OptionError    naming the term that has no closed form, with ways out
 * @throws AnsatzError    where the bound fell: names the factor
 */
export async function cavi<D, R extends Returned>(model: Model<D, R>, data: DataFor<D>, options: CaviOptions = {}): Promise<CaviFit> {
  return fitCavi(await problemOf(model, data, options), options);
}

/** The same on a problem that was read before. */
export async function fitCavi<R extends Returned>(problem: Problem<R>, options: CaviOptions = {}): Promise<CaviFit> {
  const started = performance.now();
  const { seed = 0, restarts = 1, tolerance = 1e-10, maxSweeps = 1000, signal } = options;
  if (!(Number.isInteger(restarts) && restarts >= 1)) throw new OptionError(`restarts is ${restarts}: an integer of at least 1`); // biome-ignore format: short
  const bounds: Bounds = { logistic: options.logistic ?? null };
  const layoutLike = anyTensor(problem);
  const blocks = structureOf(layoutLike, problem.layout, { bounds });
  const { runtime, deterministic } = problem;
  const buffers: Record<string, Buffer> = {};
  for (const b of blocks) for (const [name, shape] of Object.entries(b.state)) buffers[stateKey(b, name)] = runtime.buffer("f64", shape); // biome-ignore format: short
  const ready = (like: Tensor, inputs: Readonly<Record<string, Tensor>>): Ready => {
    const { given, holes } = filled(problem, like, inputs);
    return { blocks, terms: expectedJoint(like, problem.trace(like, given), bounds, new Set(), holes) };
  };
  const spec = { inputs: problem.inputs, runtime, deterministic, state: buffers };
  const prior = await program({
    ...spec,
    body: ({ state, inputs }) => {
      const like = Object.values(state)[0] ?? Object.values(inputs)[0]!;
      return { state: priorStates(like, ready(like, inputs), state) };
    },
  });
  const sweep = await program({
    ...spec,
    body: ({ state, inputs }) => {
      const like = Object.values(state)[0] ?? Object.values(inputs)[0]!;
      const { next, elbo } = sweepOnce(ready(like, inputs), state);
      return { state: next, outputs: { elbo } };
    },
  });
  prior.prepare(problem.data as never);
  sweep.prepare(problem.data as never);
  let best: { elbos: number[]; state: Map<string, Float64Array>; converged: boolean; reason: string } | null = null;
  const starts: number[] = [];
  for (let restart = 0; restart < restarts; restart++) {
    prior.step();
    perturb(blocks, buffers, new Generator(seed, "cavi", restart), stateKey);
    const elbos: number[] = [];
    let converged = false;
    let reason = `it made its ${maxSweeps} sweeps, and the bound still rose`;
    for (let n = 0; n < maxSweeps; n++) {
      signal?.throwIfAborted();
      const before = copy(buffers);
      sweep.step();
      const elbo = (sweep.outputs.elbo.view() as Float64Array)[0]!;
      const last = elbos.at(-1);
      if (!Number.isFinite(elbo)) throw new NonFiniteError(await firstNonFinite(problem, ready, blocks, before, elbo, n));
      if (last !== undefined && elbo < last - 1e-10 * Math.abs(last) - 1e-12 * roundingScale(problem)) {
        throw new AnsatzError(await blameFall(problem, ready, blocks, before, elbo, last, n));
      }
      elbos.push(elbo);
      options.onSweep?.({ restart, sweep: n + 1, elbo });
      if (last !== undefined && Math.abs(elbo - last) <= tolerance * Math.abs(elbo)) {
        converged = true;
        reason = `the bound changed by less than ${tolerance} of itself in a sweep`;
        break;
      }
      if (n % STEPS_BETWEEN_TURNS === STEPS_BETWEEN_TURNS - 1) await new Promise((resolve) => setTimeout(resolve));
    }
    starts.push(elbos.at(-1)!);
    if (!best || elbos.at(-1)! > best.elbos.at(-1)!) best = { elbos, state: copy(buffers), converged, reason };
  }
  const { elbos, state, converged, reason } = best!;
  for (const [key, values] of state) buffers[key]!.write(values);
  return {
    elbo: elbos.at(-1)!,
    elbos,
    sweeps: elbos.length,
    converged,
    reason,
    factors: factorsOf(blocks, (block, name) => state.get(stateKey(block, name))!),
    exact: blocks.length === 1,
    starts,
    seconds: (performance.now() - started) / 1000,
  };
}

/** A tensor of the trace that a problem's layout stands in. */
function anyTensor({ layout }: Pick<Problem, "layout">): Tensor {
  const site = layout.sites[0];
  if (!site) throw new OptionError("the model has no sites: sample(...) what is unknown");
  return full(site.value, [], 0, "f64");
}

const copy = (buffers: Buffers): Map<string, Float64Array> =>
  new Map(Object.entries(buffers).map(([key, buffer]) => [key, buffer.read() as Float64Array]));

/** Sums over data round by this much, whatever their result. */
const roundingScale = ({ arrays }: Pick<Problem, "arrays">): number =>
  Object.values(arrays).reduce((n, { shape }) => n + sizeOf(shape), 1);

/** The data with 0 for what is missing, and which nodes hold where that is. */
function filled(problem: Pick<Problem, "arrays">, like: Tensor, inputs: Readonly<Record<string, Tensor>>) {
  const given: Record<string, Tensor> = { ...inputs };
  const presence = new Map<Node, Node>();
  for (const [name, { values }] of Object.entries(problem.arrays)) {
    if (!values.some(Number.isNaN)) continue;
    const raw = inputs[`data.${name}`]!;
    const there = raw.eq(raw);
    given[`data.${name}`] = where(there, raw, full(like, raw.shape, 0));
    presence.set(given[`data.${name}`]!.node, there.cast("f64").node);
  }
  const holes: Holes = { filled: presence };
  return { given, holes };
}

const sitesOf = (expected: readonly Expected[]) => ({
  sites: Object.assign({}, ...expected.map((e) => e.sites)) as Expected["sites"],
});

const sum = (like: Tensor, parts: readonly Tensor[]): Tensor => parts.reduce((a, b) => a.add(b), full(like, [], 0, "f64")); // biome-ignore format: short

/** One factor at its optimum given the others: by the terms that it touches. */
function updated(block: Block, state: State, expected: readonly Expected[], own: Expected, terms: readonly ExpectedTerm[]): State {
  const names = Object.keys(own.wrt);
  const joint = sum(Object.values(state)[0]!, terms.map((t) => t.expect(sitesOf(expected)))); // biome-ignore format: short
  const slopes = gradient(joint, names.map((name) => own.wrt[name]!)); // biome-ignore format: short
  const next = block.update(state, own.wrt, Object.fromEntries(names.map((name, i) => [name, slopes[i]!])));
  // The new state is a number from here on: later gradients must not flow back through how it was found.
  return Object.fromEntries(Object.entries(next).map(([name, tensor]) => [name, tensor.stopGradient()]));
}

/** Each factor in turn; `seen` hears of the bound after each. */
function sweepOnce({ blocks, terms }: Ready, all: Readonly<Record<string, Tensor>>, seen?: (bound: Tensor) => void) {
  const states = statesOfBlocks(blocks, all);
  const expected = blocks.map((b, i) => b.expected(states[i]!));
  const like = Object.values(all)[0]!;
  const bound = () => sum(like, [...terms.map((t) => t.expect(sitesOf(expected))), ...expected.map((e) => e.entropy)]);
  const next: Record<string, Tensor> = {};
  for (const [i, block] of blocks.entries()) {
    const touching = terms.filter((t) => t.sites.some((s) => block.sites.includes(s)));
    states[i] = updated(block, states[i]!, expected, expected[i]!, touching);
    expected[i] = block.expected(states[i]!);
    for (const [name, tensor] of Object.entries(states[i]!)) next[stateKey(block, name)] = tensor;
    seen?.(bound());
  }
  return { next, elbo: bound() };
}

/** Each factor as its own prior has it, given those before it at theirs. */
function priorStates(like: Tensor, { blocks, terms }: Ready, all: Readonly<Record<string, Tensor>>): Record<string, Tensor> {
  const states = statesOfBlocks(blocks, all).map((state) =>
    Object.fromEntries(Object.entries(state).map(([name, t]) => [name, full(like, t.shape, name === "mean" ? 0 : 1)])),
  );
  for (const [i, b] of blocks.entries()) {
    if ("inverseScale" in states[i]!) states[i] = withProperMatrices(b, states[i]!);
  }
  const expected = blocks.map((b, i) => b.expected(states[i]!));
  const result: Record<string, Tensor> = {};
  for (const [i, block] of blocks.entries()) {
    const own = terms.filter((t) => block.sites.includes(t.name));
    states[i] = updated(block, states[i]!, expected, expected[i]!, own);
    expected[i] = block.expected(states[i]!);
    for (const [name, tensor] of Object.entries(states[i]!)) result[stateKey(block, name)] = tensor;
  }
  return result;
}

function withProperMatrices(block: Block, state: State): State {
  const n = block.state.inverseScale!.at(-1)!;
  const unit = state.inverseScale!.mul(0).add(identityOf(state.inverseScale!, n));
  return { ...state, inverseScale: unit, df: state.df!.mul(n + 1) };
}

function identityOf(like: Tensor, n: number): Tensor {
  const row = (axis: number) => like.of(like.trace.iota("f64", [n, n], axis));
  return row(0).eq(row(1)).cast("f64");
}

type MakeReady = (like: Tensor, inputs: Readonly<Record<string, Tensor>>) => Ready;

/** The bound after each factor's update, from the state before a sweep. */
async function boundsByFactor(problem: Problem, ready: MakeReady, blocks: readonly Block[], before: ReadonlyMap<string, Float64Array>): Promise<number[]> {
  const { runtime, deterministic } = problem;
  const shapes = Object.assign({}, ...blocks.map((b) => Object.fromEntries(Object.entries(b.state).map(([k, s]) => [stateKey(b, k), s])))) as Record<string, Shape>; // biome-ignore format: one line
  const made = await program({
    inputs: { ...problem.inputs, ...Object.fromEntries(Object.entries(shapes).map(([k, s]) => [k, f64(s)])) },
    runtime,
    deterministic,
    body: ({ inputs }) => {
      const all = Object.fromEntries(Object.keys(shapes).map((k) => [k, inputs[k]!]));
      const like = Object.values(all)[0]!;
      const found: Tensor[] = [];
      sweepOnce(ready(like, inputs as never), all, (bound) => found.push(bound));
      return { outputs: Object.fromEntries(found.map((t, i) => [`bound${i}`, t])) };
    },
  });
  made.call({ ...problem.data, ...Object.fromEntries(before) } as never);
  return blocks.map((_, i) => ((made.outputs as Buffers)[`bound${i}`]!.view() as Float64Array)[0]!);
}

async function blameFall(problem: Problem<never> | Problem, ready: MakeReady, blocks: readonly Block[], before: ReadonlyMap<string, Float64Array>, elbo: number, last: number, sweep: number): Promise<string> {
  const found = await boundsByFactor(problem as Problem, ready, blocks, before);
  let [worst, drop] = [0, Infinity];
  for (const [i, bound] of found.entries()) {
    const change = bound - (i ? found[i - 1]! : last);
    if (change < drop) [worst, drop] = [i, change];
  }
  return (
    `the bound fell from ${last} to ${elbo} in sweep ${sweep + 1}, by ${-drop} in the update of the factor of ` +
    `"${blocks[worst]!.name}". An update at the optimum cannot do that: either its elements depend on one another in a way that was ` +
    "not seen (write them as one multivariateNormal, or in different sites), or the numbers are too large for each other (rescale the data)."
  );
}

async function firstNonFinite(problem: Problem<never> | Problem, ready: MakeReady, blocks: readonly Block[], before: ReadonlyMap<string, Float64Array>, elbo: number, sweep: number): Promise<string> {
  const found = await boundsByFactor(problem as Problem, ready, blocks, before);
  const at = found.findIndex((bound) => !Number.isFinite(bound));
  return (
    `the bound became ${elbo} in sweep ${sweep + 1}, first with the factor of "${blocks[Math.max(0, at)]!.name}". ` +
    "Look for data outside a likelihood's support, and for priors that are not proper."
  );
}
